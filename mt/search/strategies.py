"""Strategies: which continuations of the hypotheses of a sentence are worth following."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mt.search.next_tokens import NextTokens
from mt.search.step import Floats, Ids
from mt.text.symbols import EOS

__all__ = ["Beam", "Candidates", "DiverseBeam", "Greedy", "Live", "Proposals", "Sample", "Strategy", "proposals"]


class Live(NamedTuple):
    """Unfinished hypotheses of the sentences that are still in the batch: B sentences, K each, t tokens."""

    sentences: Ids  # [B]: their place in the caller's batch
    scores: Floats  # [B, K]: what search compares; -inf for a place that holds no hypothesis
    totals: Floats  # [B, K]: sums of the model's log-probabilities, nats
    tokens: Ids  # [B * K, t]


class Candidates(NamedTuple):
    """Continuations of the hypotheses of each of B sentences, best first."""

    scores: Floats  # [B, M]: -inf where there are fewer than M
    origins: Ids  # [B, M]: which of the K hypotheses is continued
    tokens: Ids  # [B, M]: with which token


class Proposals(NamedTuple):
    """What becomes of the hypotheses."""

    ended: Candidates  # by EOS; others among them have a score of -inf
    going_on: Candidates  # the K live ones of the next step; ended ones among them have a score of -inf


class Strategy(Protocol):
    """Proposes; the loop keeps the books."""

    beam_size: int

    def propose(self, live: Live, tokens: NextTokens) -> Proposals:
        """Choose among all continuations of B * K hypotheses."""
        ...


class Greedy:
    """The likeliest token at each step."""

    beam_size = 1

    def propose(self, live: Live, tokens: NextTokens) -> Proposals:
        """See `Strategy`."""
        best, ids = tokens.best(1)
        return proposals(Candidates(live.scores + best, np.zeros_like(ids), ids), 1)


class Beam:
    """The likeliest hypotheses, side by side.

    Args:
        beam_size: hypotheses followed at a time.
    """

    def __init__(self, *, beam_size: int = 5) -> None:
        self.beam_size = beam_size

    def propose(self, live: Live, tokens: NextTokens) -> Proposals:
        """See `Strategy`."""
        # one of a hypothesis' best tokens may be EOS: one more than the beam has room for leaves enough to go on with
        best, ids = tokens.best(self.beam_size + 1)
        return proposals(best_of_sentence(live.scores, best, ids, 2 * self.beam_size), self.beam_size)


class DiverseBeam:
    """Groups of beams, of which each avoids the tokens that those before it have chosen (Vijayakumar et al. 2018).

    A token costs `diversity` nats for every hypothesis of an earlier group that continues or ends with it at the same step
    (Hamming diversity, section 5.1). What hypotheses are ranked by in the end is not touched. Groups that have drifted
    apart may meet again: then an n-best list has the same translation twice.

    Args:
        beam_size: hypotheses of all groups.
        groups: must divide beam_size.
        diversity: lambda, nats.
    """

    def __init__(self, *, beam_size: int, groups: int, diversity: float) -> None:
        self.beam_size = beam_size
        self.groups = groups
        self.diversity = diversity

    def propose(self, live: Live, tokens: NextTokens) -> Proposals:
        """See `Strategy`."""
        B, K = live.scores.shape
        each = self.beam_size // self.groups
        chosen: list[Proposals] = []
        rows = np.arange(B * K).reshape(B, K)
        for group in range(self.groups):
            places = np.arange(K)[group * each :][:each] if K > 1 else np.arange(1)  # at first all continue one
            best, ids = tokens.best(each + 1)
            own = rows[:, places].ravel()
            candidates = best_of_sentence(live.scores[:, places], best[own], ids[own], 2 * each)
            candidates = candidates._replace(origins=candidates.origins + places[0])
            ended, going_on = proposals(candidates, each)
            chosen.append(Proposals(ended, _widened(going_on, each)))  # a group keeps its places
            taken = _side_by_side(chosen[-1])
            for sentence, scores in enumerate(taken.scores):
                chosen_ids, counts = np.unique(taken.tokens[sentence][np.isfinite(scores)], return_counts=True)
                for token, count in zip(chosen_ids.tolist(), counts.tolist(), strict=True):
                    tokens.penalise(rows[sentence], np.full(K, token), amount=self.diversity * count)
        return Proposals(_side_by_side([one.ended for one in chosen]), _side_by_side([one.going_on for one in chosen]))


class Sample:
    """Hypotheses that are drawn token by token from the model's distribution.

    Args:
        samples: hypotheses of each sentence, drawn independently.
        temperature: above 0; log-probabilities are divided by it, so that less is more predictable.
        top_k: draw among so many likeliest tokens only (Fan et al. 2018); 0: among all.
        top_p: draw among the likeliest tokens that together have this probability (Holtzman et al. 2020).
        generators: one for each sentence of the caller's batch, so that what is drawn does not depend on the others.
    """

    def __init__(
        self,
        *,
        samples: int,
        generators: Sequence[np.random.Generator],
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> None:
        self.beam_size = samples
        self.generators = generators
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p

    def propose(self, live: Live, tokens: NextTokens) -> Proposals:
        """See `Strategy`."""
        B, K = live.scores.shape
        n = self.beam_size
        draws = np.stack([self.generators[sentence].random(n) for sentence in live.sentences])
        origins = np.broadcast_to(np.arange(n) if K > 1 else np.zeros(n, dtype=np.int64), (B, n))
        log_probs, ids = self._drawn_from(tokens)
        highest = log_probs.max(axis=1, keepdims=True)
        highest[~np.isfinite(highest)] = 0.0  # of a hypothesis that rules leave nothing, or that has ended
        weights = np.exp((log_probs - highest) / self.temperature).cumsum(axis=1)
        # the likeliest tokens that reach top_p, at least one
        reached = (weights < self.top_p * weights[:, -1:]).sum(axis=1, keepdims=True)
        total = np.take_along_axis(weights, reached.clip(max=weights.shape[1] - 1), axis=1)
        rows = (np.arange(B)[:, None] * K + origins).ravel()
        places = (weights[rows] <= draws.reshape(-1, 1) * total[rows]).sum(axis=1)
        places = places.clip(max=weights.shape[1] - 1)
        drawn, added = (part[rows, places].reshape(B, n) for part in (ids, log_probs))
        scores = np.take_along_axis(live.scores, origins, axis=1) + added
        candidates = Candidates(scores, origins, drawn)
        ends = drawn == EOS
        return Proposals(_where(candidates, ends), _where(candidates, ~ends))

    def _drawn_from(self, tokens: NextTokens) -> tuple[Floats, Ids]:
        """Return the log-probabilities to draw from and their ids, [N, M]; sorted if that matters."""
        if self.top_k or self.top_p < 1:
            return tokens.best(self.top_k or tokens.vocabulary_size)
        log_probs, ids = tokens.everything()
        return log_probs, np.broadcast_to(ids, log_probs.shape)


def best_of_sentence(scores: Floats, best: Floats, ids: Ids, count: int) -> Candidates:
    """Return the count best continuations of each sentence.

    Args:
        scores: of the hypotheses so far, [B, K].
        best: log-probabilities of the best tokens of each hypothesis, [B * K, M].
        ids: of these tokens, [B * K, M].
        count: of continuations, as far as there are so many.
    """
    B, M = len(scores), best.shape[1]
    totals = (scores.reshape(-1, 1) + best).reshape(B, -1)
    order = np.argsort(-totals, axis=1, kind="stable")[:, :count]
    rows = np.arange(B)[:, None]
    return Candidates(totals[rows, order], order // M, ids.reshape(B, -1)[rows, order])


def proposals(candidates: Candidates, beam_size: int) -> Proposals:
    """End what ends among the first `beam_size` candidates, and let the first `beam_size` others go on.

    Places that no sentence of the batch needs are left out, so that the model does not compute them.
    """
    ends = candidates.tokens == EOS
    ended = _where(_at(candidates, np.s_[:, :beam_size]), ends[:, :beam_size])
    others = _where(candidates, ~ends)
    possible = np.isfinite(others.scores)
    needed = max(1, min(beam_size, int(possible.sum(axis=1).max())))
    order = np.argsort(~possible, axis=1, kind="stable")[:, :needed]
    return Proposals(ended, _at(others, (np.arange(len(order))[:, None], order)))


def _at(candidates: Candidates, place: Any) -> Candidates:
    return Candidates(candidates.scores[place], candidates.origins[place], candidates.tokens[place])


def _where(candidates: Candidates, kept: NDArray[np.bool_]) -> Candidates:
    return candidates._replace(scores=np.where(kept, candidates.scores, -np.inf))


def _widened(candidates: Candidates, width: int) -> Candidates:
    """Fill up with places that hold nothing."""
    missing = ((0, 0), (0, width - candidates.scores.shape[1]))
    scores = np.pad(candidates.scores, missing, constant_values=-np.inf)
    return Candidates(scores, np.pad(candidates.origins, missing), np.pad(candidates.tokens, missing))


def _side_by_side(groups: Sequence[Candidates]) -> Candidates:
    return Candidates(
        np.concatenate([group.scores for group in groups], axis=1),
        np.concatenate([group.origins for group in groups], axis=1),
        np.concatenate([group.tokens for group in groups], axis=1),
    )
