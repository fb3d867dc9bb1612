"""Reading an ONNX model folder, without torch."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt.errors import ConfigError, ModelFolderError
from mt.folder import GRAPHS, SPEC, START, TRAINING, read_plain_parts, read_settings
from mt.onnx.model import MEMORY, OUTPUT_LAYER, OnnxModel
from mt.search.options import DecodingOptions
from mt.text.tokenizer import TokenizerPair

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["LoadedOnnxModel", "load_onnx_model", "require_packages"]

WEIGHTS = "weights.bin"
EXPORT_AGAIN = "copy the folder again, or make it again with mt-export"


@dataclass(frozen=True)
class LoadedOnnxModel:
    """The contents of an ONNX model folder."""

    model: OnnxModel
    tokenizers: TokenizerPair
    decoding: DecodingOptions
    """How the model translates unless told otherwise."""
    training: dict[str, Any]
    """That of the model that was exported; `export` tells how."""


def load_onnx_model(folder: str | Path, *, threads: int = 0) -> LoadedOnnxModel:
    """Read an ONNX model folder, ready to translate.

    Args:
        folder: what mt-export wrote.
        threads: of each operation; 0 for as many as there are cores.

    Raises:
        ModelFolderError: if it is missing, incomplete, damaged, or was not written by `mt`.
        ConfigError: if ONNX Runtime is not installed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ModelFolderError(f"{folder} is not a folder: give the ONNX model folder that mt-export wrote")
    if missing := [name for name in (SPEC, TRAINING, *GRAPHS, WEIGHTS) if not (folder / name).is_file()]:
        raise ModelFolderError(
            f"{folder} is not a complete ONNX model folder: it lacks {', '.join(missing)}. "
            "Copy the whole folder, or make one: mt-export --model runs/NAME/model --output FOLDER"
        )
    require_packages("onnxruntime")
    sizes = [read_settings(folder).get(name) for name in ("source_vocabulary", "target_vocabulary")]
    if not all(type(size) is int for size in sizes):
        raise ModelFolderError(f"{folder / SPEC} does not describe an mt model: it lacks the sizes of the vocabularies")
    parts = read_plain_parts(folder, source_vocabulary=sizes[0], target_vocabulary=sizes[1])  # type: ignore[arg-type]
    start, step, shortlist_step = (_session(folder / name, threads) for name in GRAPHS)
    read = {output.name for output in start.get_outputs()}
    if (
        not {*MEMORY, *OUTPUT_LAYER} < read
        or _inputs(step) != {"prev", *read} - {*OUTPUT_LAYER}
        or _inputs(shortlist_step) != {"prev", *read}
    ):
        raise ModelFolderError(f"the graphs in {folder} do not belong together, or are not mt's: {EXPORT_AGAIN}")
    model = OnnxModel(start=start, step=step, shortlist_step=shortlist_step)
    return LoadedOnnxModel(model, parts.tokenizers, parts.decoding, parts.training)


def require_packages(*names: str) -> None:
    """Raise ConfigError if one of the optional packages is not installed."""
    if missing := [name for name in names if find_spec(name) is None]:
        raise ConfigError(f"ONNX models need what is not installed, {', '.join(missing)}: pip install 'mt[onnx]'")


def _session(path: Path, threads: int) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what goes wrong is raised, too
    if path.name == START:
        # its threads would go on waiting busily while those of the steps work
        options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own have no base class
        reason = " ".join(str(error).split())[:300]
        raise ModelFolderError(f"{path} cannot be loaded, {EXPORT_AGAIN} ({reason})") from error


def _inputs(session: "InferenceSession") -> set[str]:
    return {given.name for given in session.get_inputs()}
