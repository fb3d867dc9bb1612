"""What runs within a contender: train when told to, count what is trained, and report.

Only torch and the standard library are imported, since this also runs in the peers' environments.
"""

import time

import torch

from mtbench.line import Line, peak_memory
from mtbench.matmul import matmul_rate


class Turns:
    """Lets training steps pass while it is this contender's turn, and holds them up while it is not.

    An order is the least seconds of a turn, its answer what makes a `contender.Turn`. The first step of
    a turn finds cold caches and is not counted.
    """

    def __init__(self) -> None:
        self._line = Line()
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
        seconds = self._line.take_order()
        self._tokens, self._multiply_adds, self._steps, self._began = 0, 0.0, 0, None
        self._rates = [matmul_rate()]
        self._seconds = float(seconds)

    def _report(self, model: torch.nn.Module, seconds: float) -> None:
        memory = peak_memory()
        self._rates.append(matmul_rate())
        report = {
            "tokens": self._tokens,
            "seconds": seconds,
            "steps": self._steps,
            "multiply_adds": self._multiply_adds,
            "matmul_rate": sum(self._rates) / len(self._rates),
            "peak_memory": memory,
            "parameters": sum(weight.numel() for weight in model.parameters()),
            "threads": torch.get_num_threads(),
        }
        self._line.report(report)
        self._seconds = None
