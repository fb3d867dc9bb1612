"""The standard GRU over whole sequences on a CPU, with a backward pass made of few and large matrix products."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = ["gru_sequence"]

PRODUCT_ROWS = 1024  # of a product for the weights' gradients, at least: shorter ones are slower


def gru_sequence(x: Tensor, state: Tensor, W: Tensor, U: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Run the equations of `mt.nn.cells.StandardGRU`; their gates r, z, n stand in the weights in this order.

    PyTorch derives its gradients step by step. Here the weights' gradients are products over many positions.

    Args:
        x: [B, T, D].
        state: before the first position, [B, H].
        W: [3H, D].
        U: [3H, H].
        b: [3H].
        c: [3H].

    Returns:
        The states after each position, [B, T, H].
    """
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, state, W, U, b, c = (part.to(dtype) for part in (x, state, W, U, b, c))
    for_gradient = torch.is_grad_enabled() and any(part.requires_grad for part in (x, state, W, U, b, c))
    outputs: Tensor = _GRUSequence.apply(x, state, W, U, b, c, for_gradient)  # type: ignore[no-untyped-call]
    return outputs


class _GRUSequence(torch.autograd.Function):
    """Time comes first within: what is read and written at one position lies together."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, state: Tensor, W: Tensor, U: Tensor, b: Tensor, c: Tensor, for_gradient: bool
    ) -> Tensor:
        (B, T, D), H = x.shape, state.shape[1]
        x = x.transpose(0, 1).reshape(T * B, D)
        b = torch.cat([b[: 2 * H] + c[: 2 * H], b[2 * H :]])
        gates = torch.addmm(b, x, W.t()).view(T, B, 3 * H)
        states = x.new_empty(T + 1, B, H)
        states[0] = state
        resettable = x.new_empty(T if for_gradient else 1, B, H)  # U_n h + c_n
        from_state = x.new_empty(B, 3 * H)
        for t in range(T):
            h = states[t]
            torch.mm(h, U.t(), out=from_state)
            r, z = gates[t, :, : 2 * H].add_(from_state[:, : 2 * H]).sigmoid_().chunk(2, dim=1)
            g = torch.add(from_state[:, 2 * H :], c[2 * H :], out=resettable[t if for_gradient else 0])
            n = gates[t, :, 2 * H :].addcmul_(r, g).tanh_()
            torch.lerp(n, h, z, out=states[t + 1])
        ctx.save_for_backward(x, states, gates, resettable, W, U)
        return states[1:].transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, states, gates, resettable, W, U = ctx.saved_tensors  # type: ignore[attr-defined]
        T, B, H = resettable.shape
        x = x.view(T, B, -1)
        U_nrz = torch.cat([U[2 * H :], U[: 2 * H]])
        dx, dW, dU, biases = (torch.empty_like(x), torch.zeros_like(W), torch.zeros_like(U), x.new_zeros(4 * H))
        dh = torch.zeros_like(states[0])
        steps = min(T, -(-PRODUCT_ROWS // B))
        sums = x.new_empty(steps, B, 4 * H)  # gradients of g and of the sums inside r, z, n, for some positions
        for end in range(T, 0, -steps):
            begin = max(0, end - steps)
            for t in range(end - 1, begin - 1, -1):
                r, z, n = gates[t].chunk(3, dim=1)
                g, h = resettable[t], states[t]
                d_g, d_r, d_z, d_n = sums[t - begin].chunk(4, dim=1)
                dh += gradient[:, t]
                past = dh * z
                new = dh - past
                torch.mul(past, 1 - z, out=d_z).mul_(h - n)
                torch.addcmul(new, new * n, n, value=-1, out=d_n)
                torch.mul(d_n, r, out=d_g)
                torch.mul(d_g, g, out=d_r).addcmul_(d_r, r, value=-1)
                dh = past.addmm_(sums[t - begin, :, : 3 * H], U_nrz)
            rows = sums[: end - begin].view(-1, 4 * H)
            grz, rzn = rows[:, : 3 * H], rows[:, H:]
            torch.mm(rzn, W, out=dx[begin:end].view(len(rows), -1))
            dW.addmm_(rzn.t(), x[begin:end].flatten(0, 1))
            dU.addmm_(grz.t(), states[begin:end].flatten(0, 1))
            biases += rows.sum(0)
        return dx.transpose(0, 1), dh, dW, dU.roll(-H, 0), biases[H:], biases[: 3 * H].roll(-H), None
