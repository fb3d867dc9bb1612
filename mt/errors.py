"""Every error that `mt` raises on purpose, as one tree.

MTError
├── ConfigError        a setting is wrong: unknown name, impossible value, contradicting options
├── DataError          a corpus or an input file is wrong: misaligned, broken UTF-8, missing column
├── TokenizerError     SentencePiece cannot be trained or read
├── ModelFolderError   a model folder is incomplete, damaged or foreign
├── EvaluationError    hypotheses and references cannot be compared
└── TrainingError      training cannot go on: NaN loss, unusable checkpoint, run folder in use
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "ConfigError",
    "DataError",
    "EvaluationError",
    "MTError",
    "ModelFolderError",
    "TokenizerError",
    "TrainingError",
    "did_you_mean",
]


class MTError(Exception):
    """What was wrong, where, and what to do about it, in words for the user; commands exit with code 2."""


class ConfigError(MTError):
    """A setting is wrong."""


class DataError(MTError):
    """A corpus or an input file is wrong."""


class TokenizerError(MTError):
    """A SentencePiece model cannot be trained or read."""


class ModelFolderError(MTError):
    """A model folder is incomplete, damaged or foreign."""


class EvaluationError(MTError):
    """Hypotheses and references cannot be compared."""


class TrainingError(MTError):
    """Training cannot go on."""


def did_you_mean(given: str, valid: Iterable[str]) -> str:
    """Return a sentence that names the nearest valid name and all of them, for the end of an error message."""
    names = sorted(valid)
    nearest = get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{hint}Valid: {', '.join(names)}."
