"""Sentences of unequal length as the arrays that a model reads."""

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mt.text.symbols import BOS, EOS, PAD

__all__ = ["padded_sources", "padded_targets"]

Ids = NDArray[np.int64]


def padded_sources(rows: list[list[int]]) -> tuple[Ids, Ids]:
    """Return the rows with EOS, [B, S], and their lengths, EOS counted, [B]."""
    return _padded([[*ids, EOS] for ids in rows])


def padded_targets(rows: list[list[int]]) -> tuple[Ids, Ids]:
    """Return what a decoder reads, BOS and the rows, and what it should predict, the rows and EOS: each [B, T]."""
    return _padded([[BOS, *ids] for ids in rows])[0], _padded([[*ids, EOS] for ids in rows])[0]


def _padded(rows: list[list[int]]) -> tuple[Ids, Ids]:
    """Stack rows of token ids into [B, longest], filled up with PAD; return their lengths, [B], too."""
    lengths = np.array([len(row) for row in rows])
    stacked = np.full((len(rows), lengths.max()), PAD)
    stacked[np.arange(lengths.max()) < lengths[:, None]] = np.fromiter(chain.from_iterable(rows), np.int64)
    return stacked, lengths
