"""Attention over the encoder's outputs (the memory)."""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from mt.nn.additive import additive_energies

__all__ = [
    "ATTENTIONS",
    "AdditiveAttention",
    "Attended",
    "Attention",
    "CoverageAttention",
    "DotAttention",
    "GeneralAttention",
    "Memory",
    "MultiHeadAttention",
    "ScaledDotAttention",
]


class Memory(NamedTuple):
    """What the decoder may look at, fixed while a sentence is translated."""

    values: Tensor  # [B, S, C], or [B, S, A] where the attention projects what it averages
    keys: Tensor  # [B, S, width of what is compared]: projected once per sentence
    mask: Tensor  # [B, S] bool, True = real token

    def select(self, index: Tensor) -> "Memory":
        """Keep the sentences at index: [B'], cut to the longest of them (padding is always at the end)."""
        mask = self.mask[index]
        longest = int(mask.sum(1).max()) if len(index) else 0
        return Memory(self.values[index, :longest], self.keys[index, :longest], mask[:, :longest])


class Attended(NamedTuple):
    """The result of one look at the memory."""

    context: Tensor  # [B, T, C]: the weighted mean of the values
    weights: Tensor  # [B, T, S]: sum to 1, exactly 0 on padding; at least float32


class Attention(Protocol):
    """Compares queries with keys and averages the values. It keeps no state between calls."""

    needs_coverage: bool
    """Whether calls need the coverage: only decoders that move step by step can give it."""

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """Project once per sentence what does not depend on the query. Args: values: [B, S, C], mask: [B, S]."""
        ...

    def __call__(self, query: Tensor, memory: Memory, coverage: Tensor | None = None) -> Attended:
        """Look at the memory from every query.

        Args:
            query: [B, T, H]. T is whatever is asked at once: target positions, or the K hypotheses of a beam, which
                thereby share one copy of their sentence's memory.
            memory: of B sentences.
            coverage: the sum of the weights at earlier target positions, [B, T, S]; read only where `needs_coverage`.
        """
        ...


def masked_softmax(energies: Tensor, mask: Tensor) -> Tensor:
    """Softmax of energies: [..., S] over the tokens where mask: [..., S] is True, in float32 at least."""
    dtype = torch.promote_types(energies.dtype, torch.float32)
    return energies.masked_fill(~mask, -torch.inf).softmax(dim=-1, dtype=dtype)


def scaled_products(queries: Tensor, keys: Tensor) -> Tensor:
    """Compare queries: [..., T, A] with keys: [..., S, A] by query . key / sqrt(A), giving [..., T, S]."""
    return (queries / math.sqrt(keys.shape[-1])) @ keys.transpose(-2, -1)


class SingleHead(nn.Module):
    """Base of the attentions with one distribution per query: they differ in their keys and energies alone.

    weights = softmax(energies),  context = weights @ values
    """

    needs_coverage = False
    key: nn.Module

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Attention`."""
        return Memory(values, self.key(values), mask)

    def forward(self, query: Tensor, memory: Memory, coverage: Tensor | None = None) -> Attended:
        """See `Attention`."""
        energies = self.energies(query, memory.keys, coverage)
        weights = masked_softmax(energies, memory.mask.unsqueeze(1))
        return Attended(torch.bmm(weights.to(memory.values.dtype), memory.values), weights)

    def energies(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """Compare query: [B, T, H] with keys: [B, S, ...], giving [B, T, S]."""
        raise NotImplementedError


class AdditiveAttention(SingleHead):
    """energy = v . tanh(W query + U value + b)   (Bahdanau et al. 2015, appendix A.1.2)."""

    def __init__(self, *, query_size: int, value_size: int, attention_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(value_size, attention_size)
        self.energy = nn.Linear(attention_size, 1, bias=False)

    def energies(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """See `SingleHead`."""
        return additive_energies(self.query(query), keys, self.energy.weight[0])


class CoverageAttention(AdditiveAttention):
    """energy = v . tanh(W query + U value + b + w coverage): sees what was translated already.

    The linguistic coverage of Tu et al. (2016, section 3.1) with fertility 1, which is equation 11 of See et al.
    (2017): the coverage of a source position is the sum of the weights that it received at earlier target positions.
    """

    needs_coverage = True

    def __init__(self, *, query_size: int, value_size: int, attention_size: int) -> None:
        super().__init__(query_size=query_size, value_size=value_size, attention_size=attention_size)
        self.coverage = nn.Linear(1, attention_size, bias=False)

    def energies(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """See `SingleHead`."""
        if coverage is None:
            raise ValueError(
                "coverage attention needs the coverage, [B, T, S], at every call: zeros at the first target position, "
                "then the sum of the weights so far; a decoder that looks from all positions at once cannot give it"
            )
        sums = self.coverage(coverage.unsqueeze(3)) + self.query(query).unsqueeze(2) + keys.unsqueeze(1)
        energies: Tensor = self.energy(sums.tanh_())
        return energies.squeeze(3)


class DotAttention(SingleHead):
    """energy = query . value   (Luong et al. 2015, section 3.1, "dot"): no parameters.

    Raises:
        ValueError: if queries and values differ in width.
    """

    def __init__(self, *, query_size: int, value_size: int) -> None:
        super().__init__()
        if query_size != value_size:
            raise ValueError(
                f"dot attention compares queries with values directly: query_size {query_size} and value_size "
                f"{value_size} must be equal; general attention bridges different sizes"
            )
        self.key = nn.Identity()

    def energies(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """See `SingleHead`."""
        return torch.bmm(query, keys.transpose(1, 2))


class GeneralAttention(SingleHead):
    """energy = query . W value / sqrt(H)   (Luong et al. 2015, section 3.1, "general"): keys as wide as queries, H.

    The root could be a part of W. Apart from it, a step of Adam moves the energies less, and so they learn.
    """

    def __init__(self, *, query_size: int, value_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(value_size, query_size, bias=False)

    def energies(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """See `SingleHead`."""
        return scaled_products(query, keys)


class ScaledDotAttention(SingleHead):
    """energy = (W query) . (U value) / sqrt(A)   (Vaswani et al. 2017, equation 1, with projections to A)."""

    def __init__(self, *, query_size: int, value_size: int, attention_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(value_size, attention_size, bias=False)

    def energies(self, query: Tensor, keys: Tensor, coverage: Tensor | None) -> Tensor:
        """See `SingleHead`."""
        return scaled_products(self.query(query), keys)


class MultiHeadAttention(nn.Module):
    """Several scaled dot attentions side by side   (Vaswani et al. 2017, section 3.2.2).

    head_i = softmax((W_i query) . (U_i value) / sqrt(A / heads)) @ (V_i value),  context = O [head_1; head_2; ...]

    Each head is A / heads wide. The reported weights are the mean over the heads. Chen et al. (2018) give a recurrent
    decoder four heads, theirs with additive energies.

    Raises:
        ValueError: if attention_size cannot be split into heads of equal width.
    """

    needs_coverage = False

    def __init__(self, *, query_size: int, value_size: int, attention_size: int, heads: int = 4) -> None:
        super().__init__()
        if heads < 1 or attention_size % heads:
            raise ValueError(
                f"multi-head attention splits attention_size into heads of equal width: {attention_size} cannot be "
                f"divided into {heads}"
            )
        self.heads = heads
        self.query = nn.Linear(query_size, attention_size, bias=False)
        self.key = nn.Linear(value_size, attention_size, bias=False)
        self.value = nn.Linear(value_size, attention_size, bias=False)
        self.output = nn.Linear(attention_size, value_size, bias=False)

    def memory(self, values: Tensor, mask: Tensor) -> Memory:
        """See `Attention`; the values that are averaged are projected too, once per sentence."""
        return Memory(self.value(values), self.key(values), mask)

    def forward(self, query: Tensor, memory: Memory, coverage: Tensor | None = None) -> Attended:
        """See `Attention`."""
        queries, keys, values = (self._split(x) for x in (self.query(query), memory.keys, memory.values))
        energies = scaled_products(queries, keys)  # [B, heads, T, S]
        weights = masked_softmax(energies, memory.mask[:, None, None])
        contexts = weights.to(values.dtype) @ values  # [B, heads, T, A / heads]
        return Attended(self.output(contexts.transpose(1, 2).flatten(2)), weights.mean(1))

    def _split(self, x: Tensor) -> Tensor:
        """View x: [B, S, A] as [B, heads, S, A / heads]."""
        return x.view(*x.shape[:2], self.heads, x.shape[2] // self.heads).transpose(1, 2)


# Every entry is called with query_size, value_size, attention_size and, optionally, heads; the constructors take only
# what their equations have.
ATTENTIONS: dict[str, Callable[..., Attention]] = {
    "additive": lambda *, heads=None, **sizes: AdditiveAttention(**sizes),
    "coverage": lambda *, heads=None, **sizes: CoverageAttention(**sizes),
    "dot": lambda *, attention_size, heads=None, **sizes: DotAttention(**sizes),
    "general": lambda *, attention_size, heads=None, **sizes: GeneralAttention(**sizes),
    "scaled_dot": lambda *, heads=None, **sizes: ScaledDotAttention(**sizes),
    "multi_head": MultiHeadAttention,
}
