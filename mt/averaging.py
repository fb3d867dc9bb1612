"""One model whose weights are the mean of several: of the checkpoints of a training, or of models that began as one."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from mt.errors import ConfigError, ModelFolderError
from mt.model import ModelSpec
from mt.model_folder import LoadedModel, load_model

__all__ = ["average_models", "kept_checkpoints"]


def kept_checkpoints(run: Path) -> list[Path]:
    """Return the checkpoints that a run folder keeps of its validations, one for each step, the latest last."""
    steps = {}
    for path in sorted((run / "checkpoints").glob("step*.ckpt")):
        if number := re.match(r"step(\d+)", path.name):
            steps[int(number[1])] = path
    return [steps[step] for step in sorted(steps)]


def average_models(paths: Sequence[Path]) -> LoadedModel:
    """Return the model whose every weight is the mean over several models.

    See Junczys-Dowmunt et al. (2016), and Vaswani et al. (2017), section 6.1, who average a training's last checkpoints.
    Means are taken in float64 and rounded once, so that the mean of equal weights is these weights. Decoding defaults
    are those of the first model; `training` tells what was averaged, and has no metric, for nothing was measured.

    Args:
        paths: model folders, and Lightning checkpoints in the run folders that mt-train put them into. Of a training
            with callbacks=ema, a checkpoint stands for its moving average, which is what was validated.

    Raises:
        ModelFolderError: if one cannot be read, or differs from the first in architecture or tokenizers.
    """
    first = _load(paths[0])
    totals = {name: weight.to(torch.float64, copy=True) for name, weight in first.model.state_dict().items()}
    parts = [first.training]
    for path in paths[1:]:
        other = _load(path)
        if differences := "; ".join(_differences(first, other)):
            raise ModelFolderError(f"{paths[0]} and {path} cannot be averaged, for they differ: {differences}")
        for name, weight in other.model.state_dict().items():
            totals[name] += weight
        parts.append(other.training)
    first.model.load_state_dict({name: total / len(paths) for name, total in totals.items()})
    corpora = {part.get("data_fingerprint") for part in parts}
    record = {
        "versions": {name: version(name) for name in ("mt", "torch")},
        "averaged": [{"from": str(path), "step": part.get("step")} for path, part in zip(paths, parts, strict=True)],
        "data_fingerprint": corpora.pop() if len(corpora) == 1 else None,
        "metric": None,
        "decoding": asdict(first.decoding),
    }
    return replace(first, training=record)


def _differences(first: LoadedModel, other: LoadedModel) -> Iterator[str]:
    """Say why two models cannot be averaged."""
    ours, theirs = first.spec.to_dict(), other.spec.to_dict()
    for name, value in ours.items():
        if value != theirs[name]:
            yield f"{name} is {value} and {theirs[name]}"
    for side in ("source", "target"):
        if getattr(first.tokenizers, side) != getattr(other.tokenizers, side):
            yield f"the {side} tokenizer is not the same"


def _load(path: Path) -> LoadedModel:
    return load_model(path) if path.is_dir() else _load_checkpoint(path)


def _load_checkpoint(path: Path) -> LoadedModel:
    """Read a checkpoint; it holds all but the tokenizers, which are in the model folder of its run."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelFolderError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # torch's own message advises to load what may run code
        raise ModelFolderError(f"{path} is damaged, or no checkpoint at all: leave it out") from error
    try:
        identity: dict[str, Any] = checkpoint["mt"]
        spec = ModelSpec.from_dict(_below("model.", identity))
        weights = _below("model.", checkpoint["state_dict"])
        step = checkpoint["global_step"]
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelFolderError(f"{path} is no checkpoint of mt-train") from error
    folder = path.absolute().parent.parent / "model"
    if not folder.is_dir():
        raise ModelFolderError(
            f"{path} has no tokenizers: they are expected in {folder}. Leave a checkpoint in the run folder that "
            "mt-train made"
        )
    base = load_model(folder)
    if base.spec != spec or base.tokenizers.fingerprint != identity.get("tokenizer.fingerprint"):
        raise ModelFolderError(f"{path} and {folder} come from different trainings")
    try:
        base.model.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelFolderError(f"the weights in {path} do not fit its settings: the file is damaged") from error
    return replace(base, training={"data_fingerprint": identity.get("data.fingerprint"), "step": step})


def _below(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
