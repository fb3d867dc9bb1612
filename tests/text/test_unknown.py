"""Unknown words give way to translations or copies, and nothing else changes."""

import pytest

from mt.text.symbols import UNK
from mt.text.tokenizer import Tokenizer
from mt.text.tokenizer_training import TokenizerSettings, train_tokenizers
from mt.text.unknown import replace_unknown

SENTENCES = [
    "Der alte Mann sieht (einen) kleinen Hund, nicht wahr?",
    "Ein kleiner Hund sieht ihn.",
    "Die Kinder spielen mit ihm im Garten.",
]
SOURCE = ["The", "old", "Жук,", "sees", "“Łódź”."]


class Dictionary(dict[str, str]):
    def best(self, source: str) -> str | None:
        return self.get(source)


@pytest.fixture(scope="module", params=["unigram", "bpe", "char"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    settings = TokenizerSettings(vocab_size=40, model_type=request.param)
    return train_tokenizers(SENTENCES, SENTENCES, settings).target


def replaced(tokenizer: Tokenizer, text: str, links: list[tuple[int, int]], lexicon: Dictionary | None = None) -> str:
    ids = tokenizer.encode([text])[0]
    return replace_unknown(ids, tokenizer=tokenizer, source_words=SOURCE, links=links, lexicon=lexicon)


def test_copies(tokenizer: Tokenizer) -> None:
    assert replaced(tokenizer, "Der alte 汉, sieht (汉).", [(0, 0), (2, 2), (4, 4)]) == "Der alte Жук, sieht (Łódź)."


def test_the_lexicon_comes_first(tokenizer: Tokenizer) -> None:
    lexicon = Dictionary({"Жук": "Käfer", "old": "alte"})
    text = "Der alte 汉, sieht 汉."
    assert replaced(tokenizer, text, [(1, 1), (2, 2), (4, 4)], lexicon) == "Der alte Käfer, sieht Łódź."


def test_the_whole_word_is_replaced(tokenizer: Tokenizer) -> None:
    assert replaced(tokenizer, "Hund汉in sieht", [(4, 0), (3, 1)]) == "Łódź sieht"
    assert replaced(tokenizer, "汉字 汉 ein", [(2, 0), (4, 1)]) == "Жук Łódź ein"


def test_words_without_a_link_stay(tokenizer: Tokenizer) -> None:
    assert replaced(tokenizer, "Ein 汉 sieht 汉.", [(0, 0), (4, 3)]) == "Ein ⁇ sieht Łódź."
    assert replaced(tokenizer, "Ein 汉", [(9, 1)]) == "Ein ⁇"  # the source was cut


def test_text_without_unknown_words_is_left_alone(tokenizer: Tokenizer) -> None:
    lexicon = Dictionary(dict.fromkeys(SOURCE, "x"))
    for text in ("Der alte Mann.", ""):
        assert replaced(tokenizer, text, [(0, 0), (1, 1)], lexicon) == text
    assert replaced(tokenizer, "", []) == ""


def test_spaces_around_the_sign_of_an_unknown_piece_vanish() -> None:
    class Spaced:  # SentencePiece's default: " ⁇ "
        def pieces(self, ids: list[int]) -> list[str]:
            return [["▁Z", "<unk>", "y"][token] for token in ids]

        def decode(self, rows: list[list[int]]) -> list[str]:
            return ["".join(["Z", " ⁇ ", "y"][token] for token in row) for row in rows]

    text = replace_unknown([0, UNK, 2], tokenizer=Spaced(), source_words=["Zöy!"], links=[(0, 0)])
    assert text == "Zöy"
