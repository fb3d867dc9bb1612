"""How prepared corpora are cached on disk by `datasets`: when an entry is still good, and when its progress shows."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["cache_key", "quiet_unless_terminal"]


def cache_key(*parts: object, files: Iterable[Path]) -> str:
    """Return a fingerprint that changes with `parts` (JSON values) and whenever one of `files` is rewritten.

    A file counts as rewritten when its size or its time of modification differs; its content is not read.
    """
    stamps = [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    return hashlib.sha256(json.dumps([parts, stamps], sort_keys=True).encode()).hexdigest()[:32]


@contextmanager
def quiet_unless_terminal() -> Iterator[None]:
    """Hide the progress bars of `datasets` while standard error is a log file and not a terminal."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    decided_by_user = "HF_DATASETS_DISABLE_PROGRESS_BARS" in os.environ
    if decided_by_user or sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
