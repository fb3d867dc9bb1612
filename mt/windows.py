"""Lines read some at a time, and sorted into batches of like length."""

from collections.abc import Iterable, Iterator
from itertools import count, islice

import numpy as np

from mt.request import Request
from mt.search.step import Ids
from mt.text.symbols import PAD

__all__ = ["WINDOW", "padded", "token_batches", "windows"]

WINDOW = 1000  # lines that are read ahead to find others of similar length


def windows(lines: Iterable[str | Request], window: int, first: int) -> Iterator[tuple[int, list[Request]]]:
    """Yield so many lines at a time as requests, with the number of the first of them."""
    lines = iter(lines)
    for number in count(first, window):
        read = [line if isinstance(line, Request) else Request(text=line) for line in islice(lines, window)]
        if not read:
            return
        yield number, read


def token_batches(lengths: list[int], batch_tokens: int) -> Iterator[list[int]]:
    """Group the places of non-empty sentences, longest first, so that each group padded fits into batch_tokens."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if not lengths[place]:
            continue
        if batch and (len(batch) + 1) * (lengths[batch[0]] + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def padded(rows: list[list[int]]) -> tuple[Ids, Ids]:
    """Stack rows of token ids into [B, longest], filled up with PAD; return their lengths too."""
    lengths = np.array([len(row) for row in rows])
    padded = np.full((len(rows), lengths.max()), PAD)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return padded, lengths
