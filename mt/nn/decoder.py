"""The decoder: target tokens so far and the memory to features from which the next token is predicted."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mt.nn.attending import AttendingLayer, AttentionalLayer, ConditionalLayer, InputFeedingLayer, ParallelLayer
from mt.nn.attention import Memory
from mt.nn.cells import RecurrentLayer

__all__ = ["DECODERS", "READOUTS", "Bridge", "Decoder", "DecoderState", "ForcedOutput", "StepOutput"]

DECODERS: dict[str, Callable[..., AttendingLayer]] = {
    "parallel": ParallelLayer,
    "attentional": AttentionalLayer,
    "conditional": ConditionalLayer,
    "input_feeding": InputFeedingLayer,
}
"""A decoder is named after its first layer, see `mt.nn.attending`."""

READOUTS: dict[str, Callable[[], nn.Module]] = {"tanh": nn.Tanh, "linear": nn.Identity}
"""What the features are put through: a tanh bounds how much each of them can say, so that it takes longer to learn."""


class DecoderState(tuple[Tensor, ...]):
    """Everything a decoder carries from step to step: batch-first tensors [N, ...], never changed in place."""

    def reorder(self, index: Tensor) -> "DecoderState":
        """Return the rows at index: [N'], for beams that continue others or sentences that leave the batch."""
        return DecoderState(part[index] for part in self)


class StepOutput(NamedTuple):
    """One decoding step of N rows."""

    features: Tensor  # [N, F]
    state: DecoderState
    attention: Tensor  # [N, S]


class ForcedOutput(NamedTuple):
    """All target positions of B sentences."""

    features: Tensor  # [B, T, F]
    attention: Tensor  # [B, T, S]


class Bridge(nn.Module):
    """First decoder states from the encoder's summary: tanh(W summary), one W per decoder layer."""

    def __init__(self, *, summary_size: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(summary_size, hidden_size) for _ in range(layers))

    def forward(self, summary: Tensor) -> list[Tensor]:
        """Map summary: [B, C] to one state [B, H] per layer."""
        return [torch.tanh(project(summary)) for project in self.project]


class Decoder(nn.Module):
    """Target tokens and memory to features, over all positions at once or step by step.

    1. the attending layer reads the embedded tokens and looks at the memory: outputs s_t, contexts c_t
    2. every further recurrent layer reads [output of the layer below; c_t]   (Wu et al. 2016, section 3)
    3. features_t = f(W [output of the top layer; c_t; embedding] + b), f one of READOUTS   (with the identity Bahdanau
       et al. 2015, appendix A.2.2, without the maxout; with tanh Sennrich et al. 2017, Nematus, section 2)

    N = B * K rows share the memory of B sentences.
    """

    def __init__(
        self,
        *,
        embedding: nn.Embedding,
        attending: AttendingLayer,
        layers: Sequence[RecurrentLayer],
        bridge: Bridge,
        readout: nn.Linear,
        activation: nn.Module,
        dropout: nn.Module,
        residual: bool,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.attending = attending
        self.layers = nn.ModuleList(layers)  # type: ignore[arg-type]
        self.bridge = bridge
        self.readout = readout
        self.activation = activation
        self.dropout = dropout
        self.residual = residual

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """Prepare the encoder's outputs, values: [B, S, C], mask: [B, S], to be attended to."""
        return self.attending.attention.memory(values, mask)

    def start(self, memory: Memory, summary: Tensor) -> DecoderState:
        """Return the state before the first target token, B rows. Args: summary: [B, C]."""
        first, *further = self.bridge(summary)
        return DecoderState([*further, *self.attending.start(first, memory)])

    def step(self, prev: Tensor, memory: Memory, state: DecoderState) -> StepOutput:
        """Read the previous target tokens, prev: [N], and predict one position further."""
        embedded = self.embedding(prev)
        further, first = state[: len(self.layers)], state[len(self.layers) :]
        x, context, attention, first = self.attending.step(embedded, memory, first)
        after = []
        for layer, layer_state in zip(self.layers, further, strict=True):
            output, layer_state = layer.step(torch.cat([x, context], dim=1), layer_state)  # type: ignore[operator]
            after.append(layer_state)
            x = x + output if self.residual else output
        return StepOutput(self._features(x, context, embedded), DecoderState([*after, *first]), attention)

    def forward(self, tgt_in: Tensor, memory: Memory, summary: Tensor) -> Tensor:
        """Return the features of `force`, [B, T, F]."""
        return self.force(tgt_in, memory, summary).features

    def force(self, tgt_in: Tensor, memory: Memory, summary: Tensor) -> ForcedOutput:
        """Teacher forcing: read tgt_in: [B, T], summary: [B, C]; equals repeated `step` up to rounding."""
        embedded = self.dropout(self.embedding(tgt_in))
        state = self.start(memory, summary)
        further, first = state[: len(self.layers)], state[len(self.layers) :]
        x, contexts, attention = self.attending(embedded, memory, first)
        for layer, layer_state in zip(self.layers, further, strict=True):
            x = self.dropout(x)
            output, _ = layer(torch.cat([x, contexts], dim=2), layer_state)
            x = x + output if self.residual else output
        return ForcedOutput(self.dropout(self._features(x, contexts, embedded)), attention)

    def _features(self, output: Tensor, context: Tensor, embedded: Tensor) -> Tensor:
        features: Tensor = self.activation(self.readout(torch.cat([output, context, embedded], dim=-1)))
        return features
