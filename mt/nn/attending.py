"""The first layer of a decoder: it reads the target and looks at the memory, in one of four orders."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from mt.nn.attention import Attention, Memory
from mt.nn.cells import RecurrentLayer, Step

__all__ = [
    "AttendedSequence",
    "AttendingLayer",
    "AttendingStep",
    "AttentionalLayer",
    "ConditionalLayer",
    "InputFeedingLayer",
    "ParallelLayer",
    "Sizes",
]

State = tuple[Tensor, ...]  # batch first: [N, ...]
MakeCell = Callable[[int], RecurrentLayer]  # from the input size


class Sizes(NamedTuple):
    """Widths of what a decoder handles."""

    embedding: int  # E
    context: int  # C
    hidden: int  # H


class AttendingStep(NamedTuple):
    """One position of N rows."""

    output: Tensor  # [N, H]
    context: Tensor  # [N, C]
    attention: Tensor  # [N, S]
    state: State


class AttendedSequence(NamedTuple):
    """All positions of B sentences."""

    outputs: Tensor  # [B, T, H]
    contexts: Tensor  # [B, T, C]
    attention: Tensor  # [B, T, S]


class AttendingLayer(Protocol):
    """Reads embedded target tokens, and looks at the memory once for each."""

    attention: Attention

    def start(self, initial: Tensor, memory: Memory) -> State:
        """Return the state before the first position, from the recurrent state initial: [B, H]."""
        ...

    def step(self, x: Tensor, memory: Memory, state: State) -> AttendingStep:
        """Advance N = B * K rows by one position: x: [N, E]."""
        ...

    def __call__(self, x: Tensor, memory: Memory, state: State) -> AttendedSequence:
        """Run over x: [B, T, E]; equals repeated `step`."""
        ...


class ParallelLayer(nn.Module):
    """The recurrence reads the target alone, so that all positions look at the memory at once.

    s_t = GRU(x_t, s_{t-1}),  c_t = attention(s_t)

    Training has no loop over time: a fused recurrent kernel, then one batched product. What was attended to reaches
    the recurrence of the decoder's further layers, which read s_t and c_t (as in Luong et al. 2015 without input
    feeding, and as the upper layers of Wu et al. 2016).

    Raises:
        ValueError: if the attention needs the coverage, which positions that look at once do not have.
    """

    def __init__(self, *, sizes: Sizes, make_cell: MakeCell, attention: Attention) -> None:
        if attention.needs_coverage:
            raise ValueError(
                "the parallel decoder looks from all positions at once, when there is no coverage yet: choose another "
                "attention, or decoder=attentional, conditional or input_feeding"
            )
        super().__init__()
        self.cell = make_cell(sizes.embedding)
        self.attention = attention

    def start(self, initial: Tensor, memory: Memory) -> State:
        """See `AttendingLayer`."""
        return (initial,)

    def step(self, x: Tensor, memory: Memory, state: State) -> AttendingStep:
        """See `AttendingLayer`."""
        output, after = self.cell.step(x, *state)
        context, attention = _look(self.attention, output, memory)
        return AttendingStep(output, context, attention, (after,))

    def forward(self, x: Tensor, memory: Memory, state: State) -> AttendedSequence:
        """See `AttendingLayer`."""
        outputs = self.cell(x, *state).outputs
        return AttendedSequence(outputs, *self.attention(outputs, memory))


class SteppingLayer(nn.Module):
    """Base of the layers whose recurrence depends on what was attended to, so that they train position by position.

    The state is the recurrent one, and, where the attention asks for it, the coverage: the weights that each source
    position has received so far, [N, S] (Tu et al. 2016).
    """

    def __init__(self, attention: Attention, *cells: RecurrentLayer) -> None:
        super().__init__()
        self.attention = attention
        self.cells = nn.ModuleList(cells)  # type: ignore[arg-type]

    def start(self, initial: Tensor, memory: Memory) -> State:
        """See `AttendingLayer`."""
        if self.attention.needs_coverage:
            return (initial, torch.zeros_like(memory.mask, dtype=initial.dtype))
        return (initial,)

    def advance(self, x: Tensor, memory: Memory, state: State, *moves: Step) -> AttendingStep:
        """Do one step; moves are the steps of the cells."""
        raise NotImplementedError

    def step(self, x: Tensor, memory: Memory, state: State) -> AttendingStep:
        """See `AttendingLayer`."""
        return self.advance(x, memory, state, *[cell.step for cell in self.cells])  # type: ignore[arg-type]

    def forward(self, x: Tensor, memory: Memory, state: State) -> AttendedSequence:
        """See `AttendingLayer`."""
        moves = [cell.stepper() for cell in self.cells]  # type: ignore[operator]
        steps = []
        for x_t in x.unbind(1):
            *step, state = self.advance(x_t, memory, state, *moves)
            steps.append(step)
        return AttendedSequence(*(torch.stack(parts, 1) for parts in zip(*steps, strict=True)))

    def look(self, query: Tensor, memory: Memory, coverage: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Look from query: [N, H]; return the context [N, C], the weights [N, S], and what is covered now."""
        coverage = [part[:, : memory.mask.shape[1]] for part in coverage]  # the longest sentence may have left
        context, weights = _look(self.attention, query, memory, *coverage)
        return context, weights, [part + weights for part in coverage]


class AttentionalLayer(SteppingLayer):
    """It looks with its previous state, and moves then (Bahdanau et al. 2015, appendix A.1.2).

    c_t = attention(s_{t-1}),  s_t = GRU([x_t; c_t], s_{t-1})
    """

    def __init__(self, *, sizes: Sizes, make_cell: MakeCell, attention: Attention) -> None:
        super().__init__(attention, make_cell(sizes.embedding + sizes.context))

    def advance(self, x: Tensor, memory: Memory, state: State, *moves: Step) -> AttendingStep:
        """See `SteppingLayer`."""
        (move,), (previous, *coverage) = moves, state
        context, attention, coverage = self.look(previous, memory, coverage)
        output, after = move(torch.cat([x, context], dim=1), previous)
        return AttendingStep(output, context, attention, (after, *coverage))


class ConditionalLayer(SteppingLayer):
    """It moves with the target, looks, and moves again with what it saw (Sennrich et al. 2017, Nematus, section 2).

    s'_t = GRU_1(x_t, s_{t-1}),  c_t = attention(s'_t),  s_t = GRU_2(c_t, s'_t)
    """

    def __init__(self, *, sizes: Sizes, make_cell: MakeCell, attention: Attention) -> None:
        super().__init__(attention, make_cell(sizes.embedding), make_cell(sizes.context))

    def advance(self, x: Tensor, memory: Memory, state: State, *moves: Step) -> AttendingStep:
        """See `SteppingLayer`."""
        (read, take_in), (previous, *coverage) = moves, state
        query, between = read(x, previous)
        context, attention, coverage = self.look(query, memory, coverage)
        output, after = take_in(context, between)
        return AttendingStep(output, context, attention, (after, *coverage))


class InputFeedingLayer(SteppingLayer):
    """It moves with the target and its last attentional vector, and looks then (Luong et al. 2015, section 3.3).

    s_t = GRU([x_t; a_{t-1}], s_{t-1}),  c_t = attention(s_t),  a_t = tanh(W [c_t; s_t])   (equation 5); a_t is the output.
    """

    def __init__(self, *, sizes: Sizes, make_cell: MakeCell, attention: Attention) -> None:
        super().__init__(attention, make_cell(sizes.embedding + sizes.hidden))
        self.combine = nn.Linear(sizes.context + sizes.hidden, sizes.hidden, bias=False)

    def start(self, initial: Tensor, memory: Memory) -> State:
        """See `AttendingLayer`."""
        state = super().start(initial, memory)
        return (torch.zeros_like(initial), *state)

    def advance(self, x: Tensor, memory: Memory, state: State, *moves: Step) -> AttendingStep:
        """See `SteppingLayer`."""
        (move,), (fed, previous, *coverage) = moves, state
        output, after = move(torch.cat([x, fed], dim=1), previous)
        context, attention, coverage = self.look(output, memory, coverage)
        attentional = torch.tanh(self.combine(torch.cat([context, output], dim=1)))
        return AttendingStep(attentional, context, attention, (attentional, after, *coverage))


def _look(attention: Attention, query: Tensor, memory: Memory, *coverage: Tensor) -> tuple[Tensor, Tensor]:
    """Look from query: [N, H], with the coverage: [N, S] if any; return the context [N, C] and the weights [N, S].

    The attention sees the hypotheses of each sentence side by side, [B, K, ...].
    """
    B = memory.mask.shape[0]
    queries, *covered = (rows.view(B, -1, rows.shape[1]) for rows in (query, *coverage))
    context, weights = attention(queries, memory, *covered)
    return context.flatten(0, 1), weights.flatten(0, 1)
