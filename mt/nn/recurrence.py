"""What every recurrent layer is: its protocol, and a base class that runs a cell over a sequence or step by step."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

__all__ = ["Recurrence", "RecurrentLayer", "RecurrentOutput", "Step", "last_real"]


class RecurrentOutput(NamedTuple):
    """What a recurrent layer emits and what it carries on (they differ for a cell with an output gate)."""

    outputs: Tensor  # [B, T, H], or [B, H] of one position
    state: Tensor  # [B, H]


Step = Callable[[Tensor, Tensor], RecurrentOutput]
"""Advances by one position: from x: [B, input] and state: [B, H] to output and state, [B, H] each."""


class RecurrentLayer(Protocol):
    """One recurrent layer, left to right.

    `forward` over a sequence equals a step of `stepper` repeated, up to rounding; both draw the same numbers from
    torch's generator.
    """

    hidden_size: int
    emits_state: bool  # whether outputs and states are one and the same

    def __call__(self, x: Tensor, state: Tensor | None = None, lengths: Tensor | None = None) -> RecurrentOutput:
        """Run over x: [B, T, input] from state: [B, H] (zeros if None).

        Outputs after the end of a row (its entry of lengths: [B]) mean nothing and influence nothing; the
        returned state is the one after each row's last real position.
        """
        ...

    def stepper(self) -> Step:
        """Return the step for one sequence of a batch; in training, its dropped weights are drawn here, once."""
        ...

    def step(self, x: Tensor, state: Tensor) -> RecurrentOutput:
        """Advance by one position at inference (in training, take the `stepper`): x: [B, input], state: [B, H]."""
        ...


class Recurrence(nn.Module):
    """Base of the layers: what a cell computes in advance (`project`) and position by position (`recurrence`).

    Recurrent dropout drops hidden-to-hidden weights in training, the same ones at all positions of a sequence, and
    scales the others by 1 / (1 - p)   (DropConnect, Wan et al. 2013; for recurrent weights Merity et al. 2018,
    section 2). Those weights are called `weight_hh...` in every layer, gates below each other.
    """

    emits_state: bool = True

    def __init__(self, *, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size

    def project(self, x: Tensor) -> Tensor:
        """Compute what needs no state: x: [..., input] to [..., D]."""
        return x

    def recurrence(self) -> Step:
        """Return the step that reads projected inputs, its weights dropped once."""
        raise NotImplementedError

    def stepper(self) -> Step:
        """See `RecurrentLayer`."""
        advance = self.recurrence()
        return lambda x, state: advance(self.project(x), state)

    def step(self, x: Tensor, state: Tensor) -> RecurrentOutput:
        """See `RecurrentLayer`."""
        return self.stepper()(x, state)

    def forward(self, x: Tensor, state: Tensor | None = None, lengths: Tensor | None = None) -> RecurrentOutput:
        """See `RecurrentLayer`; projects all positions at once and loops over the rest."""
        advance = self.recurrence()
        state = self.first_state(x) if state is None else state
        outputs, states = [], []
        for x_t in self.project(x).unbind(1):
            output, state = advance(x_t, state)
            outputs.append(output)
            states.append(state)
        emitted = torch.stack(outputs, 1)
        return RecurrentOutput(emitted, last_real(emitted if self.emits_state else torch.stack(states, 1), lengths))

    def first_state(self, x: Tensor) -> Tensor:
        """Return zeros, [B, H], for x: [B, T, input]."""
        return x.new_zeros(len(x), self.hidden_size)


def last_real(states: Tensor, lengths: Tensor | None) -> Tensor:
    """Pick the state after the last real position of each row: states: [B, T, H], lengths: [B], to [B, H]."""
    if lengths is None:
        return states[:, -1]
    return states[torch.arange(len(lengths), device=lengths.device), lengths - 1]
