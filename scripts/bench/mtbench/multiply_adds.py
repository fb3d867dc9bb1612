"""Counts the multiply-adds of a training step, or of a translation, that no implementation can do without."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, addmm_flop, baddbmm_flop

from mt.model import Seq2Seq
from mt.nn.attention import Memory
from mt.nn.decoder import DecoderState

T = TypeVar("T")

BACKWARD_AND_FORWARD = 3
"""For each matrix product forward there are two backward: the gradients of either factor."""


class DecodingMultiplyAdds(NamedTuple):
    """Multiply-adds of translating: linear in what search asks of the model."""

    per_sentence: float
    per_source_token: float
    """Encoder and keys of the attention, EOS counted, padding not."""
    per_row: float
    """A hypothesis one token further, without looking at the source and without the output layer."""
    per_look: float
    """One source position looked at by one hypothesis."""
    per_logit: float

    def of(self, counts: Mapping[str, int]) -> float:
        """Return those of a search. Args: counts: how much of each, "sentences", "source_tokens" and so on."""
        return float(sum(value * counts[f"{name.removeprefix('per_')}s"] for name, value in self._asdict().items()))


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
    _check_all_seen(model, forward.sum())  # of a pair of one token each, every weight is used once
    return MultiplyAdds(*(float(BACKWARD_AND_FORWARD * part) for part in forward))


def count_decoding(model: Seq2Seq) -> DecodingMultiplyAdds:
    """Read single sentences of two lengths, take one step, and count the matrix products; see `count_multiply_adds`.

    Raises:
        RuntimeError: if part of the model computes where the counter does not see it.
    """
    model = copy.deepcopy(model).cpu().float()
    lengths = (8, 16)
    counts = [_start_and_step(model, length) for length in lengths]
    terms = [[1, length] for length in lengths]
    (per_sentence, per_row), (per_source_token, per_look) = np.linalg.solve(terms, counts)
    # with a source of one token every weight is used once
    _check_all_seen(model, per_sentence + per_source_token + per_row + per_look)
    vocabulary, features = model.output.weight.shape
    parts = per_sentence, per_source_token, per_row - vocabulary * features, per_look, features
    return DecodingMultiplyAdds(*map(float, parts))


def _start_and_step(model: Seq2Seq, length: int) -> tuple[int, int]:
    """Return the multiply-adds of reading a sentence, and of one step after it."""
    src, src_lengths, prev = torch.full((1, length), 4), torch.tensor([length]), torch.full((1,), 4)

    def start() -> tuple[Memory, DecoderState]:
        encoded = model.encoder(src, src_lengths)
        memory = model.decoder.memory(encoded.values, encoded.mask)
        return memory, model.decoder.start(memory, encoded.summary)

    (memory, state), of_start = counted(start)
    _, of_step = counted(lambda: model.output(model.decoder.step(prev, memory, state).features))
    return of_start, of_step


def _check_all_seen(model: Seq2Seq, seen: float) -> None:
    needed = _matrix_weights(model)
    if seen < 0.999 * needed:
        raise RuntimeError(
            f"the model has {needed:,} weights in matrices, but only {seen:,.0f} multiply-adds a token were seen: count "
            "those of its own kernels in mtbench/multiply_adds.py"
        )


def _forward(model: Seq2Seq, source: int, target: int) -> int:
    src, tgt = torch.full((1, source), 4), torch.full((1, target), 4)
    return counted(lambda: model.loss(src, torch.tensor([source]), tgt, tgt))[1]


def counted(run: Callable[[], T]) -> tuple[T, int]:
    """Return what run returns, and its multiply-adds."""
    aten = torch.ops.aten
    unknown_to_torch = {aten.mv: _mv, aten.addmm_: addmm_flop, aten.baddbmm_: baddbmm_flop}
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=unknown_to_torch) as counter:
        result = run()
    return result, int(counter.get_total_flops()) // 2


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
