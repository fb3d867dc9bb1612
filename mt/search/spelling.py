"""How tokens spell text: which of them continue a given string, and which complete it."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mt.search.step import Ids
from mt.text.symbols import EOS, RESERVED
from mt.text.words import BYTE

__all__ = ["Spelling"]


class Spelling:
    """The pieces of a target vocabulary as strings, in which "▁" stands for the space before a word.

    Args:
        pieces: of every id, [V].
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = tuple(pieces)
        spelled = [(piece, i) for i, piece in enumerate(pieces) if i >= RESERVED and not BYTE.fullmatch(piece)]
        self.ids = dict(spelled)
        self._sorted = sorted(spelled)
        self._longest = max((len(piece) for piece, _ in spelled), default=0)
        self._completing: dict[str, Ids] = {}

    def text(self, tokens: Ids) -> str:
        """Return what token ids: [t] spell."""
        return "".join(self.pieces[token] for token in tokens.tolist())

    def continuing(self, text: str) -> Ids:
        """Return the ids of pieces that are the beginning of a text, or that begin with all of it."""
        within = [self.ids[text[:end]] for end in range(1, min(len(text), self._longest) + 1) if text[:end] in self.ids]
        return np.array([*within, *(i for piece, i in self._beginning(text) if piece != text)], dtype=np.int64)

    def completing(self, text: str) -> Ids:
        """Return the ids of pieces that begin with a text whose last word may end there."""
        if text not in self._completing:
            found = [i for piece, i in self._beginning(text) if not _is_word(piece[len(text) : len(text) + 1])]
            self._completing[text] = np.array(found, dtype=np.int64)
        return self._completing[text]

    def containing(self, phrase: str) -> Ids:
        """Return the ids of pieces in which a phrase stands as words of its own, but not at their beginning."""
        pattern = re.compile(rf"(?<=\W){re.escape(phrase)}(?!\w)")
        return np.array([i for piece, i in self._sorted if phrase in piece and pattern.search(piece)], dtype=np.int64)

    @cached_property
    def bytes(self) -> Ids:
        """The ids of pieces that stand for a byte."""
        return np.array([i for i, piece in enumerate(self.pieces) if BYTE.fullmatch(piece)], dtype=np.int64)

    @cached_property
    def within_word(self) -> NDArray[np.bool_]:
        """Whether a piece goes on with the word before it, [V]."""
        inside = np.array([_is_word(piece[:1]) for piece in self.pieces])
        inside[:RESERVED] = True
        inside[EOS] = False
        inside[self.bytes] = True
        return inside

    def _beginning(self, text: str) -> list[tuple[str, int]]:
        """Return the pieces that begin with a text."""
        end = bisect_left(self._sorted, (text + chr(0x10FFFF),))
        return self._sorted[bisect_left(self._sorted, (text,)) : end]


def _is_word(character: str) -> bool:
    """Tell whether a character, or none, is part of a word."""
    return bool(re.match(r"\w", character))
