"""Several models that translate together."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mt.errors import ConfigError, did_you_mean
from mt.search.step import Array, Floats, Ids, Stepper, as_numpy

__all__ = ["COMBINATIONS", "Ensemble"]

COMBINATIONS = {
    "log_linear": "the weighted mean of the log-probabilities, normalised again: all models must agree",
    "arithmetic": "the weighted mean of the probabilities: one model is enough to make a token likely",
}


class EnsembleState(NamedTuple):
    """What each model knows of a batch."""

    parts: tuple[Any, ...]

    def reorder(self, rows: Ids) -> "EnsembleState":
        """See `mt.search.step.SearchState`."""
        return EnsembleState(tuple(part.reorder(rows) for part in self.parts))

    def keep(self, sentences: Ids) -> "EnsembleState":
        """See `mt.search.step.SearchState`."""
        return EnsembleState(tuple(part.keep(sentences) for part in self.parts))


class EnsembleStep(NamedTuple):
    """What the models say together about the next target token of N rows."""

    log_probs: Array  # [N, V]
    state: EnsembleState
    attention: Array  # [N, S]: the weighted mean


class Ensemble:
    """Models with one target vocabulary, searched as if they were one (see `mt.search.step.Stepper`).

    Args:
        models: see `Stepper`.
        weights: of the models, above 0; they need not sum to 1. Equal unless given.
        combination: a name in `COMBINATIONS`.

    Raises:
        ConfigError: if weights and models do not go together, or the combination is unknown.
    """

    def __init__(
        self, models: Sequence[Stepper[Any]], *, weights: Sequence[float] | None = None, combination: str = "log_linear"
    ) -> None:
        weights = weights or [1.0] * len(models)
        if len(weights) != len(models):
            raise ConfigError(f"there are {len(models)} models, but {len(weights)} weights: give one for each")
        if not all(0 < weight < float("inf") for weight in weights):
            raise ConfigError(f"the weights of models must be above 0, not {', '.join(map(str, weights))}")
        if combination not in COMBINATIONS:
            raise ConfigError(
                f"models cannot be combined by {combination!r}. {did_you_mean(combination, COMBINATIONS)}"
            )
        self.models = tuple(models)
        self.weights = np.array(weights) / sum(weights)
        self.combination = combination

    def start(self, src: Ids, src_lengths: Ids, vocabulary: Ids | None = None) -> EnsembleState:
        """See `mt.search.step.Stepper`."""
        return EnsembleState(tuple(model.start(src, src_lengths, vocabulary) for model in self.models))

    def step(self, prev: Ids, state: EnsembleState) -> EnsembleStep:
        """See `mt.search.step.Stepper`."""
        steps = [model.step(prev, part) for model, part in zip(self.models, state.parts, strict=True)]
        log_probs = self._combined([as_numpy(step.log_probs) for step in steps])
        looks = [as_numpy(step.attention) for step in steps]
        attention = sum(weight * look for weight, look in zip(self.weights, looks, strict=True))
        return EnsembleStep(log_probs, EnsembleState(tuple(step.state for step in steps)), attention)

    def _combined(self, log_probs: list[Floats]) -> Floats:
        if self.combination == "arithmetic":
            return _log_sum_exp(
                np.stack([part + np.log(weight) for part, weight in zip(log_probs, self.weights, strict=True)]), 0
            )
        mean = sum(weight * part for weight, part in zip(self.weights, log_probs, strict=True))
        normalised: Floats = mean - _log_sum_exp(mean, 1)[:, None]
        return normalised


def _log_sum_exp(x: Floats, axis: int) -> Floats:
    highest = x.max(axis=axis, keepdims=True)
    total: Floats = np.log(np.exp(x - highest).sum(axis=axis)) + highest.squeeze(axis)
    return total
