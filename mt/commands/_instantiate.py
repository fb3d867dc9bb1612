"""The only place where Hydra builds objects."""

from collections.abc import Iterator
from typing import Any

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, MissingMandatoryValue

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
    """Raise a ConfigError that names the settings that must be given and were not, if anything built uses them."""
    used = {name: node for name, node in config.items() if name != "data"}  # `datamodule` takes from it what it needs
    try:
        for node in used.values():
            if isinstance(node, DictConfig):
                OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except (MissingMandatoryValue, InterpolationToMissingValueError) as error:
        text = OmegaConf.to_yaml(config.data)
        missing = [key for key in _marked_missing(config.data, "data") if key.count(".") > 1 or f"${{{key}}}" in text]
        missing = missing or [str(error.full_key)]
        names = ", ".join(missing)
        raise ConfigError(f"no value was given for {names}: write {missing[0]}=... on the command line") from error


def _marked_missing(node: DictConfig, path: str) -> Iterator[str]:
    for key in map(str, node):
        if OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key):
            yield f"{path}.{key}"
        elif not OmegaConf.is_missing(node, key) and isinstance(node._get_node(key), DictConfig):
            yield from _marked_missing(node[key], f"{path}.{key}")
