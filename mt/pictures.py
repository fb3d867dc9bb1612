"""Pictures of attention and of learning curves, for paper and screen."""

import csv
import html
import io
import math
import os
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from mt.errors import ConfigError, DataError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

__all__ = ["AttentionItem", "attention_picture", "attention_pictures", "check_picture_path", "learning_curves"]

ATTENTION_KINDS = (".html", ".png", ".svg")
CURVE_KINDS = (".png", ".svg")
WORD_START = "▁"  # SentencePiece's mark
CELL = 0.3  # inches, the side of one weight
GAP = 0.4  # inches, below each sentence
CHARACTER = 0.085  # inches, the usual width of one letter of a label
DOTS_PER_INCH = 200
LARGEST_SIDE = 2**16 - 1  # pixels, matplotlib's limit
BLUE, ORANGE, INK, FAINT = "#0b4a8f", "#c8500a", "#222222", "#d9d9d9"
FALLBACK_FONTS = ("Noto Sans", "Noto Sans CJK JP", "Noto Sans Devanagari", "Hiragino Sans", "Arial Unicode MS")


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionItem:
    """Where the model looked while it wrote one translation.

    Args:
        weights: attention, [T, S], each row sums to 1
        source_pieces: S labels, EOS included if it has a column
        target_pieces: T labels, EOS included if it has a row
    """

    weights: "np.ndarray[tuple[int, int], np.dtype[np.floating]]"
    source_pieces: Sequence[str]
    target_pieces: Sequence[str]

    def __post_init__(self) -> None:
        labels = len(self.target_pieces), len(self.source_pieces)
        if self.weights.shape != labels:
            raise ValueError(f"weights are {self.weights.shape}, but the labels [target, source] {labels}")


def check_picture_path(path: Path, kinds: Sequence[str] = ATTENTION_KINDS) -> None:
    """Raise a ConfigError, before any work is done, if no picture of these kinds can be written to this path."""
    ending = path.suffix.lower()
    if ending not in kinds:
        raise ConfigError(f"{path}: {ending or 'no ending'} is no kind of picture. {did_you_mean(ending, kinds)}")
    if not path.parent.is_dir():
        raise ConfigError(f"{path} cannot be written: the folder {path.parent} does not exist.")


def attention_picture(
    *,
    weights: "np.ndarray[tuple[int, int], np.dtype[np.floating]]",
    source_pieces: Sequence[str],
    target_pieces: Sequence[str],
    path: Path,
) -> None:
    """Draw the attention of one sentence; see `AttentionItem` and `attention_pictures`."""
    item = AttentionItem(weights=weights, source_pieces=source_pieces, target_pieces=target_pieces)
    attention_pictures([item], path)


def attention_pictures(items: Sequence[AttentionItem], path: Path) -> None:
    """Draw the attention of sentences below each other: source across, translation down, dark where it looked.

    Args:
        items: sentences without any label are left out
        path: .png and .svg become pictures, .html a page that shows each weight under the pointer

    Raises:
        ConfigError: the file name has another ending, or cannot be written; too many sentences for a picture.
        DataError: there is nothing to draw.
    """
    check_picture_path(path)
    items = [item for item in items if item.weights.size]
    if not items:
        raise DataError(f"There is no attention to draw in {path}: no sentence has any words.")
    if path.suffix.lower() == ".html":
        _write(path, _attention_page(items).encode())
        return
    if max(_attention_size(items)) * DOTS_PER_INCH > LARGEST_SIDE:
        raise ConfigError(f"{len(items)} sentences are too many for {path}: write .html, or give fewer sentences.")
    with _style():
        _save(_attention_figure(items), path)


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
    bleu = _curve(tables, "validation/bleu")
    if not (training or validation or bleu):
        return False
    with _style():
        from matplotlib.figure import Figure

        panels = [panel for panel in ((training, validation), (bleu,)) if any(panel)]
        figure = Figure(figsize=(6.5, 2.6 * len(panels)), layout="constrained")
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel in zip(rows, panels, strict=True):
            _tidy(axes)
            if panel == (bleu,):
                _draw_bleu(axes, bleu)
            else:
                _draw_losses(axes, training, validation)
        rows[-1].set_xlabel("optimizer steps")
        rows[-1].xaxis.get_major_locator().set_params(integer=True)
        _save(figure, path)
    return True


# --- attention ----------------------------------------------------------------------------------------------------


def _label(piece: str) -> str:
    """Show a piece without its mark of a word's start; a lone mark as an open box."""
    text = piece.removeprefix(WORD_START) or "␣"
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in {"Cc", "Cs"} else c for c in text)


def _starts_word(pieces: Sequence[str]) -> list[bool]:
    """Tell for each piece whether it begins a word; plain words, which carry no mark, all do."""
    marked = any(piece.startswith(WORD_START) for piece in pieces)
    return [not marked or piece.startswith(WORD_START) or piece == "</s>" for piece in pieces]


def _label_length(labels: Sequence[str]) -> float:
    """Estimate the width of the widest label, inches; Chinese and Japanese letters count twice."""
    return CHARACTER * max(sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in label) for label in labels)


def _room(item: AttentionItem) -> tuple[float, float]:
    """Return the inches that the labels take to the left of a panel and, at 45 degrees, above it."""
    left = _label_length([_label(piece) for piece in item.target_pieces])
    above = _label_length([_label(piece) for piece in item.source_pieces])
    return 0.5 + left, 0.3 + 0.75 * above


def _attention_size(items: Sequence[AttentionItem]) -> tuple[float, float]:
    """Return width and height of the figure, inches."""
    width = max(_room(item)[0] for item in items) + CELL * max(len(item.source_pieces) for item in items) + 1.2
    return width, sum(_room(item)[1] + CELL * len(item.target_pieces) + GAP for item in items)


def _attention_figure(items: Sequence[AttentionItem]) -> "Figure":
    """Place one panel per sentence, measured in inches, so that a cell is as large in every panel."""
    from matplotlib.figure import Figure

    width, height = _attention_size(items)
    figure = Figure(figsize=(width, height))
    left = max(_room(item)[0] for item in items)
    bottom = height
    for item in items:
        panel_width, panel_height = CELL * len(item.source_pieces), CELL * len(item.target_pieces)
        bottom -= _room(item)[1] + panel_height
        axes = figure.add_axes((left / width, bottom / height, panel_width / width, panel_height / height))
        _draw_attention(axes, item)
        if item is items[0]:
            bar_height = min(panel_height, 1.5)
            at = (left + panel_width + 0.2) / width, (bottom + panel_height - bar_height) / height
            _draw_scale(figure.add_axes((*at, 0.1 / width, bar_height / height)), axes)
        bottom -= GAP
    return figure


def _draw_attention(axes: "Axes", item: AttentionItem) -> None:
    axes.pcolormesh(item.weights, cmap=_colours(), vmin=0, vmax=1)
    axes.invert_yaxis()
    axes.xaxis.tick_top()
    axes.set_xticks(_centres(item.source_pieces), [_label(piece) for piece in item.source_pieces])
    axes.set_yticks(_centres(item.target_pieces), [_label(piece) for piece in item.target_pieces])
    for label in axes.get_xticklabels():
        label.set(rotation=45, rotation_mode="anchor", ha="left", va="baseline", parse_math=False)
    for label in axes.get_yticklabels():
        label.set(parse_math=False)
    for draw, pieces in ((axes.axvline, item.source_pieces), (axes.axhline, item.target_pieces)):
        for position, starts in enumerate(_starts_word(pieces)):
            if position:  # pieces of one word stay closer together than words
                draw(position, color="white", linewidth=2.5 if starts else 0.5)
    axes.tick_params(length=0, pad=3)
    axes.spines[:].set(color=FAINT, linewidth=0.8)
    axes.set_xlabel("source")
    axes.xaxis.set_label_position("bottom")
    axes.set_ylabel("translation")


def _draw_scale(axes: "Axes", panel: "Axes") -> None:
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(panel.collections[0], cax=axes, ticks=[0, 0.5, 1])
    bar.outline.set(color=FAINT, linewidth=0.8)
    bar.set_label("attention")
    axes.tick_params(length=0)


def _centres(pieces: Sequence[str]) -> list[float]:
    return [index + 0.5 for index in range(len(pieces))]


def _colours() -> "LinearSegmentedColormap":
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("attention", ["#f4f6f9", "#8fb8de", BLUE, "#062a54"])


PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Attention</title>
<style>
  body { font: 15px/1.4 system-ui, sans-serif; color: $ink; margin: 2rem; }
  figure { margin: 0 0 3rem; overflow: hidden; padding: 1px; }
  table { border-spacing: 1px; }
  th { font-weight: normal; padding: 0 .4em; white-space: nowrap; }
  thead th { writing-mode: vertical-rl; rotate: 180deg; text-align: left; padding: .4em 0; }
  tbody th { text-align: right; }
  td { position: relative; width: 1.9em; height: 1.9em; padding: 0; text-align: center; font-size: 75%;
       background: linear-gradient(rgb(11 74 143 / var(--w)) 0 0) #f4f6f9; color: transparent; cursor: crosshair; }
  td:hover { outline: 2px solid $orange; color: $ink; }
  td.dark:hover { color: white; }
  td:hover::after { content: ""; position: absolute; inset: -999rem 0; pointer-events: none;
                    border: solid $orange; border-width: 0 1px; }
  tr:hover th { color: $orange; font-weight: 600; }
  caption { caption-side: bottom; text-align: left; padding-top: .6em; color: #666; }
</style>
</head>
<body>
$figures
</body>
</html>
""")


def _attention_page(items: Sequence[AttentionItem]) -> str:
    figures = "\n".join(_attention_table(item) for item in items)
    return PAGE.substitute(figures=figures, ink=INK, orange=ORANGE)


def _attention_table(item: AttentionItem) -> str:
    source = [html.escape(_label(piece)) for piece in item.source_pieces]
    target = [html.escape(_label(piece)) for piece in item.target_pieces]
    lines = ["<figure><table>", "<caption>source across, translation down</caption>", "<thead><tr><td></td>"]
    lines += [f'<th scope="col">{piece}</th>' for piece in source]
    lines += ["</tr></thead>", "<tbody>"]
    for piece, row in zip(target, item.weights, strict=True):
        lines.append(f'<tr><th scope="row">{piece}</th>')
        for origin, weight in zip(source, row, strict=True):
            shade = ' class="dark"' if weight > 0.5 else ""
            title = f"{origin} → {piece}: {weight:.3f}"
            lines.append(f'<td{shade} style="--w:{weight:.3f}" title="{title}">{weight:.2f}</td>')
        lines.append("</tr>")
    return "\n".join([*lines, "</tbody>", "</table></figure>"])


# --- learning curves ----------------------------------------------------------------------------------------------


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


def _tidy(axes: "Axes") -> None:
    axes.grid(color=FAINT, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)


# --- files --------------------------------------------------------------------------------------------------------


@contextmanager
def _style() -> Iterator[None]:
    """Set fonts and ink, without leaving a trace in the caller's matplotlib; letters no font knows become boxes."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    families = ["DejaVu Sans", *(font for font in FALLBACK_FONTS if font in installed), "sans-serif"]
    settings: dict[Any, Any] = {
        "font.family": families,
        "font.size": 9,
        "svg.fonttype": "none",  # text stays text, so that the viewer finds the fonts
        "svg.hashsalt": "mt",  # the same picture gives the same file
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+|Matplotlib currently does not support")
        yield


def _save(figure: "Figure", path: Path) -> None:
    content = io.BytesIO()
    kind = path.suffix.lower()[1:]
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(content, format=kind, dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.1, metadata=metadata)
    _write(path, content.getvalue())


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half done."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
