"""Runs `onmt_train` and saves the model after so many seconds: python -m mtbench.opennmt_fit CONFIG SECONDS ..."""

import sys
from pathlib import Path
from typing import Any

from onmt.bin.train import main  # type: ignore[import-not-found]
from onmt.trainer import Trainer  # type: ignore[import-not-found]

from mtbench.stopwatch import Stopwatch

config, *marks = sys.argv[1:]
stopwatch = Stopwatch([float(mark) for mark in marks])
update = Trainer._gradient_accumulation


def timed_update(trainer: Any, *arguments: Any) -> Any:
    def save() -> Path:
        step = trainer.optim.training_step
        trainer.model_saver.save(step, moving_average=trainer.moving_average)
        return Path(f"{trainer.model_saver.base_path}_step_{step}.pt")

    stopwatch.before_step(save)
    return update(trainer, *arguments)


Trainer._gradient_accumulation = timed_update
sys.argv[1:] = ["-config", config]
main()
