"""Exports of model folders that are made when they are first asked for, and kept."""

import hashlib
import logging
import os
from importlib.metadata import version
from pathlib import Path

from mt.errors import ConfigError
from mt.folder import is_onnx_folder
from mt.onnx.folder import load_onnx_model
from mt.onnx.model import OnnxModel
from mt.search.options import DecodingOptions
from mt.text.tokenizer import TokenizerPair

__all__ = ["exported_folder", "load_or_export"]

CACHE = Path("~/.cache/mt/onnx")

logger = logging.getLogger(__name__)


def load_or_export(
    folder: str | Path, *, int8: bool, threads: int = 0
) -> tuple[OnnxModel, TokenizerPair, DecodingOptions]:
    """Load an ONNX model folder, or the export of a model folder; see `Translator.from_folder`.

    Raises:
        ModelFolderError: if a folder is missing, incomplete or damaged.
        ConfigError: if packages are not installed, or int8 is asked of a folder that was exported without.
    """
    exported = exported_folder(folder, int8=int8)
    # ONNX Runtime does not know the variable by which everybody else is told
    threads = threads or int(os.environ.get("OMP_NUM_THREADS", "0").split(",")[0] or 0)
    loaded = load_onnx_model(exported, threads=threads)
    if int8 and not loaded.training.get("export", {}).get("int8"):
        raise ConfigError(f"{folder} was exported without int8: give the model folder, or export it with --int8")
    return loaded.model, loaded.tokenizers, loaded.decoding


def exported_folder(folder: str | Path, *, int8: bool) -> Path:
    """Return a folder that was exported, or the export of a model folder, which is made unless it is there.

    It goes by the content of the folder and the version of `mt`. Making it takes torch and some seconds.

    Raises:
        ModelFolderError: if the folder is missing, incomplete or damaged.
        ConfigError: if packages are not installed.
    """
    folder = Path(folder)
    if is_onnx_folder(folder):
        return folder
    place = CACHE.expanduser() / f"{_digest(folder)}{'-int8' if int8 else ''}"
    if not place.is_dir():
        from mt.model_folder import load_model  # loads torch
        from mt.onnx.export import export_onnx

        loaded = load_model(folder)
        logger.warning("exporting %s to %s, once ...", folder, place)
        export_onnx(place, loaded, int8=int8)
    return place


def _digest(folder: Path) -> str:
    """Tell a folder from others by what is in it."""
    digest = hashlib.sha256(version("mt").encode())
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]
