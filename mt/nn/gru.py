"""The standard GRU on a CPU, with gradients of its weights that are products over many positions.

Both forms compute the equations of `mt.nn.cells.StandardGRU`; the gates r, z, n stand in the weights in this order.
PyTorch goes back step by step, and multiplies and adds up matrices of the weights' size at every step.
"""

from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = ["gru_sequences", "gru_steps"]

PRODUCT_ROWS = 1024  # of a product for the weights' gradients, at least: shorter ones are slower


def gru_sequences(x: Tensor, state: Tensor, W: Tensor, U: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Run G GRUs side by side over whole sequences, each with weights and input of its own.

    What goes by elements is done for all of them at once.

    Args:
        x: [G, B, T, D].
        state: before the first position, [G, B, H].
        W: [G, 3H, D].
        U: [G, 3H, H].
        b: [G, 3H].
        c: [G, 3H].

    Returns:
        The states after each position, [G, B, T, H].
    """
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, state, W, U, b, c = (part.to(dtype) for part in (x, state, W, U, b, c))
    for_gradient = torch.is_grad_enabled() and any(part.requires_grad for part in (x, state, W, U, b, c))
    outputs: Tensor = _Sequences.apply(x, state, W, U, b, c, for_gradient)  # type: ignore[no-untyped-call]
    return outputs


def gru_steps(W: Tensor, U: Tensor, b: Tensor, c: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the step from x: [B, D] and h: [B, H] to h': [B, H] for one sequence that will be gone back through.

    On the way back a step only notes what is to be multiplied; the weights' gradients are formed after all of them.

    Args:
        W: [3H, D].
        U: [3H, H].
        b: [3H].
        c: [3H].
    """
    noted: Noted = {}
    weights = _Weights.apply(W, U, b, c, noted)  # type: ignore[no-untyped-call]
    numbers = count()

    def step(x: Tensor, h: Tensor) -> Tensor:
        after: Tensor = _Step.apply(x, h, *weights, noted, next(numbers))  # type: ignore[no-untyped-call]
        return after

    return step


def _gates(sums: Tensor, from_state: Tensor, g: Tensor) -> Tensor:
    """Turn W x + b, [..., 3H], into the gates r, z, n, in place; from_state is U h + c, g its last third, [..., H]."""
    H = g.shape[-1]
    r_z = sums[..., : 2 * H].add_(from_state[..., : 2 * H]).sigmoid_()
    sums[..., 2 * H :].addcmul_(r_z[..., :H], g).tanh_()
    return sums


def _back(gradient: Tensor, gates: Tensor, g: Tensor, h: Tensor, rows: Tensor) -> Tensor:
    """Go back from the gradient of h', [..., H]: return the part of h's gradient that came past the gates.

    Rows, [..., 4H], become the gradients of g and of the sums inside r, z, n.
    """
    r, z, n = gates.chunk(3, dim=-1)
    d_g, d_r, d_z, d_n = rows.chunk(4, dim=-1)
    past = gradient * z
    new = gradient - past
    torch.mul(past, 1 - z, out=d_z).mul_(h - n)
    torch.addcmul(new, new * n, n, value=-1, out=d_n)
    torch.mul(d_n, r, out=d_g)
    torch.mul(d_g, g, out=d_r).addcmul_(d_r, r, value=-1)
    return past


def _in_order(dU: Tensor, biases: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of U, b and c; given are that of U for g, r, z, [..., 3H, H], and the sums of rows, [..., 4H]."""
    H = dU.shape[-1]
    return dU.roll(-H, -2), biases[..., H:], biases[..., : 3 * H].roll(-H, -1)


class _Sequences(torch.autograd.Function):
    """Time comes first within, but for what is multiplied position by position: [G, T, B, ...]."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, state: Tensor, W: Tensor, U: Tensor, b: Tensor, c: Tensor, for_gradient: bool
    ) -> Tensor:
        (G, B, T, D), H = x.shape, state.shape[2]
        x = x.transpose(1, 2).reshape(G, T * B, D)
        b = torch.cat([b[:, : 2 * H] + c[:, : 2 * H], b[:, 2 * H :]], dim=1)
        c_n = c[:, None, 2 * H :]
        gates = x.new_empty(G, T, B, 3 * H)
        for i in range(G):
            torch.addmm(b[i], x[i], W[i].t(), out=gates[i].view(T * B, 3 * H))
        states = x.new_empty(T + 1, G, B, H)
        states[0] = state
        resettable = x.new_empty(T if for_gradient else 1, G, B, H)  # U_n h + c_n
        from_state = x.new_empty(G, B, 3 * H)
        for t in range(T):
            h = states[t]
            for i in range(G):
                torch.mm(h[i], U[i].t(), out=from_state[i])
            g = torch.add(from_state[..., 2 * H :], c_n, out=resettable[t if for_gradient else 0])
            _, z, n = _gates(gates[:, t], from_state, g).chunk(3, dim=2)
            torch.lerp(n, h, z, out=states[t + 1])
        ctx.save_for_backward(x, states, gates, resettable, W, U)
        return states[1:].permute(1, 2, 0, 3)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, states, gates, resettable, W, U = ctx.saved_tensors  # type: ignore[attr-defined]
        T, G, B, H = resettable.shape
        x = x.view(G, T, B, -1)
        U_nrz = torch.cat([U[:, 2 * H :], U[:, : 2 * H]], dim=1)
        dx, dW, dU, biases = (torch.empty_like(x), torch.zeros_like(W), torch.zeros_like(U), x.new_zeros(G, 4 * H))
        dh = torch.zeros_like(states[0])
        steps = min(T, -(-PRODUCT_ROWS // B))
        sums = x.new_empty(G, steps, B, 4 * H)  # gradients of g and of the sums inside r, z, n, for some positions
        for end in range(T, 0, -steps):
            begin = max(0, end - steps)
            for t in range(end - 1, begin - 1, -1):
                dh += gradient[:, :, t]
                past = _back(dh, gates[:, t], resettable[t], states[t], sums[:, t - begin])
                for i in range(G):
                    past[i].addmm_(sums[i, t - begin, :, : 3 * H], U_nrz[i])
                dh = past
            for i in range(G):
                rows = sums[i, : end - begin].view(-1, 4 * H)
                grz, rzn = rows[:, : 3 * H], rows[:, H:]
                torch.mm(rzn, W[i], out=dx[i, begin:end].view(len(rows), -1))
                dW[i].addmm_(rzn.t(), x[i, begin:end].flatten(0, 1))
                dU[i].addmm_(grz.t(), states[begin:end, i].flatten(0, 1))
                biases[i] += rows.sum(0)
        return dx.transpose(1, 2), dh, dW, *_in_order(dU, biases), None


Noted = dict[int, tuple[Tensor, Tensor, Tensor]]
"""Of each step, by its number, that was gone back through (going back again replaces it): `_back`'s rows; x; h."""


class _Weights(torch.autograd.Function):
    """Hands out the weights; comes after all steps on the way back, though none gives it a gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, W: Tensor, U: Tensor, b: Tensor, c: Tensor, noted: Noted) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        ctx.noted = noted  # type: ignore[attr-defined]
        if torch.is_autocast_enabled(W.device.type):
            dtype = torch.get_autocast_dtype(W.device.type)
            return tuple(part.to(dtype) for part in (W, U, b, c))
        return tuple(part.view_as(part) for part in (W, U, b, c))

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *_: None) -> tuple[Tensor | None, ...]:
        noted: Noted = ctx.noted  # type: ignore[attr-defined]
        rows, x, h = (torch.cat(parts) for parts in zip(*noted.values(), strict=True))
        noted.clear()
        H = h.shape[1]
        return rows[:, H:].t() @ x, *_in_order(rows[:, : 3 * H].t() @ h, rows.sum(0)), None


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: Tensor,
        h: Tensor,
        W: Tensor,
        U: Tensor,
        b: Tensor,
        c: Tensor,
        noted: Noted,
        number: int,
    ) -> Tensor:
        x, h, H = x.to(W.dtype), h.to(W.dtype), h.shape[1]
        from_state = torch.addmm(c, h, U.t())
        g = from_state[:, 2 * H :]
        gates = _gates(torch.addmm(b, x, W.t()), from_state, g)
        _, z, n = gates.chunk(3, dim=1)
        ctx.save_for_backward(x, h, gates, g, W, U)
        ctx.noted, ctx.number = noted, number  # type: ignore[attr-defined]
        return torch.lerp(n, h, z)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, h, gates, g, W, U = ctx.saved_tensors  # type: ignore[attr-defined]
        H = h.shape[1]
        rows = x.new_empty(len(x), 4 * H)
        past = _back(gradient, gates, g, h, rows)
        ctx.noted[ctx.number] = rows, x, h  # type: ignore[attr-defined]
        dh = past.addmm_(rows[:, :H], U[2 * H :]).addmm_(rows[:, H : 3 * H], U[: 2 * H])
        return rows[:, H:] @ W, dh, *[None] * 6
