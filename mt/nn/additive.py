"""The energies of additive attention, without ever holding a vector for every pair of positions."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

__all__ = ["additive_energies"]

CHUNK_ELEMENTS = 2**21  # numbers held at a time: 8 MiB in float32, which stay in the cache of most CPUs
ACCELERATOR_CHUNKS = 32  # times as many elsewhere, where starting a kernel costs more than fetching from memory


def additive_energies(query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
    """Compute v . tanh(query + key) for every pair of a query and a key of the same sentence, some sentences at a time.

    Exponentials are taken of positions instead of pairs: tanh(q + k) = 1 - 2 / (1 + exp(2q) exp(2k)). What is formed
    for pairs, [B, T, S, A], is computed again for the gradient instead of being kept: it would take more memory than
    all else in a model, and fetching it from there takes longer.

    Args:
        query: projected, [B, T, A]; values beyond 43 (in float64 354), where tanh has long been 1, count as 43.
        keys: likewise, [B, S, A].
        v: [A].

    Returns:
        Energies, [B, T, S], in float32 at least.
    """
    dtype = torch.promote_types(query.dtype, torch.float32)
    energies: Tensor = _AdditiveEnergies.apply(query.to(dtype), keys.to(dtype), v.to(dtype))  # type: ignore[no-untyped-call]
    return energies


class _AdditiveEnergies(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(query, keys, v)
        halves = query.new_empty(*query.shape[:2], keys.shape[1])
        for part, h in _half_distances(query, keys):
            halves[part] = h @ v
        return halves.mul_(-2).add_(v.sum())

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, keys, v = ctx.saved_tensors  # type: ignore[attr-defined]
        grad_query, grad_keys, grad_v = map(torch.zeros_like, (query, keys, v))
        for part, h in _half_distances(query, keys):
            g = gradient[part]
            grad_v += g.flatten() @ h.flatten(0, 2)
            # d energy / d query = v (1 - tanh^2) = 4 v (h - h^2); 4v, which all pairs share, is multiplied with last
            slopes = h.addcmul_(h, h, value=-1).mul_(g.unsqueeze(3))
            grad_query[part], grad_keys[part] = slopes.sum(2), slopes.sum(1)
        return grad_query.mul_(4 * v), grad_keys.mul_(4 * v), gradient.sum() - 2 * grad_v


def _half_distances(query: Tensor, keys: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield some sentences at a time, and h = (1 - tanh(query + key)) / 2 for them, in memory that is used again."""
    (B, T, A), S = query.shape, keys.shape[1]
    elements = CHUNK_ELEMENTS if query.is_cpu else CHUNK_ELEMENTS * ACCELERATOR_CHUNKS
    sentences = max(1, min(B, elements // max(1, T * S * A)))
    buffer = query.new_empty(sentences, T, S, A)
    # products may overflow or underflow, which gives exactly 1 or -1, but no infinity may meet a zero
    limit = math.log(torch.finfo(query.dtype).max) / 2 - 1
    exp_query, exp_keys = (x.clamp(-limit, limit).mul_(2).exp_() for x in (query, keys))
    for begin in range(0, B, sentences):
        part = slice(begin, min(begin + sentences, B))
        pairs = exp_query[part].unsqueeze(2), exp_keys[part].unsqueeze(1)
        yield part, torch.mul(*pairs, out=buffer[: part.stop - begin]).add_(1).reciprocal_()
