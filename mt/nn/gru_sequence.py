"""Standard GRUs over whole sequences on a CPU, with a backward pass made of few and large matrix products."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = ["gru_sequences"]

PRODUCT_ROWS = 1024  # of a product for the weights' gradients, at least: shorter ones are slower


def gru_sequences(x: Tensor, state: Tensor, W: Tensor, U: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Run the equations of `mt.nn.cells.StandardGRU` for G of them side by side, each with weights and input of its own.

    Their gates r, z, n stand in the weights in this order. PyTorch derives its gradients step by step, for one GRU
    after the other. Here the weights' gradients are products over many positions, and what goes by elements is done for
    all GRUs at once.

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
    outputs: Tensor = _GRUSequences.apply(x, state, W, U, b, c, for_gradient)  # type: ignore[no-untyped-call]
    return outputs


class _GRUSequences(torch.autograd.Function):
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
            r, z = gates[:, t, :, : 2 * H].add_(from_state[..., : 2 * H]).sigmoid_().chunk(2, dim=2)
            g = torch.add(from_state[..., 2 * H :], c_n, out=resettable[t if for_gradient else 0])
            n = gates[:, t, :, 2 * H :].addcmul_(r, g).tanh_()
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
                r, z, n = gates[:, t].chunk(3, dim=2)
                g, h = resettable[t], states[t]
                d_g, d_r, d_z, d_n = sums[:, t - begin].chunk(4, dim=2)
                dh += gradient[:, :, t]
                past = dh * z
                new = dh - past
                torch.mul(past, 1 - z, out=d_z).mul_(h - n)
                torch.addcmul(new, new * n, n, value=-1, out=d_n)
                torch.mul(d_n, r, out=d_g)
                torch.mul(d_g, g, out=d_r).addcmul_(d_r, r, value=-1)
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
        return dx.transpose(1, 2), dh, dW, dU.roll(-H, 1), biases[:, H:], biases[:, : 3 * H].roll(-H, 1), None
