"""Sentences of unequal length as one array."""

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mt.text.symbols import PAD

__all__ = ["padded"]


def padded(rows: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Stack rows of token ids into [B, longest], filled up with PAD; return their lengths, [B], too."""
    lengths = np.array([len(row) for row in rows])
    stacked = np.full((len(rows), lengths.max()), PAD)
    stacked[np.arange(lengths.max()) < lengths[:, None]] = np.fromiter(chain.from_iterable(rows), np.int64)
    return stacked, lengths
