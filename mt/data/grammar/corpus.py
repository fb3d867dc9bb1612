"""Draws the corpus: distinct sentence pairs in a fixed order, split into train, validation and test by their text.

A sentence belongs to the split that the hash of its English text says, whatever the seed, so no sentence of one split
occurs in another. Sentences already drawn are known by 8 bytes each: 10 million pairs take about 130 MB.
"""

from array import array
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from random import Random

from mt.data.grammar.grammar import Grammar
from mt.data.grammar.sentence import AlignedPair, text
from mt.data.grammar.tokens import links
from mt.errors import DataError, did_you_mean

__all__ = ["SPLITS", "Fingerprints", "count_derivations", "count_lemmas", "default_grammar", "draw_pairs", "generate"]

SPLITS = {"validation": range(0, 5), "test": range(5, 10), "train": range(10, 100)}
"""Split -> the remainders, modulo 100, of the hashes of its sentences."""

MOST_PATIENCE = 1_000_000
"""Draws without a new sentence after which a split counts as exhausted, at most."""


@cache
def default_grammar() -> Grammar:
    """Return the grammar that comes with the package, compiled once."""
    return Grammar.load()


def count_derivations() -> int:
    """Return the number of derivations of the grammar, an upper bound of its distinct sentences."""
    return default_grammar().sentences.count


def count_lemmas() -> int:
    """Return the number of distinct lemmas, English and German together."""
    return sum(len(lemmas) for lemmas in default_grammar().lexicon.lemmas)


def generate(pairs: int, *, seed: int, split: str = "train") -> Iterator[AlignedPair]:
    """Return an iterator over `pairs` sentence pairs with distinct sources, the same ones for the same seed.

    The first n pairs do not depend on how many more are asked for.

    Raises:
        DataError: the split does not exist, `pairs` is negative, or the split has no more distinct sentences (when
            that only shows while drawing, it is raised there).
    """
    return draw_pairs(default_grammar(), pairs, seed=seed, split=split)


def draw_pairs(grammar: Grammar, pairs: int, *, seed: int, split: str) -> Iterator[AlignedPair]:
    """Return the pairs of any grammar, as `generate` does for that of the package."""
    if split not in SPLITS:
        raise DataError(f"Unknown split {split!r} of the grammar corpus. {did_you_mean(split, SPLITS)}")
    if pairs < 0:
        raise DataError(f"The number of pairs must not be negative, found {pairs}.")
    if pairs > grammar.sentences.count:
        raise DataError(
            f"{pairs} pairs asked for, but the grammar has only {grammar.sentences.count} derivations. Ask for fewer."
        )
    return _draw(grammar, pairs, seed, split)


def _draw(grammar: Grammar, pairs: int, seed: int, split: str) -> Iterator[AlignedPair]:
    uniform = Random(seed).random
    remainders = SPLITS[split]
    patience = min(MOST_PATIENCE, 100 * grammar.sentences.count)
    drawn = Fingerprints()
    idle = 0
    while len(drawn) < pairs:
        sentence = grammar.draw(uniform)
        source = sentence.source()
        source_text = text(source)
        fingerprint = int.from_bytes(blake2b(source_text.encode(), digest_size=8).digest(), "little")
        if fingerprint % 100 in remainders and drawn.add(fingerprint):
            idle = 0
            target = sentence.target()
            yield AlignedPair(source_text, text(target), links(source, target))
        elif (idle := idle + 1) > patience:
            raise DataError(
                f"{pairs} pairs of split {split!r} asked for, but no more than {len(drawn)} distinct sentences were "
                "found. Ask for fewer."
            )


class Fingerprints:
    """A set of 64-bit numbers in an open-addressed table: 8 to 16 bytes for each, a tenth of a Python set."""

    def __init__(self) -> None:
        self._size = 0
        self._slots = array("Q", bytes(8 * 1024))  # 0 marks a free slot

    def __len__(self) -> int:
        return self._size

    def add(self, number: int) -> bool:
        """Put in a number from 0 to 2^64 - 1 and return whether it was not there (0 counts as 1)."""
        number = number or 1
        slot = self._slot(number)
        if self._slots[slot]:
            return False
        self._slots[slot] = number
        self._size += 1
        if 4 * self._size > 3 * len(self._slots):
            self._grow()
        return True

    def _slot(self, number: int) -> int:
        """Return the slot that holds the number, or the free one where it belongs."""
        slots = self._slots
        mask = len(slots) - 1
        slot = (number >> 7) & mask
        while slots[slot] and slots[slot] != number:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        numbers = self._slots
        self._slots = array("Q", bytes(16 * len(numbers)))
        for number in numbers:
            if number:
                self._slots[self._slot(number)] = number
