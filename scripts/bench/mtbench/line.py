"""The contender's end of the line to whoever gives the orders: a line of JSON each way.

Only the standard library is imported, since this also runs in the peers' environments.
"""

import json
import os
import resource
from typing import Any

__all__ = ["ORDERS", "REPORTS", "Line", "peak_memory"]

ORDERS, REPORTS = "MTBENCH_ORDERS", "MTBENCH_REPORTS"
"""Environment variables that hold the file descriptors of the line."""


class Line:
    """Takes orders and sends reports."""

    def __init__(self) -> None:
        self._orders = os.fdopen(int(os.environ[ORDERS]), "r", encoding="utf-8")
        self._reports = os.fdopen(int(os.environ[REPORTS]), "w", encoding="utf-8")

    def take_order(self) -> Any:
        """Wait for the next order; the process ends when nobody gives orders any more."""
        line = self._orders.readline()
        if not line:
            os._exit(0)  # at once: the peers would save checkpoints
        return json.loads(line)

    def report(self, report: Any) -> None:
        """Answer the last order."""
        print(json.dumps(report), file=self._reports, flush=True)


def peak_memory() -> int:
    """Return the most bytes of memory that this process has held so far (resident set)."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS; elsewhere it counts the parent in
