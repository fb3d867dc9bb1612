"""The only place where Hydra builds objects."""

from typing import Any

import hydra.utils
from hydra.errors import InstantiationException
from omegaconf.errors import OmegaConfBaseException

from mt.errors import ConfigError, MTError

__all__ = ["build"]


def build(node: Any, **arguments: Any) -> Any:
    """Build what a config node describes by its `_target_`, from plain Python values.

    Args:
        node: of the composed config.
        arguments: what only the program knows, added to the node's own.

    Raises:
        MTError: as raised by what is built.
        ConfigError: if it rejects its arguments, or a value of the node is missing.
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
    except OmegaConfBaseException as error:
        raise ConfigError(_missing(error)) from error


def _missing(error: OmegaConfBaseException) -> str:
    return f"the setting {error.full_key} has no value: {str(error).splitlines()[0]}"
