"""When the peers save the models that are to translate.

Only the standard library is imported, since this runs in the peers' environments.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["SAVED", "Stopwatch"]

SAVED = "saved.tsv"
"""What a peer saved, in the folder where it ran: seconds of training and the path of the model, line by line."""


class Stopwatch:
    """Starts when it is first looked at, and stands still while something is saved.

    Args:
        marks: seconds of training, ascending, after which the model is saved; the last ends the training.
    """

    def __init__(self, marks: Sequence[float]) -> None:
        self._marks = list(marks)
        self._began: float | None = None

    def before_step(self, save: Callable[[], Path]) -> None:
        """Call before every training step; save writes the model and returns its path."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        seconds = now - self._began
        if seconds < self._marks[0]:
            return
        path = save()
        with open(SAVED, "a", encoding="utf-8") as saved:
            print(seconds, path, sep="\t", file=saved)
        self._marks = [mark for mark in self._marks if mark > seconds]
        if not self._marks:
            os._exit(0)  # at once: without the validation at the end
        self._began += time.monotonic() - now
