"""What every picture shares: colours, fonts, and files that are never seen half done."""

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLUE", "DOTS_PER_INCH", "FAINT", "INK", "ORANGE", "check_picture_path", "save", "style", "tidy", "write"]

DOTS_PER_INCH = 200
BLUE, ORANGE, INK, FAINT = "#0b4a8f", "#c8500a", "#222222", "#d9d9d9"
FALLBACK_FONTS = ("Noto Sans", "Noto Sans CJK JP", "Noto Sans Devanagari", "Hiragino Sans", "Arial Unicode MS")


def check_picture_path(path: Path, kinds: Sequence[str]) -> None:
    """Raise a ConfigError, before any work is done, if no picture of these kinds can be written to this path."""
    ending = path.suffix.lower()
    if ending not in kinds:
        raise ConfigError(f"{path}: {ending or 'no ending'} is no kind of picture. {did_you_mean(ending, kinds)}")
    if not path.parent.is_dir():
        raise ConfigError(f"{path} cannot be written: the folder {path.parent} does not exist.")


@contextmanager
def style() -> Iterator[None]:
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


def tidy(axes: "Axes") -> None:
    """Draw a faint grid and no frame but the axes themselves."""
    axes.grid(color=FAINT, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as .png or .svg, by the ending of path."""
    content = io.BytesIO()
    kind = path.suffix.lower()[1:]
    metadata = {"Date": None} if kind == "svg" else None
    figure.savefig(content, format=kind, dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.1, metadata=metadata)
    write(path, content.getvalue())


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half done."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
