"""Running recurrent layers in both directions over padded sequences."""

import torch
from torch import Tensor, nn

from mt.nn.cells import RecurrentLayer, RecurrentOutput

__all__ = ["Bidirectional", "reverse_by_length"]


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
        ahead = self.left_to_right(x, None, lengths)
        back = self.right_to_left(reverse_by_length(x, lengths), None, lengths)
        outputs = torch.cat([ahead.outputs, reverse_by_length(back.outputs, lengths)], dim=2)
        return RecurrentOutput(outputs, torch.cat([ahead.state, back.state], dim=1))
