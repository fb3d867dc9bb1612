"""Processes that train in turns, and what they report."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from mt.training.allocator import KEEP_BELOW, TRIM_ABOVE
from mtbench.turns import ORDERS, REPORTS

BENCH = Path(__file__).resolve().parents[1]
ALLOCATOR = ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "GLIBC_TUNABLES", "MALLOC_")
LOG_TAIL = 20  # lines of a contender's output that are shown when it fails


class ContenderFailed(Exception):
    """A contender has ended by itself; the message holds the last it said."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a contender did in one turn."""

    tokens: int
    """Real target tokens trained on: EOS counted, padding not."""
    seconds: float
    steps: int
    multiply_adds: float
    """Forward and backward, real tokens only; 0 where they are not counted."""
    matmul_rate: float
    """Multiply-adds per second of large matrix products, just before and just after."""
    peak_memory: int
    """Bytes, since the process began."""
    parameters: int
    threads: int

    @property
    def tokens_per_second(self) -> float:
        """Return the speed."""
        return self.tokens / self.seconds

    @property
    def matmul_share(self) -> float:
        """Return the multiply-adds per second as a share of those of large matrix products."""
        return self.multiply_adds / self.seconds / self.matmul_rate


class Contender:
    """A process that trains in turns, in a session of its own, which Ctrl-C does not reach.

    Args:
        name: for people.
        command: starts it.
        folder: where it runs; its output goes to NAME.log beside it.
        threads: for its operations.
    """

    def __init__(self, *, name: str, command: Sequence[str], folder: Path, threads: int) -> None:
        self.name = name
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder.with_name(f"{folder.name}.log")
        orders, our_orders = os.pipe()
        our_reports, reports = os.pipe()
        path = os.pathsep.join(filter(None, [str(BENCH), os.environ.get("PYTHONPATH")]))
        line = {ORDERS: str(orders), REPORTS: str(reports)}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={
                    **os.environ,
                    **allocator_settings(os.environ),
                    **line,
                    "PYTHONPATH": path,
                    "OMP_NUM_THREADS": str(threads),
                },
                pass_fds=(orders, reports),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        os.close(orders)
        os.close(reports)
        self._orders, self._reports = os.fdopen(our_orders, "w"), os.fdopen(our_reports, "r")

    def turn(self, seconds: float) -> Turn:
        """Let it train for at least so many seconds, the first step not counted.

        Raises:
            ContenderFailed: if it does not come back.
        """
        try:
            print(seconds, file=self._orders, flush=True)
            report = self._reports.readline()
        except BrokenPipeError:
            report = ""
        if not report:
            status = self._process.wait()
            last = "\n".join(self._log.read_text(errors="replace").splitlines()[-LOG_TAIL:])
            raise ContenderFailed(f"{self.name} ended with status {status}. The last it said:\n{last}")
        values = json.loads(report)
        return Turn(**{field.name: values[field.name] for field in fields(Turn)})

    def stop(self) -> None:
        """End it at once, with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reports.close()
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()


def allocator_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that say how all contenders allocate memory: those of the environment, else mt-train's way."""
    ours = f"glibc.malloc.mmap_threshold={KEEP_BELOW}:glibc.malloc.trim_threshold={TRIM_ABOVE}"
    found = {name: value for name, value in sorted(environment.items()) if name.startswith(ALLOCATOR)}
    return found or {"GLIBC_TUNABLES": ours}
