"""The log-probabilities of the next tokens: rules lower them, strategies choose among them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mt.search.step import Array, Floats, Ids, as_numpy

__all__ = ["NextTokens"]


class NextTokens:
    """Log-probabilities of the next token of N hypotheses, held where the model computed them.

    Rules overwrite them in place: what is forbidden gets -inf. Log-probabilities as the model gave them can be asked
    for all along: those of forbidden tokens are of no use to anybody, and before others are changed a copy is made.

    Args:
        log_probs: [N, V], or [N, V'] with a vocabulary; is overwritten.
        vocabulary: the ids that the columns stand for, ascending, [V']; None where they are all ids.
    """

    def __init__(self, log_probs: Array, vocabulary: Ids | None = None) -> None:
        on_cpu = getattr(log_probs, "is_cpu", True)
        self._changed = as_numpy(log_probs) if on_cpu else log_probs
        self._given = self._changed
        self._vocabulary = vocabulary

    @property
    def vocabulary_size(self) -> int:
        """The number of ids to choose from."""
        return int(self._changed.shape[1])

    def forbid(self, ids: Ids, rows: Ids | None = None) -> None:
        """Rule out ids: [M], of all rows, or each of one row, rows: [M]."""
        columns, known = self._columns(ids)
        if rows is None:
            self._changed[:, columns[known]] = -np.inf
        else:
            self._changed[rows[known], columns[known]] = -np.inf

    def allow_only(self, ids: Ids, row: int) -> None:
        """Rule out all but ids: [M] of one row."""
        columns, known = self._columns(ids)
        columns = columns[known]
        kept = self._changed[row, columns]
        self._changed[row] = -np.inf
        self._changed[row, columns] = kept

    def forbid_where(self, mask: NDArray[np.bool_], row: int) -> None:
        """Rule out the ids where mask: [V] of all ids is True, of one row."""
        forbidden = mask if self._vocabulary is None else mask[self._vocabulary]
        self._changed[row, np.flatnonzero(forbidden)] = -np.inf

    def penalise(self, rows: Ids, ids: Ids, *, factor: float = 1.0, amount: float = 0.0) -> None:
        """Make tokens less attractive, each pair of rows: [M] and ids: [M] once: log_prob * factor - amount."""
        if self._changed is self._given:
            self._changed = self._given.clone() if hasattr(self._given, "clone") else self._given.copy()
        columns, known = self._columns(ids)
        place = rows[known], columns[known]
        self._changed[place] = self._changed[place] * factor - amount

    def best(self, count: int) -> tuple[Floats, Ids]:
        """Return the highest log-probabilities, as rules have left them, of each row, and their ids.

        [N, M] each, highest first; M is count, or less where there are not so many ids. Equals are in the order of their ids.
        """
        count = min(count, self.vocabulary_size)
        if isinstance(self._changed, np.ndarray):
            values, columns = _best_columns(self._changed, count)
        else:
            values, columns = map(as_numpy, self._changed.topk(count, dim=1))
        return values, columns if self._vocabulary is None else self._vocabulary[columns]

    def everything(self) -> tuple[Floats, Ids]:
        """Return all log-probabilities as rules have left them, [N, V], and the ids of the columns, [V]."""
        ids = np.arange(self.vocabulary_size) if self._vocabulary is None else self._vocabulary
        return as_numpy(self._changed), ids

    def now(self, rows: Ids, ids: Ids) -> Floats:
        """Return log-probabilities as rules have left them, for rows and ids of one shape; -inf for others' ids."""
        return self._look_up(self._changed, rows, ids)

    def given(self, rows: Ids, ids: Ids) -> Floats:
        """Return the model's log-probabilities of tokens that are not forbidden, for rows and ids of one shape."""
        return self._look_up(self._given, rows, ids)

    def _look_up(self, source: Array, rows: Ids, ids: Ids) -> Floats:
        columns, known = self._columns(ids)
        found = as_numpy(source[rows, np.where(known, columns, 0)])
        return np.where(known, found, -np.inf)

    def _columns(self, ids: Ids) -> tuple[Ids, NDArray[np.bool_]]:
        """Return the columns of ids and whether there are any."""
        if self._vocabulary is None:
            return ids, np.ones(ids.shape, dtype=bool)
        columns = np.searchsorted(self._vocabulary, ids).clip(max=len(self._vocabulary) - 1)
        return columns, self._vocabulary[columns] == ids


def _best_columns(values: NDArray[Any], count: int) -> tuple[Floats, Ids]:
    """Find the highest entries of each row, [N, count], without sorting the rest.

    The count highest lie in the count blocks whose own highest are highest; finding these takes one fast pass. What is
    left to be searched is least where there are about as many blocks as candidates in the chosen ones. A block has
    every so many-th column, so that the pass compares whole stretches of memory with each other.
    """
    N, V = values.shape
    rows = np.arange(N)[:, None]
    if count == 1:
        columns = values.argmax(axis=1)[:, None]
        return values[rows, columns], columns
    width = max(2, int((V / count) ** 0.5))
    blocks = V // width
    if count >= blocks:
        return _sorted_best(values, np.broadcast_to(np.arange(V), (N, V)), count)
    whole = values[:, : blocks * width].reshape(N, width, blocks)
    chosen = np.argpartition(whole.max(axis=1), blocks - count, axis=1)[:, blocks - count :]
    columns = (chosen[:, :, None] + blocks * np.arange(width)).reshape(N, -1)
    rest = np.broadcast_to(np.arange(blocks * width, V), (N, V - blocks * width))
    columns = np.concatenate([columns, rest], axis=1)
    return _sorted_best(values[rows, columns], columns, count)


def _sorted_best(values: Floats, columns: Ids, count: int) -> tuple[Floats, Ids]:
    """Sort the count highest of each row of values: [N, M], which are those of columns: [N, M]."""
    rows, M = np.arange(len(values))[:, None], values.shape[1]
    if count < M:
        highest = np.argpartition(values, M - count, axis=1)[:, M - count :]
        values, columns = values[rows, highest], columns[rows, highest]
    order = np.lexsort((columns, -values), axis=1)
    return values[rows, order], columns[rows, order]
