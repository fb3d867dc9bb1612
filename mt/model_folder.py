"""The model folder: everything a translator needs, as plain data that can run no code.

FOLDER/
├── model.yaml            ModelSpec
├── model.safetensors     weights
├── joint.spm             or source.spm and target.spm
└── training.json         where the model comes from, and the decoding defaults
"""

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
import yaml

from mt.errors import ConfigError, ModelFolderError
from mt.model import ModelSpec, Seq2Seq, build_model
from mt.search import DecodingOptions
from mt.text.tokenizer import TokenizerPair

__all__ = ["LoadedModel", "load_model", "save_model"]

SPEC, WEIGHTS, TRAINING = "model.yaml", "model.safetensors", "training.json"


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
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        scratch.chmod(0o755)
        (scratch / SPEC).write_text(yaml.safe_dump(spec.to_dict(), sort_keys=False), encoding="utf-8")
        safetensors.torch.save_model(model, str(scratch / WEIGHTS))
        tokenizers.save(scratch)
        (scratch / TRAINING).write_text(json.dumps(training, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        _replace(folder, scratch)
    except safetensors.SafetensorError as error:
        raise ModelFolderError(f"{folder} cannot be written: {error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
    spec = _read_spec(folder / SPEC)
    tokenizers = TokenizerPair.from_folder(folder)
    for name, tokenizer, size in (
        ("source", tokenizers.source, spec.source_vocabulary),
        ("target", tokenizers.target, spec.target_vocabulary),
    ):
        if len(tokenizer) != size:
            raise ModelFolderError(
                f"{folder}: {SPEC} expects {size} {name} pieces, but the SentencePiece model has {len(tokenizer)}: "
                "they come from different trainings"
            )
    try:
        model = build_model(spec)
    except (RuntimeError, MemoryError) as error:
        raise ModelFolderError(f"{folder / SPEC} describes a model that cannot be built here: {error}") from error
    _load_weights(model, folder / WEIGHTS)
    training = _read_training(folder / TRAINING)
    decoding = _read_decoding(training, folder / TRAINING)
    return LoadedModel(model.to(device).eval(), spec, tokenizers, decoding, training)


def _replace(folder: Path, scratch: Path) -> None:
    """Put scratch in the place of folder by renaming, the one step that cannot be half done."""
    if not folder.exists():
        os.rename(scratch, folder)
        return
    old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-old-"))
    os.rename(folder, old / folder.name)
    os.rename(scratch, folder)
    shutil.rmtree(old, ignore_errors=True)


def _read_spec(path: Path) -> ModelSpec:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ConfigError("it holds no settings of a model")
        return ModelSpec.from_dict(values)
    except (ConfigError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelFolderError(f"{path} does not describe an mt model: {' '.join(str(error).split())}") from error


def _read_training(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelFolderError(f"{path} is damaged: {error}") from error
    if not isinstance(record, dict):
        raise ModelFolderError(f"{path} is damaged: it must hold one JSON object")
    return record


def _read_decoding(training: dict[str, Any], path: Path) -> DecodingOptions:
    try:
        return DecodingOptions(**training.get("decoding", {}))
    except (ConfigError, TypeError) as error:
        raise ModelFolderError(f"{path} has unusable decoding defaults: {error}") from error


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
