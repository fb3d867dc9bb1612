"""The only place where Hydra builds objects."""

from collections.abc import Iterator
from typing import Any

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from mt.errors import ConfigError, MTError

__all__ = ["build", "require_values"]


def build(node: Any, **arguments: Any) -> Any:
    """Build what a config node describes by its `_target_`, from plain Python values.

    Args:
        node: of the composed config.
        arguments: what only the program knows, added to the node's own.

    Raises:
        MTError: as raised by what is built.
        ConfigError: if it rejects its arguments.
    """
    try:
        return hydra.utils.instantiate(node, _convert_="all", **arguments)
    except InstantiationException as error:
        cause = error.__cause__
        while isinstance(cause, InstantiationException) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, MTError):
            raise cause from None
        raise ConfigError(f"{node.get('_target_', 'the config')} cannot be built: {cause or error}") from error


def require_values(config: DictConfig) -> None:
    """Raise a ConfigError that names every setting that must be given and was not."""
    missing = sorted(_marked_missing(OmegaConf.to_container(config, resolve=False), ""))
    if missing:
        raise ConfigError(f"no value was given for {', '.join(missing)}: add {missing[0]}=... to the command line")


def _marked_missing(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _marked_missing(value, f"{path}.{key}" if path else str(key))
    elif node == "???":
        yield path
