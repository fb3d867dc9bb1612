"""Strategies: which continuations of the hypotheses of a sentence are worth following."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

__all__ = ["Beam", "Candidates", "Greedy", "Strategy"]


class Candidates(NamedTuple):
    """Proposed continuations of each of B sentences, best first."""

    scores: Tensor  # [B, M]: sum of the log-probabilities, nats; -inf where there are fewer than M
    origins: Tensor  # [B, M]: which of the K hypotheses is continued
    tokens: Tensor  # [B, M]: with which token


class Strategy(Protocol):
    """Proposes; the loop keeps the books."""

    beam_size: int

    def propose(self, scores: Tensor, log_probs: Tensor) -> Candidates:
        """Choose among all continuations.

        Args:
            scores: of the hypotheses so far, [B, K].
            log_probs: of the next token, [B, K, V].

        Returns:
            at least `beam_size` candidates beside those that end with EOS, if there are so many.
        """
        ...

    def normalise(self, score: Tensor, length: Tensor) -> Tensor:
        """Turn sums of log-probabilities into what finished hypotheses of length tokens (with EOS) are ranked by.

        For a given score it never falls with the length, so that the longest length allowed gives a bound.
        """
        ...


class Greedy:
    """The likeliest token at each step."""

    beam_size = 1

    def propose(self, scores: Tensor, log_probs: Tensor) -> Candidates:
        """See `Strategy`."""
        best, tokens = log_probs.max(dim=2)
        return Candidates(scores + best, torch.zeros_like(tokens), tokens)

    def normalise(self, score: Tensor, length: Tensor) -> Tensor:
        """See `Strategy`: the plain sum."""
        return score


class Beam:
    """Beam search with the length penalty ((5 + length) / 6) ** alpha of Wu et al. (2016, equation 14).

    Args:
        beam_size: hypotheses followed at a time.
        length_penalty: alpha; 0 ranks by the sum of log-probabilities, which favours short translations.
    """

    def __init__(self, *, beam_size: int = 5, length_penalty: float = 1.0) -> None:
        self.beam_size = beam_size
        self.length_penalty = length_penalty

    def propose(self, scores: Tensor, log_probs: Tensor) -> Candidates:
        """See `Strategy`."""
        B, _, V = log_probs.shape
        totals = (scores.unsqueeze(2) + log_probs).view(B, -1)
        # each hypothesis has one continuation by EOS, so that twice the beam always holds a beam of others
        best, index = totals.topk(min(2 * self.beam_size, totals.shape[1]), dim=1)
        return Candidates(best, index // V, index % V)

    def normalise(self, score: Tensor, length: Tensor) -> Tensor:
        """See `Strategy`."""
        penalty: Tensor = ((5 + length.to(score.dtype)) / 6) ** self.length_penalty
        return score / penalty
