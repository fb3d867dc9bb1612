"""Recurrent layers of one direction: a cell, run over a whole sequence or stepped by hand."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

__all__ = ["CELLS", "RecurrentLayer", "RecurrentOutput", "StandardGRU"]


class RecurrentOutput(NamedTuple):
    """What a recurrent layer emits and what it carries on (they differ for a cell with an output gate)."""

    outputs: Tensor  # [B, T, H], or [B, H] from `step`
    state: Tensor  # [B, H]


class RecurrentLayer(Protocol):
    """One recurrent layer, left to right.

    `forward` over a sequence equals `step` repeated, up to rounding.
    """

    hidden_size: int

    def __call__(self, x: Tensor, state: Tensor | None = None, lengths: Tensor | None = None) -> RecurrentOutput:
        """Run over x: [B, T, input] from state: [B, H] (zeros if None).

        Outputs after the end of a row (its entry of lengths: [B]) mean nothing and influence nothing; the
        returned state is the one after each row's last real position.
        """
        ...

    def step(self, x: Tensor, state: Tensor) -> RecurrentOutput:
        """Advance by one position: x: [B, input], state: [B, H]."""
        ...


class StandardGRU(nn.Module):
    """Gated recurrent unit with the reset gate applied after the matrix product, as in cuDNN and `torch.nn.GRU`.

    r = s(W_r x + U_r h + b_r),  z = s(W_z x + U_z h + b_z),  n = tanh(W_n x + b_n + r * (U_n h + c_n)),
    h' = (1 - z) * n + z * h   (Cho et al. 2014, equations 5 to 8, with z in the opposite sense).
    """

    def __init__(self, *, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)

    def forward(self, x: Tensor, state: Tensor | None = None, lengths: Tensor | None = None) -> RecurrentOutput:
        """See `RecurrentLayer`; runs the fused kernel of the device."""
        outputs, last = self.gru(x, None if state is None else state.unsqueeze(0))
        if lengths is None:
            return RecurrentOutput(outputs, last.squeeze(0))
        rows = torch.arange(len(lengths), device=lengths.device)
        return RecurrentOutput(outputs, outputs[rows, lengths - 1])

    def step(self, x: Tensor, state: Tensor) -> RecurrentOutput:
        """See `RecurrentLayer`."""
        state = torch.gru_cell(x, state, *self.gru.all_weights[0])
        return RecurrentOutput(state, state)


CELLS: dict[str, type[StandardGRU]] = {"standard": StandardGRU}
