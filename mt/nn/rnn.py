"""What is made of recurrent layers: both directions over padded sequences, deep transitions; their orthogonal start."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from mt.nn.cells import side_by_side
from mt.nn.dropout import Dropout
from mt.nn.recurrence import Recurrence, RecurrentLayer, RecurrentOutput, Step

__all__ = ["Bidirectional", "DeepTransition", "TransitionGRU", "orthogonal_", "reverse_by_length"]


def reverse_by_length(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the real part of every row and leave its padding at the end.

    Args:
        x: [B, T, D].
        lengths: [B].

    Returns:
        [B, T, D]; applied twice it gives `x` back.
    """
    positions = torch.arange(x.shape[1], device=x.device)
    last = lengths.unsqueeze(1) - 1
    index = torch.where(positions <= last, last - positions, positions)  # [B, T]
    return x.gather(1, index.unsqueeze(2).expand_as(x))


class Bidirectional(nn.Module):
    """Two recurrent layers over the same input, one of them from right to left; works for every cell.

    The backward layer reads each row reversed within its own length, so that it starts at the row's last real
    token and never sees padding.
    """

    def __init__(self, *, left_to_right: RecurrentLayer, right_to_left: RecurrentLayer) -> None:
        super().__init__()
        self.left_to_right = left_to_right
        self.right_to_left = right_to_left

    def forward(self, x: Tensor, lengths: Tensor) -> RecurrentOutput:
        """Return both directions side by side: outputs [B, T, 2H] and the two final states [B, 2H].

        Args:
            x: [B, T, D].
            lengths: real positions of each row, [B].
        """
        ahead, back = side_by_side(
            [self.left_to_right, self.right_to_left], [x, reverse_by_length(x, lengths)], lengths
        )
        outputs = torch.cat([ahead.outputs, reverse_by_length(back.outputs, lengths)], dim=2)
        return RecurrentOutput(outputs, torch.cat([ahead.state, back.state], dim=1))


class TransitionGRU(nn.Module):
    """A standard GRU that reads no input and turns a state into a deeper one.

    r = s(U_r h + b_r),  z = s(U_z h + b_z),  n = tanh(b_n + r * (U_n h + c_n)),  h' = (1 - z) * n + z * h
    """

    def __init__(self, *, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden_size))  # b_r, b_z, c_n
        self.bias_n = nn.Parameter(torch.empty(hidden_size))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden_size**-0.5), hidden_size**-0.5)  # as in torch.nn.GRU
        self.drop = Dropout(recurrent_dropout)

    def stepper(self) -> Callable[[Tensor], Tensor]:
        """Return the function from h: [B, H] to h': [B, H] for one sequence of a batch, its weights dropped once."""
        U = self.drop(self.weight_hh)

        def deepen(h: Tensor) -> Tensor:
            h_r, h_z, h_n = functional.linear(h, U, self.bias_hh).chunk(3, dim=1)
            z = torch.sigmoid(h_z)
            n = torch.tanh(self.bias_n + torch.sigmoid(h_r) * h_n)
            return (1 - z) * n + z * h

        return deepen


class DeepTransition(Recurrence):
    """Several transitions per position, of which only the first reads an input (Miceli Barone et al. 2017).

    h_{t,1} = first(x_t, h_{t-1,L}),  h_{t,l} = GRU_l(h_{t,l-1}) for l = 2 ... L;  the layer emits and carries h_{t,L}.

    Args:
        first: the layer that reads the input; it must emit its state.
        depth: L, the first transition included.
        recurrent_dropout: for the further transitions; the first one has its own.

    Raises:
        ValueError: if `first` emits something other than its state, or if depth is below 1.
    """

    def __init__(self, *, first: RecurrentLayer, depth: int, recurrent_dropout: float = 0.0) -> None:
        if not first.emits_state:
            raise ValueError(
                f"a deep transition needs a cell that emits its state, which {type(first).__name__} does not: "
                "choose another cell, or transition_depth=1"
            )
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        super().__init__(hidden_size=first.hidden_size)
        self.first = first
        self.further = nn.ModuleList(
            TransitionGRU(hidden_size=first.hidden_size, recurrent_dropout=recurrent_dropout) for _ in range(depth - 1)
        )

    def recurrence(self) -> Step:
        """See `Recurrence`."""
        read = self.first.stepper()
        deepen = [transition.stepper() for transition in self.further]  # type: ignore[operator]

        def advance(x: Tensor, h: Tensor) -> RecurrentOutput:
            h = read(x, h).state
            for transition in deepen:
                h = transition(h)
            return RecurrentOutput(h, h)

        return advance


@torch.no_grad()
def orthogonal_(module: nn.Module) -> None:
    """Make the hidden-to-hidden weights of all recurrent layers within orthogonal, gate by gate (Saxe et al. 2014).

    These are the parameters called `weight_hh...`: gates * H rows, H columns. All others stay as they are.
    """
    for name, parameter in module.named_parameters():
        if name.rpartition(".")[2].startswith("weight_hh"):
            for gate in torch.split(parameter, parameter.shape[1]):
                nn.init.orthogonal_(gate)
