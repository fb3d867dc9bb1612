"""Attention over the encoder's outputs (the memory)."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

__all__ = ["ATTENTIONS", "AdditiveAttention", "Attended", "Attention", "Memory"]


class Memory(NamedTuple):
    """What the decoder may look at, fixed while a sentence is translated."""

    values: Tensor  # [B, S, C]
    keys: Tensor  # [B, S, A]: the values as the attention compares them, projected once per sentence
    mask: Tensor  # [B, S] bool, True = real token

    def select(self, index: Tensor) -> "Memory":
        """Keep the sentences at index: [B'], cut to the longest of them (padding is always at the end)."""
        mask = self.mask[index]
        longest = int(mask.sum(1).max()) if len(index) else 0
        return Memory(self.values[index, :longest], self.keys[index, :longest], mask[:, :longest])


class Attended(NamedTuple):
    """The result of one look at the memory."""

    context: Tensor  # [B, T, C]: the weighted mean of the values
    weights: Tensor  # [B, T, S]: sum to 1, exactly 0 on padding


class Attention(Protocol):
    """Compares queries with keys and averages the values."""

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """Project the keys once. Args: values: [B, S, C], mask: [B, S]."""
        ...

    def __call__(self, query: Tensor, memory: Memory) -> Attended:
        """Look at the memory from every query: [B, T, H].

        T is whatever is asked at once: target positions, or the K hypotheses of a beam, which thereby share
        one copy of their sentence's memory.
        """
        ...


class AdditiveAttention(nn.Module):
    """energy = v . tanh(W query + U value)   (Bahdanau et al. 2015, appendix A.1.2)."""

    def __init__(self, *, query_size: int, value_size: int, attention_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(value_size, attention_size)
        self.energy = nn.Linear(attention_size, 1, bias=False)

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Attention`."""
        return Memory(values, self.key(values), mask)

    def forward(self, query: Tensor, memory: Memory) -> Attended:
        """See `Attention`."""
        query = self.query(query).unsqueeze(2)  # [B, T, 1, A]
        keys = memory.keys.unsqueeze(1)  # [B, 1, S, A]
        energies = self.energy(torch.tanh(query + keys)).squeeze(3)  # [B, T, S]
        weights = energies.masked_fill(~memory.mask.unsqueeze(1), -torch.inf).softmax(dim=2)
        return Attended(torch.bmm(weights, memory.values), weights)


ATTENTIONS: dict[str, type[AdditiveAttention]] = {"additive": AdditiveAttention}
