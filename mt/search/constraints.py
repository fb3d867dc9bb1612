"""Constraints: what the translation of a sentence must begin with, contain, or not contain."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mt.search.next_tokens import NextTokens
from mt.search.rules import rows_of
from mt.search.spelling import Spelling
from mt.search.step import Ids
from mt.search.strategies import Live
from mt.text.symbols import EOS

__all__ = ["Avoid", "Constraints", "Include", "Prefix", "Progress"]


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What is asked of the translation of one sentence, in the pieces' own spelling ("▁" for a space)."""

    prefix: str = ""
    """What it begins with; its last word may be unfinished."""
    include: tuple[tuple[int, ...], ...] = ()
    """Phrases that it contains, as token ids, the first piece of each starting a word."""
    exclude: tuple[str, ...] = ()
    """Words and phrases that it does not contain."""

    @property
    def tokens(self) -> int:
        """Most tokens that the constraints can ask for."""
        return len(self.prefix) + sum(map(len, self.include))


class Prefix:
    """Translations begin with a given text, in whichever pieces the model finds likeliest.

    So the last word of the text may be unfinished: a piece may go beyond it.

    Args:
        prefixes: of the caller's sentences, [B].
        spelling: of the target vocabulary.
    """

    def __init__(self, prefixes: Sequence[str], spelling: Spelling) -> None:
        self.prefixes = prefixes
        self.spelling = spelling

    def apply(self, live: Live, tokens: NextTokens) -> None:
        """See `mt.search.rules.Rule`."""
        for row, sentence in enumerate(rows_of(live).tolist()):
            if (prefix := self.prefixes[sentence]) and live.tokens.shape[1] < len(prefix):
                missing = prefix[len(self.spelling.text(live.tokens[row])) :]
                if missing:
                    tokens.allow_only(self.spelling.continuing(missing), row)


class Avoid:
    """Translations do not contain given phrases as words of their own, however they might be cut into pieces.

    A phrase is forbidden where it would be complete at the end of a piece, even if a further piece might make its last
    word a longer one. Pieces that stand for single bytes are forbidden throughout.

    Args:
        phrases: of the caller's sentences, [B][...].
        spelling: of the target vocabulary.
    """

    def __init__(self, phrases: Sequence[Sequence[str]], spelling: Spelling) -> None:
        self.phrases = phrases
        self.spelling = spelling
        self._containing = {phrase: spelling.containing(phrase) for some in phrases for phrase in some}

    def apply(self, live: Live, tokens: NextTokens) -> None:
        """See `mt.search.rules.Rule`."""
        for row, sentence in enumerate(rows_of(live).tolist()):
            if not self.phrases[sentence]:
                continue
            text = "▁" + self.spelling.text(live.tokens[row])
            found = [self.spelling.bytes]
            for phrase in self.phrases[sentence]:
                found.append(self._containing[phrase])
                for cut in range(len(phrase)):
                    begun = text.endswith(phrase[:cut]) and re.match(r"\W", text[len(text) - cut - 1 :])
                    if begun:
                        found.append(self.spelling.completing(phrase[cut:]))
            ids = np.concatenate(found)
            tokens.forbid(ids, np.full_like(ids, row))


class Progress(NamedTuple):
    """How far a hypothesis has come with the phrases that it must contain."""

    met: frozenset[int] = frozenset()  # phrases
    current: int | None = None  # the phrase in the middle of which it is
    begun: int = 0  # tokens of that phrase
    just_met: int | None = None  # the phrase whose last token was the hypothesis' last: the word may yet go on


class Include:
    """Translations contain given phrases as words of their own.

    No translation ends before it has them; and when just enough tokens are left for those missing, nothing else may come.

    Args:
        phrases: token ids of the phrases of the caller's sentences, [B][...].
        limits: most tokens of each translation, with EOS: more than its phrases have together, [B].
        spelling: of the target vocabulary.
    """

    def __init__(self, phrases: Sequence[Sequence[tuple[int, ...]]], limits: Ids, spelling: Spelling) -> None:
        self.phrases = phrases
        self.limits = limits
        self.spelling = spelling
        self._known: dict[tuple[int, bytes], Progress] = {}

    def apply(self, live: Live, tokens: NextTokens) -> None:
        """See `mt.search.rules.Rule`."""
        for row, sentence in enumerate(rows_of(live).tolist()):
            if not self.phrases[sentence]:
                continue
            progress = self.progress(sentence, live.tokens[row])
            left = self.limits[sentence] - 1 - live.tokens.shape[1]  # tokens before EOS
            missing = self._length(sentence, self._all(sentence) - progress.met)
            if missing:
                tokens.forbid(np.array([EOS]), np.array([row]))
                if missing >= left:
                    tokens.allow_only(self.advancing(sentence, progress), row)
            if progress.just_met is not None and missing + len(self.phrases[sentence][progress.just_met]) >= left:
                tokens.forbid_where(self.spelling.within_word, row)

    def progress(self, sentence: int, so_far: Ids) -> Progress:
        """Return how far a hypothesis, so_far: [t], has come."""
        key = sentence, so_far.tobytes()
        if key not in self._known:
            before = self.progress(sentence, so_far[:-1]) if len(so_far) else None
            self._known[key] = Progress() if before is None else self.after(sentence, before, int(so_far[-1]))
        return self._known[key]

    def after(self, sentence: int, before: Progress, token: int) -> Progress:
        """Return how far a hypothesis is after one more token."""
        phrases = self.phrases[sentence]
        met, current, begun, just_met = before
        if just_met is not None and self.spelling.within_word[token]:
            met -= {just_met}  # it was but the beginning of a longer word
        if current is None or phrases[current][begun] != token:
            begun = 0
            current = next((i for i, phrase in enumerate(phrases) if i not in met and phrase[0] == token), None)
            if current is None:
                return Progress(met)
        if begun + 1 < len(phrases[current]):
            return Progress(met, current, begun + 1)
        return Progress(met | {current}, just_met=current)

    def advancing(self, sentence: int, progress: Progress) -> Ids:
        """Return the tokens that bring a hypothesis closer to having all phrases."""
        phrases = self.phrases[sentence]
        if progress.current is not None:
            return np.array([phrases[progress.current][progress.begun]])
        first = {phrase[0] for i, phrase in enumerate(phrases) if i not in progress.met}
        return np.array(sorted(first), dtype=np.int64)

    def count(self, sentence: int, progress: Progress) -> int:
        """Return how many tokens of the phrases a hypothesis has."""
        return self._length(sentence, progress.met) + progress.begun

    def _all(self, sentence: int) -> frozenset[int]:
        return frozenset(range(len(self.phrases[sentence])))

    def _length(self, sentence: int, met: frozenset[int]) -> int:
        return sum(len(self.phrases[sentence][phrase]) for phrase in met)
