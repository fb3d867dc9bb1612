"""Counts the multiply-adds of a training step that no implementation of the model can do without."""

import copy
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, addmm_flop, baddbmm_flop

from mt.model import Seq2Seq

BACKWARD_AND_FORWARD = 3
"""For each matrix product forward there are two backward: the gradients of either factor."""


class MultiplyAdds(NamedTuple):
    """Multiply-adds of a sentence pair in training, forward and backward: linear in each of its lengths."""

    per_pair: float
    per_source_token: float
    per_target_token: float
    per_token_pair: float

    def of(self, src_lengths: Tensor, tgt_lengths: Tensor) -> float:
        """Return those of a batch without its padding.

        Args:
            src_lengths: tokens with EOS, [B].
            tgt_lengths: likewise.
        """
        return (
            self.per_pair * len(src_lengths)
            + self.per_source_token * int(src_lengths.sum())
            + self.per_target_token * int(tgt_lengths.sum())
            + self.per_token_pair * int((src_lengths * tgt_lengths).sum())
        )


def count_multiply_adds(model: Seq2Seq) -> MultiplyAdds:
    """Run single pairs of several lengths, which have no padding, and count the matrix products of the forward pass.

    On a CPU `nn.GRU` runs as plain matrix products, which the counter sees. Elementwise operations count nothing, nor do
    products that are formed a second time in the backward pass to save memory.

    Raises:
        RuntimeError: if part of the model computes where the counter does not see it.
    """
    model = copy.deepcopy(model).cpu().float()
    lengths = [(8, 8), (8, 16), (16, 8), (16, 16)]
    counts = [_forward(model, source, target) for source, target in lengths]
    terms = [[1, source, target, source * target] for source, target in lengths]
    forward = np.linalg.solve(terms, counts)
    seen, needed = forward.sum(), _matrix_weights(model)  # of a pair of one token each, every weight is used once
    if seen < 0.999 * needed:
        raise RuntimeError(
            f"the model has {needed:,} weights in matrices, but only {seen:,.0f} multiply-adds a token were seen: count "
            "those of its own kernels in mtbench/multiply_adds.py"
        )
    return MultiplyAdds(*(float(BACKWARD_AND_FORWARD * part) for part in forward))


def _forward(model: Seq2Seq, source: int, target: int) -> int:
    src, tgt = torch.full((1, source), 4), torch.full((1, target), 4)
    aten = torch.ops.aten
    unknown_to_torch = {aten.mv: _mv, aten.addmm_: addmm_flop, aten.baddbmm_: baddbmm_flop}
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=unknown_to_torch) as counter:
        model.loss(src, torch.tensor([source]), tgt, tgt)
    return int(counter.get_total_flops()) // 2


def _mv(matrix: torch.Size, vector: torch.Size, **_: Any) -> int:
    return 2 * matrix.numel()


def _matrix_weights(model: nn.Module) -> int:
    """Return the number of weights in matrices that are multiplied with, so not in those that are only looked up."""
    multiplying = {
        id(weight): weight
        for module in model.modules()
        if not isinstance(module, nn.Embedding)
        for weight in module.parameters(recurse=False)
        if weight.dim() == 2
    }
    return sum(weight.numel() for weight in multiplying.values())
