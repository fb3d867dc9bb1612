"""`mt-export`: a model folder that needs no torch to translate."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mt.commands._cli import application
from mt.errors import ConfigError, ModelFolderError

__all__ = ["app", "main"]


class Format(Enum):
    """What can be exported to."""

    onnx = "onnx"


def export(
    model: Annotated[Path, typer.Option(metavar="FOLDER", help="Model folder, as mt-train leaves in runs/NAME/model.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The ONNX model folder to make.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights of one byte: less than half the size, and faster on most CPUs.")
    ] = False,
    format: Annotated[Format, typer.Option("--format", help="What to export to.")] = Format.onnx,
) -> None:
    """Export a model to ONNX Runtime, which translates faster on a CPU, and without PyTorch.

    mt-translate and mt-evaluate take the exported folder as they take any other. The
    packages onnx, onnxruntime and onnxscript are needed.

    mt-export --model runs/mine/model --output runs/mine/onnx

    mt-export --model runs/mine/model --output runs/mine/int8 --int8
    """
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise ConfigError(f"{output} exists already: remove it, or give another --output")
    from mt.folder import is_onnx_folder
    from mt.onnx import require_packages

    require_packages("onnx", "onnxruntime", "onnxscript")
    if is_onnx_folder(model):
        raise ModelFolderError(f"{model} was exported already: give the model folder that mt-train wrote")
    from mt.model_folder import load_model  # loads torch
    from mt.onnx.export import export_onnx

    loaded = load_model(model)
    try:
        export_onnx(output, loaded, int8=int8)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    megabytes = sum(path.stat().st_size for path in output.iterdir()) / 1e6
    print(f"{output} has {megabytes:.1f} MB; measure it: mt-evaluate --model {output}")


app = application(export)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
