"""Spaces of derivations: what can be derived, how many there are, and how one is drawn.

A grammar compiles to one tree of these. Counting, enumerating and drawing are three readings of the same tree, so the
number of derivations is computed from what is drawn, not estimated.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, product
from math import prod
from typing import Any, Protocol

__all__ = ["Choice", "Leaf", "Product", "Space"]


class Space(Protocol):
    """A set of values, too large to be held."""

    @property
    def count(self) -> int:
        """Return the number of derivations."""

    def draw(self, uniform: Callable[[], float]) -> Any:
        """Return one value; `uniform` yields independent numbers in [0, 1)."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the value of every derivation once."""


class Leaf:
    """Values that are equally likely."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = tuple(values)
        self.count = len(self._values)

    def draw(self, uniform: Callable[[], float]) -> Any:
        """Return one of the values."""
        return self._values[int(uniform() * self.count)]

    def __iter__(self) -> Iterator[Any]:
        """Yield the values."""
        return iter(self._values)


class Choice:
    """One of several spaces, each with its weight; empty ones are left out."""

    def __init__(self, branches: Iterable[tuple[float, Space]]) -> None:
        kept = [(weight, space) for weight, space in branches if space.count]
        self._spaces = [space for _, space in kept]
        self._cumulative = list(accumulate(weight for weight, _ in kept))
        self.count = sum(space.count for space in self._spaces)

    def draw(self, uniform: Callable[[], float]) -> Any:
        """Return a value of one space, drawn by weight."""
        if len(self._spaces) == 1:
            return self._spaces[0].draw(uniform)
        cumulative = self._cumulative
        # The last bound is left out: rounding may bring the product up to it.
        return self._spaces[bisect_right(cumulative, uniform() * cumulative[-1], 0, len(cumulative) - 1)].draw(uniform)

    def __iter__(self) -> Iterator[Any]:
        """Yield the values of all spaces."""
        for space in self._spaces:
            yield from space


class Product:
    """One value of each part, put together by `build`."""

    def __init__(self, build: Callable[..., Any], parts: Sequence[Space]) -> None:
        self._build = build
        self._parts = tuple(parts)
        self.count = prod(part.count for part in self._parts)

    def draw(self, uniform: Callable[[], float]) -> Any:
        """Return what `build` makes of one drawn value of each part."""
        return self._build(*[part.draw(uniform) for part in self._parts])

    def __iter__(self) -> Iterator[Any]:
        """Yield what `build` makes of every combination."""
        for values in product(*self._parts):
            yield self._build(*values)
