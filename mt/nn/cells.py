"""The cells of recurrent layers, written as their equations; s is the logistic function, * goes by elements."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from mt.nn.dropout import Dropout
from mt.nn.gru import gru_sequences, gru_steps
from mt.nn.recurrence import Recurrence, RecurrentLayer, RecurrentOutput, Step, last_real

__all__ = [
    "CELLS",
    "LayerNormGRU",
    "MinGRU",
    "MinimalGRU",
    "OutputGatedGRU",
    "RecurrentLayer",
    "RecurrentOutput",
    "StandardGRU",
    "Step",
    "linear_scan",
    "side_by_side",
]


class StandardGRU(Recurrence):
    """Gated recurrent unit with the reset gate applied after the matrix product, as in cuDNN and `torch.nn.GRU`.

    r = s(W_r x + U_r h + b_r),  z = s(W_z x + U_z h + b_z),  n = tanh(W_n x + b_n + r * (U_n h + c_n)),
    h' = (1 - z) * n + z * h   (Cho et al. 2014, equations 5 to 8, with z in the opposite sense).
    """

    def __init__(self, *, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(hidden_size=hidden_size)
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)
        self.drop = Dropout(recurrent_dropout)

    def weights(self) -> list[Tensor]:
        """Return W, U, b and c, weights of U dropped in training."""
        W, U, b, c = self.gru.all_weights[0]
        if not self.training or not self.drop.p:
            return [W, U, b, c]
        memory = torch.cat([part.flatten() for part in (W, self.drop(U), b, c)])  # in one piece, as cuDNN wants it
        pieces = torch.split(memory, [part.numel() for part in (W, U, b, c)])
        return [piece.view_as(part) for piece, part in zip(pieces, (W, U, b, c), strict=True)]

    def recurrence(self) -> Step:
        """See `Recurrence`."""
        weights = self.weights()
        move = (
            gru_steps(*weights)
            if torch.is_grad_enabled() and weights[0].is_cpu
            else lambda x, h: torch.gru_cell(x, h, *weights)
        )

        def advance(x: Tensor, h: Tensor) -> RecurrentOutput:
            h = move(x, h)
            return RecurrentOutput(h, h)

        return advance

    def forward(self, x: Tensor, state: Tensor | None = None, lengths: Tensor | None = None) -> RecurrentOutput:
        """See `RecurrentLayer`; fused, on a GPU by cuDNN."""
        state = self.first_state(x) if state is None else state
        if x.is_cpu:
            (outputs,) = gru_sequences(*(part.unsqueeze(0) for part in (x, state, *self.weights())))
        else:
            outputs, _ = torch.gru(
                x,
                state.unsqueeze(0),
                self.weights(),
                has_biases=True,
                num_layers=1,
                dropout=0.0,
                train=self.training,
                bidirectional=False,
                batch_first=True,
            )
        return RecurrentOutput(outputs, last_real(outputs, lengths))


def side_by_side(layers: Sequence[RecurrentLayer], inputs: Sequence[Tensor], lengths: Tensor) -> list[RecurrentOutput]:
    """Run each layer over an input of its own, [B, T, input], from zeros; standard GRUs on a CPU together.

    Args:
        layers: of one kind and size.
        inputs: of one shape.
        lengths: real positions of each row, of all inputs alike, [B].
    """
    standard = [layer for layer in layers if isinstance(layer, StandardGRU)]
    if len(standard) < len(layers) or not inputs[0].is_cpu:
        return [layer(x, None, lengths) for layer, x in zip(layers, inputs, strict=True)]
    gathered = [(x, layer.first_state(x), *layer.weights()) for layer, x in zip(standard, inputs, strict=True)]
    outputs = gru_sequences(*map(torch.stack, zip(*gathered, strict=True)))
    return [RecurrentOutput(states, last_real(states, lengths)) for states in outputs]


class SteppedGRU(Recurrence):
    """Base of the cells without a kernel of their own: `gates` stacked matrices W for the input, and U for the state."""

    gates: ClassVar[int]
    bias: ClassVar[bool] = True

    def __init__(self, *, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(hidden_size=hidden_size)
        self.drop = Dropout(recurrent_dropout)
        self.input = nn.Linear(input_size, self.gates * hidden_size, bias=self.bias)
        self.weight_hh = nn.Parameter(torch.empty(self.gates * hidden_size, hidden_size))
        nn.init.uniform_(self.weight_hh, -(hidden_size**-0.5), hidden_size**-0.5)  # as in torch.nn.GRU

    def project(self, x: Tensor) -> Tensor:
        """Compute W x + b of all gates: x: [..., input] to [..., gates * H]."""
        projected: Tensor = self.input(x)
        return projected


class OutputGatedGRU(SteppedGRU):
    """The variant that this project was founded on: a second reset in h', and an output gate.

    r = s(W_r x + U_r h + b_r),  z = s(W_z x + U_z h + b_z),  n = tanh(W_n x + U_n (r * h) + b_n),
    h' = (1 - z) * h + z * r * n,  o = s(W_o x + U_o h + b_o),  y = o * h'

    It emits y and carries h'. z has the sense opposite to `StandardGRU`'s; o reads the previous h.
    """

    gates = 4
    emits_state = False

    def recurrence(self) -> Step:
        """See `Recurrence`."""
        H = self.hidden_size
        U_rzo, U_n = torch.split(self.drop(self.weight_hh), [3 * H, H])

        def advance(x: Tensor, h: Tensor) -> RecurrentOutput:
            x_rzo, x_n = torch.split(x, [3 * H, H], dim=1)
            r, z, o = torch.sigmoid(x_rzo + functional.linear(h, U_rzo)).chunk(3, dim=1)
            n = torch.tanh(x_n + functional.linear(r * h, U_n))
            h = (1 - z) * h + z * r * n
            return RecurrentOutput(o * h, h)

        return advance


class MinimalGRU(SteppedGRU):
    """One gate that forgets, resets and updates (minimal gated unit, Zhou et al. 2016).

    f = s(W_f x + U_f h + b_f),  n = tanh(W_n x + U_n (f * h) + b_n),  h' = (1 - f) * h + f * n
    """

    gates = 2

    def recurrence(self) -> Step:
        """See `Recurrence`."""
        U_f, U_n = self.drop(self.weight_hh).chunk(2)

        def advance(x: Tensor, h: Tensor) -> RecurrentOutput:
            x_f, x_n = x.chunk(2, dim=1)
            f = torch.sigmoid(x_f + functional.linear(h, U_f))
            n = torch.tanh(x_n + functional.linear(f * h, U_n))
            h = (1 - f) * h + f * n
            return RecurrentOutput(h, h)

        return advance


class LayerNormGRU(SteppedGRU):
    """Layer-normalised GRU (Ba et al. 2016, supplementary material).

    [r; z] = s(LN(W_rz x) + LN(U_rz h)),  n = tanh(LN(W_n x) + r * LN(U_n h)),  h' = (1 - z) * h + z * n

    Each of the four LN has a gain and a bias of its own. As in the paper, the two gates are normalised jointly, over
    their 2H values, the candidate n by itself, and z has the sense opposite to `StandardGRU`'s.
    """

    gates = 3
    bias = False  # LN brings one

    def __init__(self, *, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(input_size=input_size, hidden_size=hidden_size, recurrent_dropout=recurrent_dropout)
        self.norm_x_rz, self.norm_x_n = nn.LayerNorm(2 * hidden_size), nn.LayerNorm(hidden_size)
        self.norm_h_rz, self.norm_h_n = nn.LayerNorm(2 * hidden_size), nn.LayerNorm(hidden_size)

    def project(self, x: Tensor) -> Tensor:
        """Compute LN(W x): x: [..., input] to [..., 3H]."""
        x_rz, x_n = torch.split(super().project(x), [2 * self.hidden_size, self.hidden_size], dim=-1)
        return torch.cat([self.norm_x_rz(x_rz), self.norm_x_n(x_n)], dim=-1)

    def recurrence(self) -> Step:
        """See `Recurrence`."""
        sizes = [2 * self.hidden_size, self.hidden_size]
        U = self.drop(self.weight_hh)

        def advance(x: Tensor, h: Tensor) -> RecurrentOutput:
            x_rz, x_n = torch.split(x, sizes, dim=1)
            h_rz, h_n = torch.split(functional.linear(h, U), sizes, dim=1)
            r, z = torch.sigmoid(x_rz + self.norm_h_rz(h_rz)).chunk(2, dim=1)
            n = torch.tanh(x_n + r * self.norm_h_n(h_n))
            h = (1 - z) * h + z * n
            return RecurrentOutput(h, h)

        return advance


class MinGRU(Recurrence):
    """A GRU whose gate and candidate do not read the state, so that training needs no loop over time (Feng et al. 2024).

    z = s(W_z x + b_z),  n = g(W_n x + b_n)  with  g(a) = a + 0.5 where a >= 0, else s(a),  h' = (1 - z) * h + z * n

    The paper scans in log space. That takes positive start states and loses digits of float32 where gates are
    saturated (the logarithms of 1 - z add up over time), so that we scan the products themselves, see `linear_scan`.
    """

    def __init__(self, *, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        if recurrent_dropout:
            raise ValueError(
                "the cell min_gru has no hidden-to-hidden weights to drop: "
                f"recurrent_dropout must be 0, not {recurrent_dropout}"
            )
        super().__init__(hidden_size=hidden_size)
        self.input = nn.Linear(input_size, 2 * hidden_size)

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return 1 - z and z * n, [..., H] each, for x: [..., input]."""
        a_z, a_n = self.input(x).chunk(2, dim=-1)
        n = torch.where(a_n >= 0, a_n + 0.5, torch.sigmoid(a_n))
        return torch.sigmoid(-a_z), torch.sigmoid(a_z) * n

    def recurrence(self) -> Step:
        """See `Recurrence`."""

        def advance(x: Tensor, h: Tensor) -> RecurrentOutput:
            keep, add = self.terms(x)
            h = keep * h + add
            return RecurrentOutput(h, h)

        return advance

    def forward(self, x: Tensor, state: Tensor | None = None, lengths: Tensor | None = None) -> RecurrentOutput:
        """See `RecurrentLayer`; runs in log2(T) rounds."""
        kept, outputs = linear_scan(*self.terms(x))
        if state is not None:
            outputs = outputs + kept * state.unsqueeze(1)
        return RecurrentOutput(outputs, last_real(outputs, lengths))


def linear_scan(keep: Tensor, add: Tensor) -> tuple[Tensor, Tensor]:
    """Solve h_t = keep_t * h_{t-1} + add_t for all t at once, in log2(T) rounds (Hillis and Steele 1986).

    Two neighbouring steps are one step of the same form: first (k, a), then (k', a'), is (k' k, a' + k' a). After
    the round of distance d, the entry at t stands for the last 2d steps up to t.

    With 0 <= keep <= 1, products only shrink: nothing overflows, and no gradient is a quotient.

    Args:
        keep: [B, T, H].
        add: [B, T, H].

    Returns:
        The product of keep up to t, and h_t from h_0 = 0, [B, T, H] each. From another start: h_t + product_t * h_0.
    """
    distance = 1
    while distance < keep.shape[1]:
        before, after = slice(None, -distance), slice(distance, None)
        add = torch.cat([add[:, :distance], add[:, after] + keep[:, after] * add[:, before]], dim=1)
        keep = torch.cat([keep[:, :distance], keep[:, after] * keep[:, before]], dim=1)
        distance *= 2
    return keep, add


CELLS: dict[str, Callable[..., RecurrentLayer]] = {
    "standard": StandardGRU,
    "output_gated": OutputGatedGRU,
    "layer_norm": LayerNormGRU,
    "minimal": MinimalGRU,
    "min_gru": MinGRU,
}
"""Constructors, all with `(*, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0)`."""
