"""Translation shared out among processes, in order."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

from mt.errors import MTError
from mt.request import Request
from mt.search import Hypothesis
from mt.translator import Translator
from mt.windows import WINDOW, windows

__all__ = ["ParallelTranslator"]

AHEAD = 2  # windows per process that are read before the first is needed

_translator: Translator | MTError | None = None
"""Of a worker process, or why it has none."""


class ParallelTranslator:
    """Translates like `Translator`, window by window, each in the next process that is free.

    Args:
        load: makes a translator on a device; is sent to the processes, and so must be importable there.
        devices: one process for each.
    """

    def __init__(self, load: Callable[[str], Translator], devices: Sequence[str]) -> None:
        context = multiprocessing.get_context("spawn")
        places: Any = context.Queue()
        for device in devices:
            places.put(device)
        self._processes = len(devices)
        self._pool = ProcessPoolExecutor(len(devices), mp_context=context, initializer=_start, initargs=(load, places))

    def translate_n_best(
        self, lines: Iterable[str | Request], *, n_best: int, window: int = WINDOW, first: int = 1, **changes: Any
    ) -> Iterator[list[Hypothesis]]:
        """See `Translator.translate_n_best`.

        Raises:
            MTError: also if a process ends by itself, or cannot load the model.
        """
        pending: deque[Future[list[list[Hypothesis]]]] = deque()
        translate = partial(_translate, n_best=n_best, **changes)
        try:
            for number, requests in windows(lines, window, first):
                pending.append(self._pool.submit(translate, requests, number))
                if len(pending) > AHEAD * self._processes:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        except BrokenProcessPool as error:
            raise MTError("a process that translates has died: memory may be short, try fewer --devices") from error
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _start(load: Callable[[str], Translator], places: Any) -> None:
    """Load the model in a new process, which leaves Ctrl-C to the one that started it, and does not outlive it."""
    global _translator
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _translator = load(places.get())
    except MTError as error:  # raised here it would just break the pool
        _translator = error


def _end_with_parent() -> None:
    """Wait until the process that started this one has died, as by SIGKILL, and end then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _translate(requests: list[Request], first: int, **options: Any) -> list[list[Hypothesis]]:
    if isinstance(_translator, MTError):
        raise _translator
    assert _translator is not None
    return _translator.translate_window(requests, first=first, **options)
