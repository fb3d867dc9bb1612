"""What runs within a contender: train when told to, count what is trained, and report.

Only torch and the standard library are imported, since this also runs in the peers' environments.
"""

import json
import os
import resource
import time

import torch

from mtbench.matmul import matmul_rate

ORDERS, REPORTS = "MTBENCH_ORDERS", "MTBENCH_REPORTS"
"""Environment variables that hold the file descriptors of the line."""


class Turns:
    """Lets training steps pass while it is this contender's turn, and holds them up while it is not.

    An order is a line with the least seconds of a turn, its answer a line of JSON (`contender.Turn`). The first step of
    a turn finds cold caches and is not counted.
    """

    def __init__(self) -> None:
        self._orders = os.fdopen(int(os.environ[ORDERS]), "r")
        self._reports = os.fdopen(int(os.environ[REPORTS]), "w")
        self._seconds: float | None = None  # of the turn that is on
        self._began: float | None = None  # when its first step was done
        self._step = (0, 0.0)  # target tokens and multiply-adds of the step that is on
        self._tokens, self._multiply_adds, self._steps = 0, 0.0, 0
        self._rates: list[float] = []

    def before_step(self, model: torch.nn.Module, *, tokens: int, multiply_adds: float = 0.0) -> None:
        """Call before every training step, with what it will train on; returns when it may begin.

        From one call to the next is a whole step: loading the batch, the model, the optimizer.

        Args:
            model: that is trained.
            tokens: target tokens of the batch, EOS counted, padding not.
            multiply_adds: of the step, if known.
        """
        now = time.perf_counter()
        if self._seconds is not None:
            if self._began is None:
                self._began = now
            else:
                self._tokens += self._step[0]
                self._multiply_adds += self._step[1]
                self._steps += 1
                if now - self._began >= self._seconds:
                    self._report(model, now - self._began)
        while self._seconds is None:
            self._take_order()
        self._step = (tokens, multiply_adds)

    def _take_order(self) -> None:
        line = self._orders.readline()
        if not line:  # nobody gives orders any more
            os._exit(0)  # at once: the peers would save checkpoints
        self._tokens, self._multiply_adds, self._steps, self._began = 0, 0.0, 0, None
        self._rates = [matmul_rate()]
        self._seconds = float(line)

    def _report(self, model: torch.nn.Module, seconds: float) -> None:
        peak_memory = _peak_memory()
        self._rates.append(matmul_rate())
        report = {
            "tokens": self._tokens,
            "seconds": seconds,
            "steps": self._steps,
            "multiply_adds": self._multiply_adds,
            "matmul_rate": sum(self._rates) / len(self._rates),
            "peak_memory": peak_memory,
            "parameters": sum(weight.numel() for weight in model.parameters()),
            "threads": torch.get_num_threads(),
        }
        print(json.dumps(report), file=self._reports, flush=True)
        self._seconds = None


def _peak_memory() -> int:
    """Return the most bytes of memory that this process has held so far (resident set)."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS; elsewhere it counts the parent in
