"""Lexical tables: how likely each word, or piece, of the target is the translation of one of the source."""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from mt.data.lines import existing_file, open_for_writing, read_lines
from mt.errors import DataError
from mt.text.alignment import Link, piece_alignment, word_alignment
from mt.text.words import bare_word

__all__ = ["AttendedPair", "Lexicon", "LinkCounts"]

UNKNOWN = "<unk>"  # the piece of the id UNK
EXPECTED = (
    "expected SOURCE, TARGET and a probability above 0 and at most 1, separated by tabs; no comments, no blank lines"
)


class AttendedPair(NamedTuple):
    """A sentence pair, and where a model looked in the source while it read the target (teacher forcing)."""

    source_words: Sequence[str]
    target_words: Sequence[str]
    source_pieces: Sequence[str]
    target_pieces: Sequence[str]
    attention: NDArray[np.floating[Any]]
    """[T, S], or [T + 1, S + 1] with EOS last."""

    def linked_words(self) -> tuple[list[str], list[str], list[Link]]:
        """Return the words of both sides, without the punctuation around them, and the links by `word_alignment`."""
        source, target = [*map(bare_word, self.source_words)], [*map(bare_word, self.target_words)]
        links = word_alignment(self.attention, self.source_pieces, self.target_pieces)
        return source, target, [(i, j) for i, j in links if i < len(source) and j < len(target)]

    def linked_pieces(self) -> tuple[Sequence[str], Sequence[str], list[Link]]:
        """Return the pieces of both sides, and the links between known ones by `piece_alignment`."""
        source, target = self.source_pieces, self.target_pieces
        links = piece_alignment(self.attention, source, target)
        return source, target, [(i, j) for i, j in links if UNKNOWN not in (source[i], target[j])]


class Lexicon:
    """p(target | source) of words or pieces.

    Args:
        entries: source, target, probability; each pair once.
    """

    def __init__(self, entries: Iterable[tuple[str, str, float]]) -> None:
        table: dict[str, list[tuple[str, float]]] = {}
        for source, target, probability in entries:
            table.setdefault(source, []).append((target, probability))
        self._table = {
            source: sorted(found, key=lambda one: (-one[1], one[0])) for source, found in sorted(table.items())
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Lexicon":
        """Read lines of source, target and probability, separated by tabs; .gz, .xz and .zst are unpacked.

        Raises:
            DataError: there is no such file, or a line, which is named, is something else or gives a pair again.
        """
        return cls(_entries(existing_file(str(path), "lexicon")))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what `load` reads, wholly or not at all; .gz, .xz and .zst are packed."""
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open_for_writing(partial, path.suffix) as stream:
                self.write(stream)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def write(self, stream: TextIO) -> None:
        """Write what `load` reads: sorted by source, the likeliest target first."""
        for source, found in self._table.items():
            stream.writelines(f"{source}\t{target}\t{probability:.6g}\n" for target, probability in found)

    def best(self, source: str) -> str | None:
        """Return the likeliest target, or None where nothing is known of the source."""
        found = self._table.get(source)
        return found[0][0] if found else None

    def candidates(self, source: str, n: int) -> list[tuple[str, float]]:
        """Return the n likeliest targets with their probabilities, the likeliest first, or as many as there are."""
        return self._table.get(source, [])[:n]

    def __iter__(self) -> Iterator[str]:
        """Yield the sources, sorted."""
        return iter(self._table)

    def __len__(self) -> int:
        """Return the number of sources."""
        return len(self._table)


class LinkCounts:
    """Counts links between units, for a lexicon by relative frequency.

    p(t | s) = count(s, t) / sum over t' of count(s, t'), where count(s, t) is how often s and t are linked: the maximum
    likelihood of the links (Koehn, Och and Marcu 2003, section 4, without their NULL word).
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, source: Sequence[str], target: Sequence[str], links: Iterable[Link]) -> None:
        """Count the links between the units of a source and those of its translation."""
        self._counts.update((source[i], target[j]) for i, j in links)

    def lexicon(self, *, min_count: int = 1, top: int | None = None) -> Lexicon:
        """Estimate a lexicon.

        Args:
            min_count: pairs that are linked less often are left out; the others keep their probabilities.
            top: how many targets to keep of each source, the likeliest; None keeps all.
        """
        totals: Counter[str] = Counter()
        for (source, _), count in self._counts.items():
            totals[source] += count
        kept = {pair: count for pair, count in self._counts.items() if count >= min_count}
        lexicon = Lexicon((source, target, count / totals[source]) for (source, target), count in kept.items())
        if top is None:
            return lexicon
        return Lexicon((source, target, p) for source in lexicon for target, p in lexicon.candidates(source, top))


def _entries(file: Path) -> Iterator[tuple[str, str, float]]:
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(read_lines(file), start=1):
        cells = line.split("\t")
        if len(cells) != 3 or not cells[0].strip() or not cells[1].strip():
            raise DataError(f"{file}, line {number}: {line!r} is no entry of a lexicon: {EXPECTED}")
        source, target, share = cells
        try:
            probability = float(share)
        except ValueError:
            probability = math.nan
        if not 0 < probability <= 1:
            raise DataError(f"{file}, line {number}: {share!r} is no probability: {EXPECTED}")
        if (source, target) in seen:
            raise DataError(f"{file}, line {number}: {source!r} and {target!r} are there already: give each pair once")
        seen.add((source, target))
        yield source, target, probability
