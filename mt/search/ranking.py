"""What finished hypotheses are ranked by: their log-probability, seen beside their length and what they covered."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mt.errors import ConfigError, did_you_mean
from mt.search.step import Floats, Ids

__all__ = ["LENGTH_PENALTIES", "Ranking"]

Totals = Floats | Ids | float

LENGTH_PENALTIES: dict[str, Callable[[Totals, Totals, float], Totals]] = {
    "none": lambda total, length, alpha: total,
    "average": lambda total, length, alpha: total / length,
    "gnmt": lambda total, length, alpha: total / ((5 + length) / 6) ** alpha,
    "reward": lambda total, length, alpha: total + alpha * length,
}
"""From the sum of the log-probabilities of a hypothesis, its length with EOS, and alpha, to what it is ranked by.

none: the sum, which favours short translations. average: per token. gnmt: Wu et al. (2016), equation 14, without its
coverage. reward: alpha nats for each token (He et al. 2016, "Improved neural machine translation with SMT features").
"""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """How search compares hypotheses of different lengths.

    For a given sum none of the length penalties falls with the length: so the longest length allowed gives a bound on
    what a hypothesis can still reach.

    Raises:
        ConfigError: if a value is out of range.
    """

    length_penalty: str = "gnmt"
    """A name in `LENGTH_PENALTIES`."""
    alpha: float = 1.0
    """Strength of gnmt, from 0; reward of a token, nats, from 0."""
    coverage_penalty: float = 0.0
    """Beta of Wu et al. (2016), equation 15: punishes source tokens that received less than 1 of the attention in all."""

    def __post_init__(self) -> None:
        """Check every field."""
        if self.length_penalty not in LENGTH_PENALTIES:
            raise ConfigError(
                f"length normalisation {self.length_penalty!r} is unknown. "
                f"{did_you_mean(str(self.length_penalty), LENGTH_PENALTIES)}"
            )
        for name, value in (("length_penalty", self.alpha), ("coverage_penalty", self.coverage_penalty)):
            if type(value) not in (int, float) or not 0 <= value < float("inf"):
                raise ConfigError(f"{name} must be a number of at least 0, not {value!r}")

    def bound(self, totals: Floats, longest: Ids) -> Floats:
        """Return the most that hypotheses with these sums can reach. Args: totals: [B], longest: tokens with EOS, [B]."""
        return np.asarray(LENGTH_PENALTIES[self.length_penalty](totals, longest, self.alpha))

    def score(self, total: float, length: int, coverage: Floats | None = None) -> float:
        """Return what a finished hypothesis is ranked by.

        Args:
            total: sum of its log-probabilities, nats.
            length: tokens, EOS among them.
            coverage: the attention that each source token received in all, [S]; needed with a coverage penalty.
        """
        score = float(LENGTH_PENALTIES[self.length_penalty](total, length, self.alpha))
        if self.coverage_penalty and coverage is not None:
            score += self.coverage_penalty * float(np.log(coverage.clip(1e-12, 1.0)).sum())
        return score
