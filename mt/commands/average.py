"""`mt-average`: one model folder from the mean of several models' weights."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from mt.commands._cli import application
from mt.errors import ConfigError

__all__ = ["app", "main"]


def average(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Run folders, checkpoints in a run folder, or model folders."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The model folder to make.")],
    last: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Of each run folder the latest N checkpoints.", show_default="all"),
    ] = None,
) -> None:
    """Average the weights of several models into one, often a better one.

    They need one architecture and the same tokenizers, and must be relatives:
    checkpoints of one training, or models that were trained on from one model.

    A run folder stands for the checkpoints that it keeps of its validations:
    the latest five, if trained with callbacks.recent.save_top_k=5, and the five
    best, with callbacks.best.save_top_k=5. A checkpoint of a training with
    callbacks=ema stands for the moving average of the weights.

    mt-average runs/mine --last 5 --output runs/mine/averaged

    mt-average runs/mine/checkpoints/step*-bleu*.ckpt --output averaged

    mt-average runs/one/model runs/two/model --output averaged
    """
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise ConfigError(f"{output} exists already: remove it, or give another --output")
    from mt.averaging import average_models  # loads torch
    from mt.model_folder import save_model

    sources = [*_sources(inputs, last)]
    if len(sources) == 1:
        raise ConfigError(
            f"an average needs at least two models, and this is one: {sources[0]}. A run keeps the checkpoints of its "
            "last five validations if it is trained with callbacks.recent.save_top_k=5"
        )
    averaged = average_models(sources)
    try:
        save_model(
            output,
            model=averaged.model,
            spec=averaged.spec,
            tokenizers=averaged.tokenizers,
            training=averaged.training,
        )
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    for source in sources:
        print(source)
    print(f"the average of these {len(sources)} is in {output}; measure it: mt-evaluate --model {output}")


def _sources(inputs: Sequence[Path], last: int | None) -> Iterator[Path]:
    """Yield the model folders and checkpoints that the inputs stand for."""
    from mt.averaging import kept_checkpoints

    for path in inputs:
        if not path.exists():
            raise ConfigError(f"{path} does not exist: give run folders, checkpoints in a run folder, or model folders")
        if path.is_dir() and not any((path / part).exists() for part in ("checkpoints", "model.yaml")):
            raise ConfigError(f"{path} is neither a run folder with checkpoints/ in it, nor a model folder")
    runs = [path for path in inputs if (path / "checkpoints").is_dir()]
    if last is not None and not runs:
        raise ConfigError(f"--last chooses among the checkpoints of a run folder, and {inputs[0]} is none")
    for path in inputs:
        if path not in runs:
            yield path
            continue
        kept = kept_checkpoints(path)
        if len(kept) < (last or 1):
            wanted = "and none can be averaged" if last is None else f"fewer than --last {last}"
            raise ConfigError(
                f"{path} keeps {len(kept)} checkpoints of its validations, {wanted}: train with "
                f"callbacks.recent.save_top_k={last or 5} to keep those of the last {last or 5} validations"
            )
        yield from kept[-(last or 0) :]


app = application(average)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
