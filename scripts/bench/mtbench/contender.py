"""Processes that work in turns, and what those that train report."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import mt
from mt.training.allocator import KEEP_BELOW, TRIM_ABOVE
from mtbench.line import ORDERS, REPORTS

BENCH = Path(__file__).resolve().parents[1]
HOME_OF_MT = Path(mt.__file__).resolve().parents[1]
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
    """A process that trains or translates in turns, in a session of its own, which Ctrl-C does not reach.

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
        line = {ORDERS: str(orders), REPORTS: str(reports)}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**contender_environment(threads), **line},
                pass_fds=(orders, reports),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        os.close(orders)
        os.close(reports)
        self._orders, self._reports = os.fdopen(our_orders, "w"), os.fdopen(our_reports, "r")

    def ask(self, order: Any) -> Any:
        """Give it an order, and wait for its report.

        Raises:
            ContenderFailed: if it does not come back.
        """
        try:
            print(json.dumps(order), file=self._orders, flush=True)
            report = self._reports.readline()
        except BrokenPipeError:
            report = ""
        if not report:
            status = self._process.wait()
            raise ContenderFailed(f"{self.name} ended with status {status}. {last_words(self._log)}")
        return json.loads(report)

    def turn(self, seconds: float) -> Turn:
        """Let it train for at least so many seconds, the first step not counted; see `ask`."""
        values = self.ask(seconds)
        return Turn(**{field.name: values[field.name] for field in fields(Turn)})

    def stop(self) -> None:
        """End it at once, with all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reports.close()
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()


def last_words(log: Path) -> str:
    """Quote the end of a contender's output."""
    last = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL:])
    return f"The last it said:\n{last}"


def contender_environment(threads: int) -> dict[str, str]:
    """Return the environment in which all contenders run: with the mt that runs here, whatever else is installed."""
    path = os.pathsep.join(filter(None, [str(BENCH), os.environ.get("PYTHONPATH"), str(HOME_OF_MT)]))
    ours = {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
    return {**os.environ, **allocator_settings(os.environ), **ours}


def allocator_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that say how all contenders allocate memory: those of the environment, else mt-train's way."""
    ours = f"glibc.malloc.mmap_threshold={KEEP_BELOW}:glibc.malloc.trim_threshold={TRIM_ABOVE}"
    found = {name: value for name, value in sorted(environment.items()) if name.startswith(ALLOCATOR)}
    return found or {"GLIBC_TUNABLES": ours}
