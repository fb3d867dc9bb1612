"""Lines read some at a time, and sorted into batches of like length."""

from collections.abc import Iterable, Iterator
from itertools import count, islice

from mt.request import Request

__all__ = ["WINDOW", "token_batches", "windows"]

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
