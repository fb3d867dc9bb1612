"""How to translate, as plain data: the schema of `conf/search` and of the defaults in a model folder."""

from dataclasses import dataclass

from mt.errors import ConfigError

__all__ = ["DecodingOptions"]


@dataclass(frozen=True, kw_only=True)
class DecodingOptions:
    """Settings of a search.

    Raises:
        ConfigError: naming every wrong value at once.
    """

    beam_size: int = 5
    """Hypotheses followed at a time; 1 is greedy."""
    length_penalty: float = 1.0
    """Alpha, see `mt.search.strategies.Beam`."""
    batch_tokens: int = 1024
    """Most source tokens, padding included, that are translated at once."""

    def __post_init__(self) -> None:
        """Check every field."""
        problems = [
            f"{name} must be a whole number of at least 1, not {getattr(self, name)!r}"
            for name in ("beam_size", "batch_tokens")
            if type(getattr(self, name)) is not int or getattr(self, name) < 1
        ]
        if type(self.length_penalty) not in (int, float) or not self.length_penalty >= 0:
            problems.append(f"length_penalty must be a number of at least 0, not {self.length_penalty!r}")
        if problems:
            raise ConfigError("; ".join(problems))
