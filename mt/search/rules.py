"""Rules: what a translation must or must not contain, laid down token by token before a strategy chooses."""

from typing import Protocol

import numpy as np

from mt.search.next_tokens import NextTokens
from mt.search.step import Ids
from mt.search.strategies import Live
from mt.text.symbols import BOS, EOS, PAD, UNK

__all__ = ["MinLength", "NoRepeatNgrams", "RepetitionPenalty", "Rule", "SuppressUnknown", "end_at", "rows_of"]

NEVER = np.array([PAD, BOS])  # tokens that no translation contains


class Rule(Protocol):
    """Looks at the hypotheses so far, and lowers what may come next."""

    def apply(self, live: Live, tokens: NextTokens) -> None:
        """Forbid or penalise next tokens of B * K hypotheses."""
        ...


class SuppressUnknown:
    """No unknown token."""

    def apply(self, live: Live, tokens: NextTokens) -> None:
        """See `Rule`."""
        tokens.forbid(np.array([UNK]))


class MinLength:
    """No end before a translation has so many tokens. Args: lengths: without EOS, of the caller's sentences, [B]."""

    def __init__(self, lengths: Ids) -> None:
        self.lengths = lengths

    def apply(self, live: Live, tokens: NextTokens) -> None:
        """See `Rule`."""
        short = np.flatnonzero(self.lengths[rows_of(live)] > live.tokens.shape[1])
        tokens.forbid(np.full_like(short, EOS), short)


class NoRepeatNgrams:
    """No sequence of n tokens twice in a translation (Paulus et al. 2018, section 2.5). Args: n: at least 1."""

    def __init__(self, n: int) -> None:
        self.n = n

    def apply(self, live: Live, tokens: NextTokens) -> None:
        """See `Rule`."""
        so_far, n = live.tokens, self.n
        if so_far.shape[1] < n:
            return
        ngrams = np.lib.stride_tricks.sliding_window_view(so_far, n, axis=1)  # [N, t - n + 1, n]
        last = so_far[:, so_far.shape[1] - (n - 1) :]
        rows, places = np.nonzero((ngrams[:, :, : n - 1] == last[:, None]).all(axis=2))
        tokens.forbid(ngrams[rows, places, n - 1], rows)


class RepetitionPenalty:
    """Tokens that a translation has already get log_prob * penalty (after Keskar et al. 2019, section 4.1).

    Args:
        penalty: 1 or more; 1 changes nothing.
    """

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty

    def apply(self, live: Live, tokens: NextTokens) -> None:
        """See `Rule`."""
        N, t = live.tokens.shape
        pairs = np.stack([np.repeat(np.arange(N), t), live.tokens.ravel()], axis=1)
        rows, ids = np.unique(pairs, axis=0).T
        tokens.penalise(rows, ids, factor=self.penalty)


def end_at(limits: Ids, live: Live, tokens: NextTokens) -> None:
    """Rule out what no translation contains, and where the next token is the last one, everything but EOS.

    Args:
        limits: most tokens of each hypothesis, with EOS, [N].
        live: the hypotheses so far.
        tokens: to be lowered.
    """
    tokens.forbid(NEVER)
    for row in np.flatnonzero(limits <= live.tokens.shape[1] + 1).tolist():
        tokens.allow_only(np.array([EOS]), row)


def rows_of(live: Live) -> Ids:
    """Return the caller's sentence of each hypothesis, [B * K]."""
    return np.repeat(live.sentences, live.scores.shape[1])
