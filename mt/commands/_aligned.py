"""Two inputs of which line n of one belongs to line n of the other, read in step."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar, cast

from mt.commands._cli import STDIN, read_lines
from mt.errors import ConfigError, DataError

__all__ = ["in_step", "name_of", "read_pairs"]

Left = TypeVar("Left")
Right = TypeVar("Right")


def name_of(path: str) -> str:
    """Return what messages call an input."""
    return "standard input" if path == STDIN else path


def read_pairs(left: str, right: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of two text files in step; see `read_lines`.

    Raises:
        ConfigError: at the call if both are the standard input.
        DataError: if they differ in length, which of files is noticed at the call; see `in_step`.
    """
    if left == right == STDIN:
        raise ConfigError("Only one of two inputs can be the standard input.")
    pairs = in_step(read_lines(left), read_lines(right), names=(left, right))
    if all(path != STDIN and Path(path).is_file() for path in (left, right)):  # a pipe can be read only once
        for _ in pairs:
            pass
        pairs = in_step(read_lines(left), read_lines(right), names=(left, right))
    return pairs


def in_step(left: Iterable[Left], right: Iterable[Right], *, names: tuple[str, str]) -> Iterator[tuple[Left, Right]]:
    """Yield what belongs together, and hold nothing else.

    Raises:
        DataError: where one ends before the other, with both counts.
    """
    missing = object()
    counts = [0, 0]
    for pair in zip_longest(left, right, fillvalue=missing):
        counts = [count + (item is not missing) for count, item in zip(counts, pair, strict=True)]
        if counts[0] == counts[1]:
            yield cast(tuple[Left, Right], pair)
    if counts[0] != counts[1]:
        (first, second), (m, n) = map(name_of, names), counts
        raise DataError(
            f"The numbers of lines differ: {m} in {first}, {n} in {second}. "
            "Line n of one must belong to line n of the other."
        )
