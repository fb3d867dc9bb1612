"""Decoders: target tokens so far and the memory to features from which the next token is predicted."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from mt.nn.attention import Attention, Memory
from mt.nn.cells import RecurrentLayer

__all__ = ["DECODERS", "AttentionalDecoder", "Bridge", "Decoder", "DecoderState", "StepOutput"]


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


class Decoder(Protocol):
    """What training and search need of a decoder. N = B * K rows share the memory of B sentences."""

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """Prepare the encoder's outputs, values: [B, S, C], mask: [B, S], to be attended to."""
        ...

    def start(self, memory: Memory, summary: Tensor) -> DecoderState:
        """Return the state before the first target token, B rows. Args: summary: [B, C]."""
        ...

    def step(self, prev: Tensor, memory: Memory, state: DecoderState) -> StepOutput:
        """Read the previous target tokens, prev: [N], and predict one position further."""
        ...

    def __call__(self, tgt_in: Tensor, memory: Memory, summary: Tensor) -> Tensor:
        """Teacher forcing: tgt_in: [B, T] to features [B, T, F]; equals repeated `step` up to rounding."""
        ...


class Bridge(nn.Module):
    """First decoder states from the encoder's summary: tanh(W summary), one W per decoder layer."""

    def __init__(self, *, summary_size: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Linear(summary_size, hidden_size) for _ in range(layers))

    def forward(self, summary: Tensor) -> DecoderState:
        """Map summary: [B, C] to one state [B, H] per layer."""
        return DecoderState(torch.tanh(project(summary)) for project in self.project)


class AttentionalDecoder(nn.Module):
    """The decoder of Bahdanau et al. (2015): it looks first, with its previous state, and moves then.

    1. context_t = attention(state of the top layer at t-1, memory)
    2. the first layer reads [embedding of the previous token; context_t], further layers read the one below
    3. features_t = tanh(W [output of the top layer; context_t; embedding])
    """

    def __init__(
        self,
        *,
        embedding: nn.Embedding,
        attention: Attention,
        layers: Sequence[RecurrentLayer],
        bridge: Bridge,
        context_size: int,
        feature_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.attention = attention
        self.layers = nn.ModuleList(layers)  # type: ignore[arg-type]
        self.bridge = bridge
        self.readout = nn.Linear(layers[-1].hidden_size + context_size + embedding.embedding_dim, feature_size)
        self.dropout = nn.Dropout(dropout)

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Decoder`."""
        return self.attention.memory(values, mask)

    def start(self, memory: Memory, summary: Tensor) -> DecoderState:
        """See `Decoder`."""
        state: DecoderState = self.bridge(summary)
        return state

    def step(self, prev: Tensor, memory: Memory, state: DecoderState) -> StepOutput:
        """See `Decoder`."""
        embedded = self.dropout(self.embedding(prev))
        output, context, attention, state = self._advance(embedded, memory, state)
        return StepOutput(self._features(output, context, embedded), state, attention)

    def forward(self, tgt_in: Tensor, memory: Memory, summary: Tensor) -> Tensor:
        """See `Decoder`."""
        embedded = self.dropout(self.embedding(tgt_in))  # [B, T, E]
        state = self.start(memory, summary)
        outputs, contexts = [], []
        for x in embedded.unbind(1):
            output, context, _, state = self._advance(x, memory, state)
            outputs.append(output)
            contexts.append(context)
        return self._features(torch.stack(outputs, 1), torch.stack(contexts, 1), embedded)

    def _advance(
        self, embedded: Tensor, memory: Memory, state: DecoderState
    ) -> tuple[Tensor, Tensor, Tensor, DecoderState]:
        """Move all layers by one position: embedded: [N, E] to output [N, H], context [N, C], attention [N, S]."""
        query = state[-1].view(len(memory.mask), -1, state[-1].shape[1])  # [B, K, H]
        context, attention = (part.flatten(0, 1) for part in self.attention(query, memory))
        x, states = torch.cat([embedded, context], dim=1), []
        for depth, (layer, previous) in enumerate(zip(self.layers, state, strict=True)):
            if depth:
                x = self.dropout(x)
            x, after = layer.step(x, previous)  # type: ignore[operator]
            states.append(after)
        return x, context, attention, DecoderState(states)

    def _features(self, output: Tensor, context: Tensor, embedded: Tensor) -> Tensor:
        """Combine what was computed into [..., F]: a deep output layer, without its maxout (appendix A.2.2)."""
        features = torch.tanh(self.readout(torch.cat([output, context, embedded], dim=-1)))
        dropped: Tensor = self.dropout(features)
        return dropped


DECODERS: dict[str, Callable[..., Decoder]] = {"attentional": AttentionalDecoder}
