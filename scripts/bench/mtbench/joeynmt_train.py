"""Runs `python -m joeynmt train` and makes it take turns: python -m mtbench.joeynmt_train CONFIG."""

import sys
from typing import Any

from joeynmt.__main__ import main  # type: ignore[import-not-found]
from joeynmt.training import TrainManager  # type: ignore[import-not-found]

from mtbench.turns import Turns

turns = Turns()
train_step = TrainManager._train_step


def take_turns(manager: Any, batch: Any) -> Any:
    turns.before_step(manager.model, tokens=batch.ntokens)  # positions that are not padding, EOS among them
    return train_step(manager, batch)


TrainManager._train_step = take_turns
sys.argv[1:] = ["train", sys.argv[1], "--skip-test"]
main()
