"""N-best lists in commands: read from a file or a pipe, and scored by a model without holding more than a window."""

from collections.abc import Callable, Iterator
from itertools import islice, tee
from typing import TYPE_CHECKING, TypeVar

from mt.commands._aligned import in_step, name_of
from mt.commands._cli import STDIN, read_lines
from mt.errors import ConfigError
from mt.evaluation.n_best import Candidate, NBest, read_n_best

if TYPE_CHECKING:
    from mt.scoring import Score

__all__ = ["open_n_best", "score_n_best", "with_sources"]

Pair = TypeVar("Pair")


def open_n_best(path: str) -> Iterator[NBest]:
    """Read an n-best list from a file, or the standard input for "-"; see `read_n_best` and `read_lines`."""
    return read_n_best(read_lines(path), origin=name_of(path))


def with_sources(lists: Iterator[NBest], path: str, source: str) -> Iterator[tuple[str, NBest]]:
    """Yield each line of the file called source with its hypotheses, which come from path.

    Raises:
        ConfigError: at the call if both are the standard input.
        DataError: if they are not about the same number of lines; see `in_step`.
    """
    if path == source == STDIN:
        raise ConfigError("Only one of two inputs can be the standard input: the n-best list, or its source.")
    return in_step(read_lines(source), lists, names=(name_of(source), f"the n-best list {name_of(path)}"))


def score_n_best(
    lists: Iterator[tuple[str, NBest]],
    pair: Callable[[str, NBest, Candidate], Pair],
    score: "Callable[[Iterator[Pair]], Iterator[Score]]",
) -> "Iterator[tuple[NBest, list[Score]]]":
    """Yield each list with a score for each of its hypotheses.

    Args:
        lists: with their lines of the source.
        pair: what is scored for a hypothesis.
        score: a stream of pairs to a stream of scores; it may read ahead.
    """
    lists, ahead = tee(lists)
    scores = score(pair(source, n_best, candidate) for source, n_best in ahead for candidate in n_best.candidates)
    for _, n_best in lists:
        yield n_best, list(islice(scores, len(n_best.candidates)))
