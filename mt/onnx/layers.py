"""Layers that a graph without Python can hold, in the place of those whose kernels or loops it cannot."""

import copy
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional

from mt.model import Seq2Seq
from mt.nn.attention import AdditiveAttention, Attention, SingleHead
from mt.nn.cells import RecurrentLayer, StandardGRU
from mt.nn.recurrence import Recurrence, RecurrentOutput, Step
from mt.nn.rnn import Bidirectional, DeepTransition

__all__ = ["ByteRows", "Rows", "exportable"]


def exportable(model: Seq2Seq, *, int8: bool = False) -> Seq2Seq:
    """Return a copy of a model, in float32 on the CPU and for inference, that `torch.onnx.export` can follow.

    Decoders go step by step, and need no change but for the energies of additive attention. The encoder's loops over
    time become one operator of ONNX each: GRU for the standard cell, Scan for all others.

    Args:
        model: stays as it is.
        int8: whether the embeddings are kept in int8; the rest is up to `mt.onnx.quantisation`.
    """
    model = copy.deepcopy(model).float().cpu().eval()
    if int8:
        for side in (model.encoder, model.decoder):
            weight = side.embedding.weight.detach()
            # which multiplies by the root of its width, see mt.nn.embedding
            side.embedding = ByteRows(weight, factor=weight.shape[1] ** 0.5)  # type: ignore[assignment]
    model.encoder.layers = nn.ModuleList(_in_one_operator(cast(Bidirectional, layer)) for layer in model.encoder.layers)
    attending = model.decoder.attending
    if plain := PLAIN.get(type(attending.attention)):
        attending.attention = plain(attending.attention)
    return model


class BothDirectionsGRU(nn.Module):
    """A bidirectional standard GRU as the operator GRU of ONNX, which knows each row's length."""

    def __init__(self, layer: Bidirectional) -> None:
        super().__init__()
        directions = cast(tuple[StandardGRU, ...], (layer.left_to_right, layer.right_to_left))
        self.hidden_size = directions[0].hidden_size
        W, U, b, c = (
            torch.stack([*map(_gates_of_onnx, parts)])
            for parts in zip(*(one.weights() for one in directions), strict=True)
        )
        self.W, self.U, self.biases = (nn.Buffer(part.detach()) for part in (W, U, torch.cat([b, c], dim=1)))

    def forward(self, x: Tensor, lengths: Tensor) -> RecurrentOutput:
        """See `Bidirectional`."""
        (B, T, _), H = x.shape, self.hidden_size
        outputs, last = torch.onnx.ops.symbolic_multi_out(
            "GRU",
            (x.transpose(0, 1), self.W, self.U, self.biases, lengths.to(torch.int32)),
            {"direction": "bidirectional", "hidden_size": H, "linear_before_reset": 1},
            dtypes=(x.dtype, x.dtype),
            shapes=((T, 2, B, H), (2, B, H)),
        )
        return RecurrentOutput(outputs.permute(2, 0, 1, 3).flatten(2), last.transpose(0, 1).flatten(1))


class Scanned(Recurrence):
    """Any recurrent layer of an encoder, as the operator Scan of ONNX."""

    def __init__(self, layer: RecurrentLayer) -> None:
        super().__init__(hidden_size=layer.hidden_size)
        if isinstance(layer, DeepTransition) and type(layer.first) is StandardGRU:
            layer.first = PlainGRU(layer.first)
        self.layer = cast(Recurrence, layer)

    def forward(self, x: Tensor, state: Tensor | None = None, lengths: Tensor | None = None) -> RecurrentOutput:
        """See `RecurrentLayer`; starts from zeros, and needs the lengths."""
        assert state is None
        assert lengths is not None

        def advance(state: Tensor, x_t: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            # the layer's step is made in here, for a scan must not be given two views of one weight,
            # and clones are returned, for it must not return one value twice
            output, after = self.layer.recurrence()(x_t, state)
            return after, (output.clone(), after.clone())

        first = x.new_zeros(x.shape[0], self.hidden_size)
        _, (outputs, states) = scan(advance, first, self.layer.project(x).transpose(0, 1))
        last = (lengths - 1)[None, :, None].expand(1, x.shape[0], self.hidden_size)
        return RecurrentOutput(outputs.transpose(0, 1), states.gather(0, last)[0])


class PlainGRU(Recurrence):
    """`StandardGRU` without `torch.nn.GRU`, into which a loop must not look while it is exported."""

    def __init__(self, cell: StandardGRU) -> None:
        super().__init__(hidden_size=cell.hidden_size)
        self.W, self.U, self.b, self.c = (nn.Buffer(part.detach()) for part in cell.weights())

    def recurrence(self) -> Step:
        """See `Recurrence`."""

        def advance(x: Tensor, h: Tensor) -> RecurrentOutput:
            h = torch.gru_cell(x, h, self.W, self.U, self.b, self.c)
            return RecurrentOutput(h, h)

        return advance


class PlainAdditiveAttention(SingleHead):
    """`AdditiveAttention` as its equation is written, without the kernel in memory that is used again."""

    def __init__(self, attention: AdditiveAttention) -> None:
        super().__init__()
        self.query, self.key, self.energy = attention.query, attention.key, attention.energy

    def energies(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """See `SingleHead`."""
        energies: Tensor = self.energy((self.query(query).unsqueeze(2) + keys.unsqueeze(1)).tanh())
        return energies.squeeze(3)


class Rows(nn.Module):
    """Picks rows of a matrix: weight: [V, D]."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Buffer(weight)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids: [M] to [M, D]."""
        return self.weight.index_select(0, ids)


class ByteRows(nn.Module):
    """`Rows` of a matrix in int8, of which every row has a scale of its own; they come multiplied by factor."""

    def __init__(self, weight: Tensor, *, factor: float = 1.0) -> None:
        super().__init__()
        scales = weight.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny) / 127
        self.codes = nn.Buffer((weight / scales).round().to(torch.int8))
        self.scales = nn.Buffer(scales * factor)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids: [...] to [..., D]."""
        return functional.embedding(ids, self.codes).to(self.scales.dtype) * functional.embedding(ids, self.scales)


PLAIN: dict[type, Callable[..., Attention]] = {AdditiveAttention: PlainAdditiveAttention}


def _in_one_operator(layer: Bidirectional) -> nn.Module:
    if type(layer.left_to_right) is StandardGRU:
        return BothDirectionsGRU(layer)
    return Bidirectional(left_to_right=Scanned(layer.left_to_right), right_to_left=Scanned(layer.right_to_left))


def _gates_of_onnx(rows: Tensor) -> Tensor:
    """Bring the gates r, z, n, below each other, into the order z, r, n."""
    r, z, n = rows.chunk(3)
    return torch.cat([z, r, n])
