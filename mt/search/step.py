"""The one thing that search knows about models: given the previous tokens, how likely is each next one?"""

from typing import Protocol, Self, TypeVar

from torch import Tensor

__all__ = ["SearchState", "StepResult", "Stepper"]


class SearchState(Protocol):
    """B sentences in the middle of being translated, with K hypotheses each: N = B * K rows."""

    def reorder(self, rows: Tensor) -> Self:
        """Let hypotheses continue others of the same sentence, rows: [N']; K may change."""
        ...

    def keep(self, sentences: Tensor) -> Self:
        """Keep only the sentences at index sentences: [B'], each with all of its hypotheses."""
        ...


StateT = TypeVar("StateT", bound=SearchState)
StateT_co = TypeVar("StateT_co", bound=SearchState, covariant=True)


class StepResult(Protocol[StateT_co]):
    """What a model says about the next target token of N rows."""

    @property
    def log_probs(self) -> Tensor:
        """[N, V], nats."""
        ...

    @property
    def state(self) -> StateT_co:
        """The state after the previous tokens were read."""
        ...

    @property
    def attention(self) -> Tensor:
        """[N, S']: S' may shrink when long sentences have left the batch."""
        ...


class Stepper(Protocol[StateT]):
    """A model, an ensemble of models, or anything that restricts one."""

    def start(self, src: Tensor, src_lengths: Tensor) -> StateT:
        """Read the source, src: token ids [B, S], src_lengths: [B]; K = 1."""
        ...

    def step(self, prev: Tensor, state: StateT) -> StepResult[StateT]:
        """Predict the token after prev: [N]."""
        ...
