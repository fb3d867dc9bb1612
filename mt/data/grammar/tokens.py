"""A word with what it means: the common currency of both languages, from which the alignment follows.

Every word carries the set of meanings it expresses, as bits of an integer. A source and a target word are aligned when
they share a meaning. So one word can stand for several (`im` = in + the), several for one (`macht ... auf` = open), and
word order does not matter. Each constituent numbers its meanings from bit 0 and is shifted into a slot of its own when
it is built into something larger.
"""

from collections.abc import Iterable

__all__ = ["CLAUSE_BITS", "SLOT_BITS", "Token", "links", "shifted"]

Token = tuple[str, int]

SLOT_BITS = 8  # meanings of one constituent
CLAUSE_BITS = 9 * SLOT_BITS  # constituents of one clause


def shifted(tokens: Iterable[Token], bits: int) -> list[Token]:
    """Return `tokens` with their meanings moved up by `bits`."""
    return [(word, meanings << bits) for word, meanings in tokens]


def links(source: list[Token], target: list[Token]) -> tuple[tuple[int, int], ...]:
    """Return the index pairs of the words that share a meaning, in order."""
    return tuple((i, j) for i, (_, s) in enumerate(source) for j, (_, t) in enumerate(target) if s & t)
