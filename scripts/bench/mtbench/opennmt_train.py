"""Runs `onmt_train` and makes it take turns: python -m mtbench.opennmt_train CONFIG."""

import sys
from typing import Any

from onmt.bin.train import main  # type: ignore[import-not-found]
from onmt.trainer import Trainer  # type: ignore[import-not-found]

from mtbench.turns import Turns

turns = Turns()
update = Trainer._gradient_accumulation


def take_turns(trainer: Any, batches: Any, *arguments: Any) -> Any:
    # tgt: [B, 1 + T, 1], BOS first; what is not padding is scored, EOS included
    tokens = sum(int((batch["tgt"][:, 1:, 0] != trainer.train_loss.padding_idx).sum()) for batch in batches)
    turns.before_step(trainer.model, tokens=tokens)
    return update(trainer, batches, *arguments)


Trainer._gradient_accumulation = take_turns
sys.argv[1:] = ["-config", sys.argv[1]]
main()
