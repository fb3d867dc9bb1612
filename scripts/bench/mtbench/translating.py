"""What runs within a contender that translates: take sentences, translate them, and report how long it took.

Only torch and the standard library are imported, since this also runs in the peers' environments.
"""

import time
from collections.abc import Callable
from typing import Protocol

import torch

from mtbench.line import Line, peak_memory
from mtbench.matmul import matmul_rate

__all__ = ["Translate", "by_length", "take_turns"]


class Translate(Protocol):
    """Raw text to raw text, with all that is between: cutting, batches, search, joining."""

    def __call__(self, texts: list[str], *, beam: int, batch: int) -> list[str]:
        """Translate texts with a beam (1 is greedy), at most batch of them at once, into the same order."""
        ...


def take_turns(
    translate: Translate, *, parameters: int | None = None, counts: Callable[[], dict[str, int]] = dict
) -> None:
    """Translate what the orders say until there are no more.

    An order is {"texts", "beam", "batch", "seconds"}, its answer what makes a `translations.Turn`. The texts are
    translated over and over until the seconds have passed, but at least once, and always to their end. In batches of 1
    each of them is a call of its own, so that its wall time is known. Before, as many as are translated at once are
    translated without being timed, for the first call finds cold caches.

    Args:
        translate: what is timed, as a whole.
        parameters: of the model, if they are not known already.
        counts: returns what has been counted since it was last called.
    """
    line = Line()
    while True:
        order = line.take_order()
        texts, search = order["texts"], {"beam": order["beam"], "batch": order["batch"]}
        rates = [matmul_rate()]
        translate(texts[: search["batch"]], **search)
        counts()
        latencies: list[float] = []
        found: list[str] = []
        passes, seconds = 0, 0.0
        began = time.perf_counter()
        while not passes or seconds < order["seconds"]:
            if search["batch"] == 1:
                found = []
                for text in texts:
                    before = time.perf_counter()
                    found += translate([text], **search)
                    latencies.append(time.perf_counter() - before)
            else:
                found = translate(texts, **search)
            passes += 1
            seconds = time.perf_counter() - began
        counted = counts()
        rates.append(matmul_rate())
        report = {
            "passes": passes,
            "seconds": seconds,
            "latencies": latencies,
            "translations": found,
            "counts": counted,
            "matmul_rate": sum(rates) / len(rates),
            "peak_memory": peak_memory(),
            "parameters": parameters,
            "threads": torch.get_num_threads(),
        }
        line.report(report)


def by_length(translate: Callable[[list[str], int], list[str]]) -> Translate:
    """Make batches of texts of like length for what translates its texts as one batch.

    Length is that in characters, which is known before anything is cut.

    Args:
        translate: takes texts and the beam.
    """

    def in_batches(texts: list[str], *, beam: int, batch: int) -> list[str]:
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        found = [""] * len(texts)
        for first in range(0, len(texts), batch):
            places = order[first : first + batch]
            for place, translation in zip(places, translate([texts[place] for place in places], beam), strict=True):
                found[place] = translation
        return found

    return in_batches
