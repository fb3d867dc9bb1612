"""What every kind of model folder has beside its weights: plain data, read without torch, and written whole or not at all.

FOLDER/
├── model.yaml            ModelSpec
├── joint.spm             or source.spm and target.spm
└── training.json         where the model comes from, and the decoding defaults
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mt.errors import ConfigError, ModelFolderError
from mt.search.options import DecodingOptions
from mt.text.tokenizer import TokenizerPair

__all__ = [
    "GRAPHS",
    "SPEC",
    "TRAINING",
    "PlainParts",
    "is_onnx_folder",
    "new_folder",
    "read_plain_parts",
    "read_settings",
    "write_plain_parts",
]

SPEC, TRAINING = "model.yaml", "training.json"
GRAPHS = START, STEP, SHORTLIST_STEP = "start.onnx", "step.onnx", "shortlist_step.onnx"
"""Of an ONNX model folder, see `mt.onnx`."""


class PlainParts(NamedTuple):
    """What a folder holds beside the model itself."""

    tokenizers: TokenizerPair
    decoding: DecodingOptions
    training: dict[str, Any]


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder, which takes the place of `folder` at the end of the block, if that raises nothing.

    What was there before stays whole until then.

    Raises:
        OSError: if it cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        scratch.chmod(0o755)
        yield scratch
        _replace(folder, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def is_onnx_folder(folder: str | Path) -> bool:
    """Tell whether a folder is, or was meant to be, what mt-export wrote: for `load_onnx_model`, not `load_model`."""
    return any((Path(folder) / name).exists() for name in GRAPHS)


def write_plain_parts(
    folder: Path, *, settings: dict[str, Any], tokenizers: TokenizerPair, training: dict[str, Any]
) -> None:
    """Write all but the model itself. Args: settings: of the model, `ModelSpec.to_dict()`."""
    (folder / SPEC).write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    tokenizers.save(folder)
    (folder / TRAINING).write_text(json.dumps(training, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> dict[str, Any]:
    """Read the settings of the model.

    Raises:
        ModelFolderError: if the file holds something else.
    """
    path = folder / SPEC
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelFolderError(f"{path} does not describe an mt model: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ModelFolderError(f"{path} does not describe an mt model: it holds no settings of a model")
    return values


def read_plain_parts(folder: Path, *, source_vocabulary: int, target_vocabulary: int) -> PlainParts:
    """Read all but the model itself. Args: source_vocabulary, target_vocabulary: pieces that the model knows.

    Raises:
        ModelFolderError, TokenizerError: if something is missing or damaged, or does not fit the model.
    """
    tokenizers = TokenizerPair.from_folder(folder)
    for name, tokenizer, size in (
        ("source", tokenizers.source, source_vocabulary),
        ("target", tokenizers.target, target_vocabulary),
    ):
        if len(tokenizer) != size:
            raise ModelFolderError(
                f"{folder}: {SPEC} expects {size} {name} pieces, but the SentencePiece model has {len(tokenizer)}: "
                "they come from different trainings"
            )
    training = _read_training(folder / TRAINING)
    return PlainParts(tokenizers, _read_decoding(training, folder / TRAINING), training)


def _replace(folder: Path, scratch: Path) -> None:
    """Put scratch in the place of folder by renaming, the one step that cannot be half done."""
    if not folder.exists():
        os.rename(scratch, folder)
        return
    old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-old-"))
    os.rename(folder, old / folder.name)
    os.rename(scratch, folder)
    shutil.rmtree(old, ignore_errors=True)


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
