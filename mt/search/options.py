"""How to translate, as plain data: the schema of `conf/search` and of the defaults in a model folder."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from mt.errors import ConfigError, did_you_mean
from mt.search.ranking import Ranking
from mt.search.step import Ids

__all__ = ["DecodingOptions"]

LEAST = {
    "beam_size": 1,
    "beam_groups": 1,
    "length_penalty": 0,
    "coverage_penalty": 0,
    "min_length": 0,
    "min_length_ratio": 0,
    "max_length": 0,
    "max_length_ratio": 0,
    "diversity": 0,
    "top_k": 0,
    "seed": 0,
    "no_repeat_ngram": 0,
    "repetition_penalty": 1,
    "batch_tokens": 1,
}


@dataclass(frozen=True, kw_only=True)
class DecodingOptions:
    """Settings of a search.

    Raises:
        ConfigError: naming every wrong value at once.
    """

    beam_size: int = 5
    """Hypotheses followed at a time; 1 is greedy."""
    length_normalisation: str = "gnmt"
    """How hypotheses of different lengths are compared, see `mt.search.ranking.LENGTH_PENALTIES`."""
    length_penalty: float = 1.5
    """Strength of gnmt and reward."""
    coverage_penalty: float = 0.0
    """See `mt.search.ranking.Ranking`."""
    min_length: int = 0
    """Fewest tokens of a translation, EOS not counted."""
    min_length_ratio: float = 0.0
    """Fewest tokens of a translation for each source token."""
    max_length: int = 0
    """Most tokens of a translation, EOS not counted; 0: as many as max_length_ratio allows."""
    max_length_ratio: float = 2.0
    """Most tokens of a translation for each source token, beside 20 that are always allowed."""
    beam_groups: int = 1
    """Groups of a diverse beam, see `mt.search.strategies.DiverseBeam`; 1: one ordinary beam."""
    diversity: float = 0.5
    """Nats; between the groups of a diverse beam."""
    sample: bool = False
    """Whether to draw translations at random instead of searching for the likeliest; beam_size is not used then."""
    temperature: float = 1.0
    """Of sampling, see `mt.search.strategies.Sample`."""
    top_k: int = 0
    """Of sampling, likewise; 0: all tokens."""
    top_p: float = 1.0
    """Of sampling, likewise."""
    seed: int = 1
    """Of sampling; what is drawn for a sentence depends on this seed and its number alone."""
    no_repeat_ngram: int = 0
    """Length of token sequences that no translation has twice; 0: any may come back."""
    repetition_penalty: float = 1.0
    """See `mt.search.rules.RepetitionPenalty`."""
    suppress_unknown: bool = False
    """Whether translations are made without the unknown token."""
    replace_unknown: bool = False
    """Whether unknown tokens give way to the lexicon's translation of the source word looked at, or to that word."""
    batch_tokens: int = 1024
    """Most source tokens, padding included, that are translated at once."""

    def __post_init__(self) -> None:
        """Check every field."""
        problems = [*self._problems()]
        try:
            self.ranking()
        except ConfigError as error:
            problems += [] if "length_penalty" in str(error) and problems else [str(error)]
        if problems:
            raise ConfigError("; ".join(problems))

    def _problems(self) -> list[str]:
        problems = []
        for field in fields(self):
            value, least = getattr(self, field.name), LEAST.get(field.name)
            if field.type is int and (type(value) is not int or value < (least or 0)):
                problems.append(f"{field.name} must be a whole number of at least {least}, not {value!r}")
            elif field.type is float and least is not None and not _is_number(value, least):
                problems.append(f"{field.name} must be a number of at least {least}, not {value!r}")
            elif field.type is bool and type(value) is not bool:
                problems.append(f"{field.name} must be true or false, not {value!r}")
        for name in ("temperature", "top_p"):
            value, most = getattr(self, name), {"top_p": 1.0}.get(name, np.inf)
            if not (_is_number(value, 0) and 0 < value <= most):
                most_said = "" if most == np.inf else " and at most 1"
                problems.append(f"{name} must be above 0{most_said}, not {value!r}")
        if not problems and self.beam_size % self.beam_groups:
            problems.append(f"beam_groups must divide beam_size: {self.beam_groups} does not divide {self.beam_size}")
        if not problems and self.max_length and self.min_length > self.max_length:
            problems.append(f"min_length {self.min_length} is above max_length {self.max_length}")
        return problems

    def ranking(self) -> Ranking:
        """Return how hypotheses are compared."""
        return Ranking(
            length_penalty=self.length_normalisation, alpha=self.length_penalty, coverage_penalty=self.coverage_penalty
        )

    def limits(self, src_lengths: Ids) -> tuple[Ids, Ids]:
        """Return the fewest tokens of a translation, without EOS, and the most, with EOS; src_lengths: with EOS, [B]."""
        least = np.maximum(self.min_length, np.ceil(self.min_length_ratio * (src_lengths - 1)))
        most = 20 + np.floor(self.max_length_ratio * src_lengths)
        if self.max_length:
            most = np.minimum(most, self.max_length + 1)
        most = np.maximum(most, 1)
        return np.minimum(least, most - 1).astype(np.int64), most.astype(np.int64)

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return these options with some changed; a change to None is none.

        Raises:
            ConfigError: at unknown names and values out of range.
        """
        known = [field.name for field in fields(self)]
        for name in changes:
            if name not in known:
                raise ConfigError(f"there is no decoding option {name!r}. {did_you_mean(name, known)}")
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


def _is_number(value: Any, least: float) -> bool:
    return type(value) in (int, float) and least <= value < float("inf")
