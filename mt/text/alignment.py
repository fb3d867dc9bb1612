"""Alignments: which source words, or pieces, a translation's words, or pieces, come from, as pairs of numbers."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mt.errors import DataError
from mt.text.words import word_of_piece

__all__ = ["Link", "format_pharaoh", "parse_pharaoh", "piece_alignment", "read_pharaoh", "word_alignment"]

Link = tuple[int, int]
"""Source word and target word, or piece and piece, counted from 0."""

PAIR = re.compile(r"([0-9]+)-([0-9]+)")


def word_alignment(
    attention: NDArray[np.floating[Any]], source_pieces: Sequence[str], target_pieces: Sequence[str]
) -> list[Link]:
    """Link each target word to the source word that the model looked at most when it began to write the target word.

    1. A target word is decided with its first piece, so that piece's attention is taken. Later pieces finish what was
       begun and look at what comes next; a full stop, which is part of a word here, looks at the other full stop.
    2. A source word gets the sum over its pieces: the weights are a distribution over pieces, and the sum makes it one
       over words, where a mean would put words of many pieces at a disadvantage.
    3. EOS is linked to nothing.

    No decoder needs a shift: row t is where the model looked while it predicted piece t.

    Args:
        attention: [T, S], or [T + 1, S + 1] with EOS last, as in `Hypothesis.attention`.
        source_pieces: S pieces, without EOS.
        target_pieces: T pieces, without EOS.

    Returns:
        links between words as numbered by `word_of_piece`, in the order of the target words; at most one for each.
    """
    weights = _without_end(attention, source_pieces, target_pieces)
    if not weights.size:
        return []
    source, source_starts = np.unique(word_of_piece(source_pieces), return_index=True)
    target, target_starts = np.unique(word_of_piece(target_pieces), return_index=True)
    between_words = np.add.reduceat(weights[target_starts], source_starts, axis=1)
    looked_at = source[between_words.argmax(axis=1)]
    return [*zip(looked_at.tolist(), target.tolist(), strict=True)]


def piece_alignment(
    attention: NDArray[np.floating[Any]], source_pieces: Sequence[str], target_pieces: Sequence[str]
) -> list[Link]:
    """Link each target piece to the source piece that the model looked at most; arguments as in `word_alignment`."""
    weights = _without_end(attention, source_pieces, target_pieces)
    return [(int(i), j) for j, i in enumerate(weights.argmax(axis=1))] if weights.size else []


def format_pharaoh(links: Iterable[Link]) -> str:
    """Write links in Pharaoh format, sorted: `0-0 1-2`."""
    return " ".join(f"{i}-{j}" for i, j in sorted(links))


def parse_pharaoh(line: str, *, where: str = "alignment") -> list[Link]:
    """Read links in Pharaoh format; an empty line has none.

    Args:
        line: such as `0-0 1-2`.
        where: what to call the line in the error.

    Raises:
        DataError: something else is in the line.
    """
    links = []
    for text in line.split():
        pair = PAIR.fullmatch(text)
        if not pair:
            raise DataError(
                f"{where}: {text!r} is no link. Expected pairs of word numbers from 0, source-target, as in '0-0 1-2'"
            )
        links.append((int(pair[1]), int(pair[2])))
    return links


def read_pharaoh(lines: Iterable[str], *, name: str) -> Iterator[list[Link]]:
    """Yield the links of each line of a file called name; a `DataError` says which line is wrong."""
    for number, line in enumerate(lines, start=1):
        yield parse_pharaoh(line, where=f"{name}, line {number}")


def _without_end(
    attention: NDArray[np.floating[Any]], source_pieces: Sequence[str], target_pieces: Sequence[str]
) -> NDArray[np.floating[Any]]:
    T, S = len(target_pieces), len(source_pieces)
    if attention.shape not in {(T, S), (T + 1, S + 1)}:
        raise ValueError(f"attention is {attention.shape}, but there are {T} target and {S} source pieces")
    return attention[:T, :S]
