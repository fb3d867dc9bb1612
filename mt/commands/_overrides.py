"""Checks a Hydra command line before Hydra runs it, to name the nearest valid group, choice or setting."""

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, cast

from hydra import compose, initialize_config_module
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, Transformer
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from mt.errors import ConfigError, did_you_mean

__all__ = ["check_overrides"]

CONFIG_MODULE, CONFIG_NAME = "mt.conf", "train"


def check_overrides(arguments: Sequence[str]) -> list[str]:
    """Compose what the command line asks for, once for each value of a sweep.

    Returns:
        the same command line with the overrides last, where Hydra wants them.

    Raises:
        ConfigError: naming the part that is wrong, and the nearest valid one.
    """
    options = get_args_parser().parse_intermixed_args(list(arguments))
    search_path = [f"hydra.searchpath=[file://{os.path.abspath(options.config_dir)}]"] if options.config_dir else []
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        for overrides in _each_run(options):
            try:
                compose(options.config_name or CONFIG_NAME, overrides=[*search_path, *overrides])
            except (HydraException, OmegaConfBaseException) as error:
                raise ConfigError(_explain(error, overrides, search_path)) from error
    return [*(text for text in arguments if text not in options.overrides), *options.overrides]


def _each_run(options: Namespace) -> Iterator[list[str]]:
    """Yield the overrides with each value of each sweep in its turn (not the whole product)."""
    parsed = [_parse(text) for text in options.overrides]
    plain = [override.input_line or "" for override in parsed if not override.is_sweep_override()]
    sweeps = [override for override in parsed if override.is_sweep_override()]
    if sweeps and not options.multirun:
        raise ConfigError(f"{sweeps[0].input_line} asks for several runs: add -m, as in mt-train -m ...")
    if not sweeps:
        yield plain
    first = {sweep.get_key_element(): _choices(sweep)[0] for sweep in sweeps}
    for sweep in sweeps:
        for choice in _choices(sweep):
            values = {**first, sweep.get_key_element(): choice}
            yield [*plain, *(f"{key}={value}" for key, value in values.items())]


def _choices(sweep: Override) -> list[str]:
    """Return the values of a sweep, of an interval its start. Raises ConfigError if there are none."""
    if sweep.is_interval_sweep():
        return [str(cast(IntervalSweep, sweep.value()).start)]
    choices = [str(choice) for choice in sweep.sweep_iterator(transformer=Transformer.encode)]
    if not choices:
        raise ConfigError(f"{sweep.input_line} matches no choice of {sweep.key_or_group}")
    return choices


def _parse(text: str) -> Override:
    try:
        (override,) = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides([text])
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{text!r} is no setting; write NAME=VALUE, see mt-train --help ({reason})") from error
    return override


def _explain(error: Exception, overrides: list[str], search_path: list[str]) -> str:
    """Find the first override that is wrong by itself; fall back on Hydra's own words."""
    groups = _groups()
    parsed = [_parse(text) for text in overrides]
    chosen: list[str] = []
    for override in parsed:
        key, value = override.key_or_group, override.value()
        if key not in groups:
            continue
        if not override.is_delete() and isinstance(value, str) and value not in groups[key]:
            return f"there is no {key}={value}. {did_you_mean(value, groups[key])}"
        chosen.append(override.input_line or "")
    try:
        config = compose(CONFIG_NAME, overrides=[*search_path, *chosen])
    except (HydraException, OmegaConfBaseException):
        return str(error)
    for override in parsed:
        if override.key_or_group not in groups and not override.is_add() and not override.is_force_add():
            problem = _unknown_key(config, override.key_or_group, groups)
            if problem:
                return problem
    return str(error)


def _groups() -> dict[str, list[str]]:
    """Return every config group with its choices."""
    loader = GlobalHydra.instance().config_loader()
    names = [name for name in loader.list_groups("") if name != "hydra"]
    return {name: loader.get_group_options(name, results_filter=ObjectType.CONFIG) for name in names}


def _unknown_key(config: DictConfig, key: str, groups: dict[str, list[str]]) -> str:
    """Return what to say about a dotted key, nothing if it exists."""
    node: Any = config
    path: list[str] = []
    for part in key.split("."):
        if not isinstance(node, DictConfig):
            return f"{'.'.join(path)} is a value and has no setting {part!r}"
        if part not in node:
            keys = [".".join([*path, str(name)]) for name in chain(node, [] if path else groups)]
            advice = did_you_mean(".".join([*path, part]), set(keys))
            return f"there is no setting {'.'.join([*path, part])!r}. {advice} A new one is added by +{key}=..."
        path.append(part)
        node = node._get_node(part)
    return ""
