"""The one thing that search knows about models: given the previous tokens, how likely is each next one?

Search keeps its books in NumPy, whatever computes the model; only the log-probabilities stay where they were computed.
"""

from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Floats", "Ids", "SearchState", "StepResult", "Stepper", "as_numpy"]

Array = Any
"""A NumPy array, or a PyTorch tensor on any device."""
Ids = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


class SearchState(Protocol):
    """B sentences in the middle of being translated, with K hypotheses each: N = B * K rows."""

    def reorder(self, rows: Ids) -> Self:
        """Let hypotheses continue others of the same sentence, rows: [N']; K may change."""
        ...

    def keep(self, sentences: Ids) -> Self:
        """Keep only the sentences at index sentences: [B'], each with all of its hypotheses."""
        ...


StateT = TypeVar("StateT", bound=SearchState)
StateT_co = TypeVar("StateT_co", bound=SearchState, covariant=True)


class StepResult(Protocol[StateT_co]):
    """What a model says about the next target token of N rows."""

    @property
    def log_probs(self) -> Array:
        """[N, V], nats; whoever asked may overwrite them."""
        ...

    @property
    def state(self) -> StateT_co:
        """The state after the previous tokens were read."""
        ...

    @property
    def attention(self) -> Array:
        """[N, S']: S' may shrink when long sentences have left the batch."""
        ...


class Stepper(Protocol[StateT]):
    """A model, an ensemble of models, or anything that restricts one."""

    def start(self, src: Ids, src_lengths: Ids, vocabulary: Ids | None = None) -> StateT:
        """Read the source and get ready to predict its first target token; K = 1.

        Args:
            src: token ids, [B, S].
            src_lengths: [B].
            vocabulary: the only target ids that may be predicted, ascending, [V']: then log_probs are [N, V'].
        """
        ...

    def step(self, prev: Ids, state: StateT) -> StepResult[StateT]:
        """Predict the token after prev: [N]."""
        ...


def as_numpy(array: Array) -> NDArray[Any]:
    """Return an array as NumPy's, without copying what is in the main memory already."""
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()
