"""The energies of additive attention, without ever holding a vector for every pair of positions."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

__all__ = ["additive_energies"]

CHUNK_ELEMENTS = 2**18  # numbers held at a time: 1 MiB in float32, which stays in a core's own cache


def additive_energies(query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
    """Compute v . tanh(query + key) for every pair of a query and a key of the same sentence, some sentences at a time.

    The hyperbolic tangents, [B, T, S, A] of them, are computed again for the gradient instead of being kept: they
    would take more memory than all else in a model, and fetching them from there takes longer.

    Args:
        query: projected, [B, T, A].
        keys: [B, S, A].
        v: [A].

    Returns:
        Energies, [B, T, S].
    """
    energies: Tensor = _AdditiveEnergies.apply(query, keys, v)  # type: ignore[no-untyped-call]
    return energies


class _AdditiveEnergies(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, query: Tensor, keys: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(query, keys, v)
        energies = query.new_empty(*query.shape[:2], keys.shape[1])
        for part, tanh in _chunks(query, keys):
            energies[part] = tanh @ v.to(tanh.dtype)
        return energies

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, keys, v = ctx.saved_tensors  # type: ignore[attr-defined]
        grad_query, grad_keys, grad_v = torch.empty_like(query), torch.empty_like(keys), torch.zeros_like(v)
        for part, tanh in _chunks(query, keys):
            g = gradient[part]
            grad_v += g.flatten() @ tanh.flatten(0, 2)
            # d energy / d query = v * (1 - tanh^2); v, which all pairs share, is multiplied with last
            slopes = tanh.square_().neg_().add_(1).mul_(g.unsqueeze(3))
            grad_query[part], grad_keys[part] = slopes.sum(2), slopes.sum(1)
        return grad_query.mul_(v), grad_keys.mul_(v), grad_v


def _chunks(query: Tensor, keys: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield some sentences at a time, and tanh(query + key) for them, in memory that the next chunk uses again."""
    (B, T, A), S = query.shape, keys.shape[1]
    sentences = max(1, min(B, CHUNK_ELEMENTS // max(1, T * S * A)))
    buffer = query.new_empty(sentences, T, S, A)
    for begin in range(0, B, sentences):
        part = slice(begin, min(begin + sentences, B))
        sums = torch.add(query[part].unsqueeze(2), keys[part].unsqueeze(1), out=buffer[: part.stop - begin])
        yield part, sums.tanh_()
