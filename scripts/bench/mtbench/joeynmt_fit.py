"""Runs `python -m joeynmt train` for some seconds and saves the model: python -m mtbench.joeynmt_fit CONFIG SECONDS."""

import os
import sys
from typing import Any

from joeynmt.__main__ import main  # type: ignore[import-not-found]
from joeynmt.training import TrainManager  # type: ignore[import-not-found]

from mtbench.stopwatch import Stopwatch

config, seconds = sys.argv[1:]
stopwatch = Stopwatch(seconds=float(seconds))
train_step = TrainManager._train_step


def train_until_then(manager: Any, batch: Any) -> Any:
    if stopwatch.is_over():
        manager._save_checkpoint(False, float("nan"))  # neither the best nor judged
        os._exit(0)  # at once: without the validation at the end
    return train_step(manager, batch)


TrainManager._train_step = train_until_then
sys.argv[1:] = ["train", config, "--skip-test"]
main()
