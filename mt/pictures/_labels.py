"""What is drawn of one sentence, and how its pieces are labelled."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["AttentionItem", "label", "starts_word"]

WORD_START = "▁"  # SentencePiece's mark


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionItem:
    """Where the model looked while it wrote one translation.

    Args:
        weights: attention, [T, S], each row sums to 1
        source_pieces: S labels, EOS included if it has a column
        target_pieces: T labels, EOS included if it has a row
    """

    weights: "np.ndarray[tuple[int, int], np.dtype[np.floating]]"
    source_pieces: Sequence[str]
    target_pieces: Sequence[str]

    def __post_init__(self) -> None:
        labels = len(self.target_pieces), len(self.source_pieces)
        if self.weights.shape != labels:
            raise ValueError(f"weights are {self.weights.shape}, but the labels [target, source] {labels}")


def label(piece: str) -> str:
    """Show a piece without its mark of a word's start; a lone mark as an open box."""
    text = piece.removeprefix(WORD_START) or "␣"
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in {"Cc", "Cs"} else c for c in text)


def starts_word(pieces: Sequence[str]) -> list[bool]:
    """Tell for each piece whether it begins a word; plain words, which carry no mark, all do."""
    marked = any(piece.startswith(WORD_START) for piece in pieces)
    return [not marked or piece.startswith(WORD_START) or piece == "</s>" for piece in pieces]
