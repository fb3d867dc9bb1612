"""Runs `onmt_train` for some seconds and saves the model: python -m mtbench.opennmt_fit CONFIG SECONDS."""

import os
import sys
from typing import Any

from onmt.bin.train import main  # type: ignore[import-not-found]
from onmt.trainer import Trainer  # type: ignore[import-not-found]

from mtbench.stopwatch import Stopwatch

config, seconds = sys.argv[1:]
stopwatch = Stopwatch(seconds=float(seconds))
update = Trainer._gradient_accumulation


def train_until_then(trainer: Any, *arguments: Any) -> Any:
    if stopwatch.is_over():
        trainer.model_saver.save(trainer.optim.training_step)
        os._exit(0)  # at once: without the validation at the end
    return update(trainer, *arguments)


Trainer._gradient_accumulation = train_until_then
sys.argv[1:] = ["-config", config]
main()
