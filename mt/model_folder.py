"""The model folder: everything a translator needs, as plain data that can run no code.

FOLDER/
├── model.yaml            ModelSpec
├── model.safetensors     weights
├── joint.spm             or source.spm and target.spm
└── training.json         where the model comes from, and the decoding defaults
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from mt.errors import ConfigError, ModelFolderError
from mt.folder import SPEC, TRAINING, new_folder, read_plain_parts, read_settings, write_plain_parts
from mt.model import ModelSpec, Seq2Seq, build_model
from mt.search import DecodingOptions
from mt.text.tokenizer import TokenizerPair

__all__ = ["LoadedModel", "load_model", "save_model"]

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class LoadedModel:
    """The contents of a model folder."""

    model: Seq2Seq
    spec: ModelSpec
    tokenizers: TokenizerPair
    decoding: DecodingOptions
    """How the model translates unless told otherwise."""
    training: dict[str, Any]
    """Versions, data fingerprint, step, seconds, metric; may be empty."""


def save_model(
    folder: Path, *, model: Seq2Seq, spec: ModelSpec, tokenizers: TokenizerPair, training: dict[str, Any]
) -> None:
    """Write a model folder; an older one in its place stays whole until the new one is complete.

    Raises:
        OSError, ModelFolderError: if it cannot be written.
    """
    try:
        with new_folder(folder) as scratch:
            write_plain_parts(scratch, settings=spec.to_dict(), tokenizers=tokenizers, training=training)
            safetensors.torch.save_model(model, str(scratch / WEIGHTS))
    except safetensors.SafetensorError as error:
        raise ModelFolderError(f"{folder} cannot be written: {error}") from error


def load_model(folder: str | Path, *, device: str | torch.device = "cpu") -> LoadedModel:
    """Read a model folder, ready to translate.

    Raises:
        ModelFolderError: if it is missing, incomplete, damaged, or was not written by `mt`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelFolderError(f"{folder} is not a folder: give the model folder that mt-train wrote, runs/NAME/model")
    missing = [name for name in (SPEC, WEIGHTS, TRAINING) if not (folder / name).is_file()]
    if missing:
        raise ModelFolderError(
            f"{folder} is not a complete model folder: it lacks {', '.join(missing)}. "
            "Copy the whole folder runs/NAME/model, or train again"
        )
    spec = _read_spec(folder)
    parts = read_plain_parts(folder, source_vocabulary=spec.source_vocabulary, target_vocabulary=spec.target_vocabulary)
    try:
        model = build_model(spec)
    except (RuntimeError, MemoryError) as error:
        raise ModelFolderError(f"{folder / SPEC} describes a model that cannot be built here: {error}") from error
    _load_weights(model, folder / WEIGHTS)
    return LoadedModel(model.to(device).eval(), spec, parts.tokenizers, parts.decoding, parts.training)


def _read_spec(folder: Path) -> ModelSpec:
    try:
        return ModelSpec.from_dict(read_settings(folder))
    except ConfigError as error:
        raise ModelFolderError(f"{folder / SPEC} does not describe an mt model: {error}") from error


def _load_weights(model: Seq2Seq, path: Path) -> None:
    try:
        safetensors.torch.load_model(model, str(path), strict=True)
    except safetensors.SafetensorError as error:
        raise ModelFolderError(f"{path} is damaged ({error}): copy it again, or train again") from error
    except RuntimeError as error:
        raise ModelFolderError(
            f"{path} does not fit {SPEC} beside it: {' '.join(str(error).split())[:300]}. "
            "Both must come from the same training"
        ) from error
