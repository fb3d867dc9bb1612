"""Where the messages of a run go: to the terminal and into its log file."""

import logging
import sys
import warnings
from pathlib import Path

import rich
from rich.logging import RichHandler

__all__ = ["set_up_logging"]


def set_up_logging(log_file: Path) -> None:
    """Send what `mt` has to say to standard output and, with the time, to log_file (appended).

    On a terminal the lines go through the same Rich console as the progress bar, so that neither breaks the other.
    """
    console: logging.Handler
    if sys.stdout.isatty():
        console = RichHandler(console=rich.get_console(), show_time=False, show_level=False, show_path=False)
    else:
        console = logging.StreamHandler(sys.stdout)
    console.setFormatter(logging.Formatter("%(message)s"))
    file = logging.FileHandler(log_file, encoding="utf-8", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in (console, file):
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("mt").setLevel(logging.INFO)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.captureWarnings(True)
    # advice by Lightning on what this project has decided: workers for tiny batches, an existing run folder
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.* is deprecated.*")
    warnings.filterwarnings("ignore", message="The number of training batches .* is smaller than the logging interval")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
