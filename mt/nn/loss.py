"""Label-smoothed cross-entropy over a large vocabulary without ever holding all logits at once."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

__all__ = ["Loss", "chunked_cross_entropy"]

CHUNK_ELEMENTS = 2**21  # logits held at a time: 8 MiB in float32, which stays in the cache of most CPUs


class Loss(NamedTuple):
    """Sums over the real tokens of a batch, in nats."""

    smoothed: Tensor  # []: what training minimises; carries the gradient
    cross_entropy: Tensor  # []: without label smoothing, for perplexity; no gradient


def chunked_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, label_smoothing: float = 0.0
) -> Loss:
    """Project features to the vocabulary and sum the cross-entropy, a few hundred rows at a time.

    The gradient is formed together with the value, so that each piece of the logits is computed once and
    thrown away: memory is independent of how many rows there are, and the logits are never stored for a
    backward pass.

    Args:
        features: [M, F], the real positions only.
        weight: output embedding, [V, F].
        bias: [V].
        targets: token ids, [M].
        label_smoothing: share of the probability that is spread evenly over the vocabulary
            (Szegedy et al. 2016, section 7).
    """
    smoothed, cross_entropy = _ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        features, weight, bias, targets, label_smoothing
    )
    return Loss(smoothed, cross_entropy)


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float
    ) -> tuple[Tensor, Tensor]:
        given_dtype = features.dtype
        if torch.is_autocast_enabled(features.device.type):
            features = features.to(torch.get_autocast_dtype(features.device.type))
        weight_used = weight.to(features.dtype)
        V = weight.shape[0]
        needs_gradient = any(ctx.needs_input_grad)  # type: ignore[attr-defined]
        grad_features = torch.empty_like(features) if needs_gradient else None
        grad_weight = torch.zeros_like(weight) if needs_gradient else None
        grad_bias = torch.zeros_like(bias) if needs_gradient else None
        accumulate = torch.float64 if features.dtype == torch.float64 else torch.float32
        smoothed = features.new_zeros((), dtype=accumulate)
        cross_entropy = features.new_zeros((), dtype=accumulate)
        rows = max(1, CHUNK_ELEMENTS // V)
        for begin in range(0, len(features), rows):
            chunk, gold = features[begin : begin + rows], targets[begin : begin + rows].unsqueeze(1)
            logits = torch.addmm(bias.to(chunk.dtype), chunk, weight_used.t()).to(accumulate)  # [rows, V]
            log_total = logits.logsumexp(1)
            gold_loss = (log_total - logits.gather(1, gold).squeeze(1)).sum()
            cross_entropy += gold_loss
            smoothed += (1 - label_smoothing) * gold_loss
            if label_smoothing:
                smoothed += label_smoothing * (log_total.sum() - logits.sum() / V)
            if grad_features is None or grad_weight is None or grad_bias is None:
                continue
            # d loss / d logits = softmax - (1 - eps) * onehot - eps / V, written over the logits
            grad = logits.sub_(log_total.unsqueeze(1)).exp_()
            if label_smoothing:
                grad.sub_(label_smoothing / V)
            grad.scatter_add_(1, gold, torch.full_like(gold, -(1 - label_smoothing), dtype=grad.dtype))
            grad_bias += grad.sum(0)
            grad = grad.to(features.dtype)
            torch.mm(grad, weight_used, out=grad_features[begin : begin + rows])
            if grad.dtype == grad_weight.dtype:
                grad_weight.addmm_(grad.t(), chunk)
            else:
                grad_weight += grad.t() @ chunk
        if grad_features is not None:
            grad_features = grad_features.to(given_dtype)
        ctx.gradients = (grad_features, grad_weight, grad_bias)  # type: ignore[attr-defined]
        ctx.mark_non_differentiable(cross_entropy)
        return smoothed, cross_entropy

    @staticmethod
    def backward(
        ctx: FunctionCtx, grad_smoothed: Tensor, _: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        scaled = (None if g is None else g * grad_smoothed for g in ctx.gradients)  # type: ignore[attr-defined]
        grad_features, grad_weight, grad_bias = scaled
        return grad_features, grad_weight, grad_bias, None, None
