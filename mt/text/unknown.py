"""Unknown words of a translation, replaced by what the lexicon or the source has for them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from mt.text.alignment import Link
from mt.text.symbols import UNK
from mt.text.tokenizer import Tokenizer
from mt.text.words import bare_word, split_punctuation, word_of_piece

__all__ = ["Translations", "replace_unknown"]


class Translations(Protocol):
    """What is needed of a lexicon of words (`mt.data.lexicon.Lexicon`)."""

    def best(self, source: str) -> str | None:
        """Return the likeliest translation of a word, or None where nothing is known of it."""
        ...


def replace_unknown(
    ids: Sequence[int],
    *,
    tokenizer: Tokenizer,
    source_words: Sequence[str],
    links: Iterable[Link],
    lexicon: Translations | None = None,
) -> str:
    """Return the text of a translation without the "⁇" that `Tokenizer.decode` writes for unknown pieces.

    Each word with an unknown piece in it gives way to the translation of the source word that it is linked to, if the
    lexicon knows it, or else to that source word itself, as names and numbers ask for (Luong et al. 2015, Addressing
    the Rare Word Problem, section 3.3, with links from attention). Punctuation around words is the translation's own:
    the lexicon is asked for words without it. A word without a link keeps its "⁇".

    Args:
        ids: target token ids, such as `Hypothesis.ids`.
        tokenizer: of the target.
        source_words: `Tokenizer.words` of the source text.
        links: between words, see `mt.text.alignment.word_alignment`.
        lexicon: of words; None copies every time.
    """
    if UNK not in ids:
        return tokenizer.decode([ids])[0]
    groups: dict[int, list[int]] = {}
    for token, number in zip(ids, word_of_piece(tokenizer.pieces(ids)).tolist(), strict=True):
        groups.setdefault(number, []).append(token)
    origins = {target: source_words[source] for source, target in links if source < len(source_words)}
    words = tokenizer.decode([*groups.values()])
    for place, (number, group) in enumerate(groups.items()):
        if UNK in group and number in origins:
            words[place] = _replaced(words[place], origins[number], lexicon)
    return " ".join(" ".join(words).split())


def _replaced(word: str, source_word: str, lexicon: Translations | None) -> str:
    before, _, after = split_punctuation("".join(word.split()))  # some tokenizers put spaces around "⁇"
    source_word = bare_word(source_word)
    translation = lexicon.best(source_word) if lexicon else None
    return f"{before}{translation or source_word}{after}"
