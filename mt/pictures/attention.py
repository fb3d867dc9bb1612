"""Pictures of attention: where the model looked while it wrote each piece of a translation."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mt.errors import ConfigError, DataError
from mt.pictures._drawing import BLUE, DOTS_PER_INCH, FAINT, check_picture_path, save, style, write
from mt.pictures._labels import AttentionItem, label, starts_word
from mt.pictures._page import attention_page

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

__all__ = ["ATTENTION_KINDS", "AttentionItem", "attention_picture", "attention_pictures"]

ATTENTION_KINDS = (".html", ".png", ".svg")
CELL = 0.3  # inches, the side of one weight
GAP = 0.4  # inches, below each sentence
CHARACTER = 0.085  # inches, the usual width of one letter of a label
LARGEST_SIDE = 2**16 - 1  # pixels, matplotlib's limit


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
    check_picture_path(path, ATTENTION_KINDS)
    items = [item for item in items if item.weights.size]
    if not items:
        raise DataError(f"There is no attention to draw in {path}: no sentence has any words.")
    if path.suffix.lower() == ".html":
        write(path, attention_page(items).encode())
        return
    if max(_attention_size(items)) * DOTS_PER_INCH > LARGEST_SIDE:
        raise ConfigError(f"the sentences are too long for {path}: write .html, or give fewer or shorter ones.")
    with style():
        save(_attention_figure(items), path)


def _label_length(labels: Sequence[str]) -> float:
    """Estimate the width of the widest label, inches; Chinese and Japanese letters count twice."""
    return CHARACTER * max(sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text) for text in labels)


def _room(item: AttentionItem) -> tuple[float, float]:
    """Return the inches that the labels take to the left of a panel and, at 45 degrees, above it."""
    left = _label_length([label(piece) for piece in item.target_pieces])
    above = _label_length([label(piece) for piece in item.source_pieces])
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
    axes.set_xticks(_centres(item.source_pieces), [label(piece) for piece in item.source_pieces])
    axes.set_yticks(_centres(item.target_pieces), [label(piece) for piece in item.target_pieces])
    for text in axes.get_xticklabels():
        text.set(rotation=45, rotation_mode="anchor", ha="left", va="baseline", parse_math=False)
    for text in axes.get_yticklabels():
        text.set(parse_math=False)
    for draw, pieces in ((axes.axvline, item.source_pieces), (axes.axhline, item.target_pieces)):
        for position, starts in enumerate(starts_word(pieces)):
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
