"""Learning curves from the tables of Lightning's CSVLogger."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mt.evaluation.metrics import VALIDATION_BLEU
from mt.pictures._drawing import BLUE, ORANGE, check_picture_path, save, style, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CURVE_KINDS", "learning_curves"]

CURVE_KINDS = (".png", ".svg")


def learning_curves(tables: Sequence[Path], path: Path) -> bool:
    """Draw the losses, and BLEU on a panel of its own, from the table that Lightning's CSVLogger writes.

    Returns:
        False, without a file, if the table is missing or holds nothing to draw yet.

    Raises:
        ConfigError: the file name ends neither in .png nor in .svg, or cannot be written.
    """
    check_picture_path(path, CURVE_KINDS)
    training = _curve(tables, "train/loss")
    validation = _curve(tables, "validation/loss")
    bleu = _curve(tables, VALIDATION_BLEU)
    if not (training or validation or bleu):
        return False
    with style():
        from matplotlib.figure import Figure

        panels = [panel for panel in ((training, validation), (bleu,)) if any(panel)]
        figure = Figure(figsize=(6.5, 2.6 * len(panels)), layout="constrained")
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(rows, panels, strict=True):
            tidy(axes)
            if panel == (bleu,):
                _draw_bleu(axes, bleu)
            else:
                _draw_losses(axes, training, validation)
        rows[-1].set_xlabel("optimizer steps")
        rows[-1].xaxis.get_major_locator().set_params(integer=True)
        save(figure, path)
    return True


def _curve(tables: Sequence[Path], column: str) -> list[tuple[float, float]]:
    """Read (step, value) pairs in order of steps; where a resumed run repeats a step, the later row counts."""
    points: dict[float, float] = {}
    for path in tables:
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as table:
                rows = [(row.get("step"), row.get(column)) for row in csv.DictReader(table)]
            # Lightning numbers steps from 0; a value was measured after its step
            points.update({float(step) + 1: float(value) for step, value in rows if step and value})
    return sorted((step, value) for step, value in points.items() if math.isfinite(value))


def _draw_losses(axes: "Axes", training: list[tuple[float, float]], validation: list[tuple[float, float]]) -> None:
    if training:
        axes.plot(*zip(*training, strict=True), color=BLUE, linewidth=1, label="training")
    if validation:
        axes.plot(
            *zip(*validation, strict=True), color=ORANGE, marker="o", markersize=3.5, linewidth=1.5, label="validation"
        )
    axes.set_ylabel("loss (nats per token)")
    axes.legend(frameon=False)


def _draw_bleu(axes: "Axes", bleu: list[tuple[float, float]]) -> None:
    axes.plot(*zip(*bleu, strict=True), color=ORANGE, marker="o", markersize=3.5, linewidth=1.5)
    step, best = max(bleu, key=lambda point: point[1])
    axes.annotate(
        f"{best:.1f}", (step, best), xytext=(0, 6), textcoords="offset points", ha="center", color=ORANGE, weight="bold"
    )
    axes.margins(y=0.18)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("validation BLEU")
