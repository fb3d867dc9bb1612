"""The scores of a sweep: a dot for each run, mean and spread for each cell."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt.pictures._drawing import BLUE, ORANGE, check_picture_path, save, style, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mt.evaluation.sweep import SweepCell

__all__ = ["SWEEP_KINDS", "sweep_picture"]

SWEEP_KINDS = (".png", ".svg")
WIDTH, ROW = 4.0, 0.3  # inches, of the panel and of a cell's row in it
GAP = 0.2  # inches, between two columns of text
CHARACTER = 0.078  # inches, the usual width of a letter
MOST_CELLS = 100


def sweep_picture(cells: "Sequence[SweepCell]", path: Path) -> bool:
    """Draw validation BLEU, the cells below each other in the order given, their settings to the left.

    Returns:
        False, without a file, if no cell has a score.

    Raises:
        ConfigError: the file name ends neither in .png nor in .svg, or cannot be written.
    """
    check_picture_path(path, SWEEP_KINDS)
    scored = [cell for cell in cells if cell.scores]
    if not scored:
        return False
    with style():
        save(_sweep_figure(scored), path)
    return True


def _sweep_figure(scored: "Sequence[SweepCell]") -> "Figure":
    """Measure the panel in inches, so that a row is as high in every picture; the text lies around it."""
    from matplotlib.figure import Figure

    drawn = scored[:MOST_CELLS]
    figure = Figure(figsize=(WIDTH, ROW * len(drawn)))
    axes = figure.add_axes((0, 0, 1, 1))
    for row, cell in enumerate(drawn):
        _draw_scores(axes, row, cell)
    _write_settings(axes, drawn)
    _write_beside(axes, 0, "mean ± sd" if any(cell.deviation is not None for cell in drawn) else "", x=1, ha="left")
    for row, cell in enumerate(drawn, start=1):
        _write_beside(axes, row, _result(cell), x=1, ha="left")
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.set_yticks(range(len(drawn)), [])
    axes.margins(x=0.06)
    tidy(axes)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(
        "validation BLEU" + (f", the best {MOST_CELLS} of {len(scored)}" if len(scored) > len(drawn) else "")
    )
    return figure


def _draw_scores(axes: "Axes", row: int, cell: "SweepCell") -> None:
    if cell.mean is not None and cell.deviation is not None:
        ends = cell.mean - cell.deviation, cell.mean + cell.deviation
        axes.plot(ends, (row, row), color=ORANGE, linewidth=6, alpha=0.3, solid_capstyle="butt")
        axes.plot((cell.mean, cell.mean), (row - 0.28, row + 0.28), color=ORANGE, linewidth=2)
    axes.plot(cell.scores, [row] * len(cell.scores), "o", color=BLUE, markersize=4.5, alpha=0.75, markeredgewidth=0)


def _result(cell: "SweepCell") -> str:
    return f"{cell.mean:.2f}" + ("" if cell.deviation is None else f" ± {cell.deviation:.2f}")


def _write_settings(axes: "Axes", cells: "Sequence[SweepCell]") -> None:
    """Write a column for each setting, from the panel to the left, under its name."""
    offset = 0.0
    for key in reversed(cells[0].settings):
        column = [key, *(cell.settings[key] or "–" for cell in cells)]
        for row, text in enumerate(column):
            _write_beside(axes, row, text, x=0, ha="right", offset=-offset)
        offset += GAP + CHARACTER * max(map(len, column))


def _write_beside(axes: "Axes", row: int, text: str, *, x: int, ha: Any, offset: float = 0.0) -> None:
    """Write left (x = 0) or right (x = 1) of the panel; row 0 is the heading. `offset` is in inches."""
    axes.annotate(
        text, (x, row - 1), xycoords=("axes fraction", "data"), ha=ha, va="center_baseline", annotation_clip=False,
        xytext=((offset + (GAP if x else -GAP)) * 72, 0), textcoords="offset points", parse_math=False,
        weight="normal" if row else "bold",
    )  # fmt: skip
