"""Runs `python -m joeynmt train` and saves the model after so many seconds: python -m mtbench.joeynmt_fit CONFIG SECONDS ..."""

import sys
from pathlib import Path
from typing import Any

from joeynmt.__main__ import main  # type: ignore[import-not-found]
from joeynmt.training import TrainManager  # type: ignore[import-not-found]

from mtbench.stopwatch import Stopwatch

config, *marks = sys.argv[1:]
stopwatch = Stopwatch([float(mark) for mark in marks])
train_step = TrainManager._train_step


def timed_step(manager: Any, batch: Any) -> Any:
    def save() -> Path:
        manager._save_checkpoint(False, float("nan"))  # neither the best nor judged
        return Path(manager.model_dir) / f"{manager.stats.steps}.ckpt"

    stopwatch.before_step(save)
    return train_step(manager, batch)


TrainManager._train_step = timed_step
sys.argv[1:] = ["train", config, "--skip-test"]
main()
