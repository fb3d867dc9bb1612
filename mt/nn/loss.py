"""Losses over a large vocabulary without ever holding all logits at once."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

__all__ = ["Loss", "cross_entropy", "log_probabilities", "r_drop"]

CHUNK_ELEMENTS = 7 * 2**20  # logits held at a time: 28 MiB in float32, which malloc keeps (training/allocator.py)
ALIGNED_ROWS = 64  # where so many fit: products of an odd number of rows are slower


class Loss(NamedTuple):
    """Sums over the real tokens of a batch, in nats."""

    objective: Tensor  # []: what training minimises; carries the gradient
    cross_entropy: Tensor  # []: without label smoothing, for perplexity; no gradient


def cross_entropy(
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
    judge = partial(_judge_once, label_smoothing=label_smoothing)
    return _chunked(features.unsqueeze(0), weight, bias, targets, judge)


def r_drop(
    features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, alpha: float, label_smoothing: float = 0.0
) -> Loss:
    """Compare two passes of a model with dropout: half of equation 4 of Wu et al. (2021).

    The mean cross-entropy of both passes + alpha / 4 * (KL(p || q) + KL(q || p)); p and q are what they predict.

    Args:
        features: of both passes, [2, M, F].
        weight: see `cross_entropy`.
        bias: see `cross_entropy`.
        targets: token ids, [M].
        alpha: weight of the divergence.
        label_smoothing: see `cross_entropy`.
    """
    judge = partial(_judge_twice, label_smoothing=label_smoothing, alpha=alpha)
    return _chunked(features, weight, bias, targets, judge)


def log_probabilities(features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Return the log-probability of each target, [M], nats, float32 at least: what `cross_entropy` sums, with its sign.

    The logits exist a few hundred rows at a time; where a gradient is asked for they are formed once more.

    Args:
        features: see `cross_entropy`.
        weight: see `cross_entropy`.
        bias: see `cross_entropy`.
        targets: token ids, [M].
    """
    dtype = torch.promote_types(features.dtype, torch.float32)

    def judged(features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        return -functional.cross_entropy(functional.linear(features, weight, bias).to(dtype), targets, reduction="none")

    if torch.is_grad_enabled():
        judged = partial(checkpoint, judged, use_reentrant=False, preserve_rng_state=False)
    rows = _rows(CHUNK_ELEMENTS // len(weight))
    found = (
        judged(features[begin : begin + rows], weight, bias, targets[begin : begin + rows])
        for begin in range(0, len(features), rows)
    )
    return torch.cat([features.new_empty(0, dtype=dtype), *found])


class _Judged(NamedTuple):
    """What a chunk of logits, [P, rows, V], is worth."""

    objective: Tensor  # []
    cross_entropy: Tensor  # []
    gradient: Tensor  # of the objective, [P, rows, V]; may lie where the logits were


class _Predicted(NamedTuple):
    """What a chunk of logits, [P, rows, V], predicts."""

    probs: Tensor  # [P, rows, V], where the logits were
    log_total: Tensor  # [P, rows, 1]: log-probability = logit - log_total
    cross_entropy: Tensor  # [P, rows, 1]
    smoothed: Tensor  # [P, rows, 1]: with label smoothing


def _predict(logits: Tensor, gold: Tensor, *, label_smoothing: float) -> _Predicted:
    """Turn logits: [P, rows, V] into probabilities, in place, and compare them with gold: [P, rows, 1]."""
    gold_logits, highest = logits.gather(2, gold), logits.amax(2, keepdim=True)
    mean_logits = logits.mean(2, keepdim=True) if label_smoothing else gold_logits
    probs = torch.softmax(logits, 2, out=logits)
    log_total = highest - probs.amax(2, keepdim=True).log()  # exact also where probabilities underflow
    plain = log_total - gold_logits
    smoothed = (1 - label_smoothing) * plain + label_smoothing * (log_total - mean_logits)
    return _Predicted(probs, log_total, plain, smoothed)


def _judge_once(logits: Tensor, gold: Tensor, *, label_smoothing: float) -> _Judged:
    """Compute the cross-entropy of logits: [P, rows, V] and gold: [P, rows, 1], and overwrite the logits."""
    probs, _, plain, smoothed = _predict(logits, gold, label_smoothing=label_smoothing)
    _aim(probs, gold, share=1.0, label_smoothing=label_smoothing)
    return _Judged(smoothed.sum(), plain.sum(), probs)


def _judge_twice(logits: Tensor, gold: Tensor, *, label_smoothing: float, alpha: float) -> _Judged:
    """Compute the loss of two passes, logits: [2, rows, V]; gold: [2, rows, 1]; and overwrite the logits."""
    log_ratio = logits[0] - logits[1]
    probs, log_total, plain, smoothed = _predict(logits, gold, label_smoothing=label_smoothing)
    log_ratio -= log_total[0] - log_total[1]  # log p - log q
    kl_pq, minus_kl_qp = (torch.linalg.vecdot(side, log_ratio).unsqueeze(1) for side in probs)
    # d KL(p || q) / d logits of p = p (log_ratio - KL(p || q)), of q = q - p; likewise KL(q || p)
    weight = alpha / 4
    gradient = torch.empty_like(probs)
    torch.add(0.5 + weight * (1 - kl_pq), log_ratio, alpha=weight, out=gradient[0])
    torch.sub(0.5 + weight * (1 + minus_kl_qp), log_ratio, alpha=weight, out=gradient[1])
    gradient *= probs
    gradient[0].sub_(probs[1], alpha=weight)
    gradient[1].sub_(probs[0], alpha=weight)
    _aim(gradient, gold, share=0.5, label_smoothing=label_smoothing)
    divergence = weight * (kl_pq - minus_kl_qp).sum()
    return _Judged(smoothed.sum() / 2 + divergence, plain.sum() / 2, gradient)


def _aim(gradient: Tensor, gold: Tensor, *, share: float, label_smoothing: float) -> None:
    """Subtract a share of what should be predicted: d loss / d logits = softmax - (1 - eps) * onehot - eps / V."""
    if label_smoothing:
        gradient -= share * label_smoothing / gradient.shape[2]
    gradient.scatter_add_(2, gold, gradient.new_full(gold.shape, share * (label_smoothing - 1)))


Judge = Callable[[Tensor, Tensor], _Judged]


def _chunked(features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, judge: Judge) -> Loss:
    """Project features of P passes, [P, M, F], chunk by chunk, and let `judge` say value and gradient.

    Under autocast only the products are rounded: what is judged would lose digits.
    """
    device = features.device.type
    if torch.is_autocast_enabled(device):
        features = features.to(torch.get_autocast_dtype(device))
    for_gradient = torch.is_grad_enabled() and any(part.requires_grad for part in (features, weight, bias))
    with torch.autocast(device, enabled=False):
        return Loss(*_Chunked.apply(features, weight, bias, targets, judge, for_gradient))  # type: ignore[no-untyped-call]


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        targets: Tensor,
        judge: Judge,
        for_gradient: bool,
    ) -> tuple[Tensor, Tensor]:
        used_weight, used_bias = weight.to(features.dtype), bias.to(features.dtype)
        (P, M, F), V = features.shape, len(weight)
        accumulate = torch.promote_types(features.dtype, torch.float32)
        objective, plain = features.new_zeros(2, dtype=accumulate)
        grad_features, grad_weight, grad_bias = map(torch.zeros_like, (features, weight, bias))
        rows = _rows(CHUNK_ELEMENTS // V // P)
        # one buffer for all chunks: memory that is given back and asked for again costs page faults
        buffer = features.new_empty(P * min(rows, M), V)
        for begin in range(0, M, rows):
            chunk = features[:, begin : begin + rows].reshape(-1, F)
            gold = targets[begin : begin + rows].expand(P, -1).unsqueeze(2)
            logits = torch.mm(chunk, used_weight.t(), out=buffer[: len(chunk)]).add_(used_bias)
            judged = judge(logits.to(accumulate).view(P, -1, V), gold)
            objective += judged.objective
            plain += judged.cross_entropy
            if not for_gradient:
                continue
            gradient = judged.gradient.flatten(0, 1)
            grad_bias += gradient.sum(0)
            gradient = gradient.to(features.dtype)
            grad_features[:, begin : begin + rows] = (gradient @ used_weight).view(P, -1, F)
            if gradient.dtype == grad_weight.dtype:
                grad_weight.addmm_(gradient.t(), chunk)
            else:
                grad_weight += gradient.t() @ chunk
        ctx.gradients = (grad_features, grad_weight, grad_bias)  # type: ignore[attr-defined]
        ctx.mark_non_differentiable(plain)
        return objective, plain

    @staticmethod
    def backward(
        ctx: FunctionCtx, grad_objective: Tensor, _: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None, None]:
        features, weight, bias = (g * grad_objective for g in ctx.gradients)  # type: ignore[attr-defined]
        return features, weight, bias, None, None, None


def _rows(fitting: int) -> int:
    return max(1, fitting if fitting < ALIGNED_ROWS else fitting // ALIGNED_ROWS * ALIGNED_ROWS)
