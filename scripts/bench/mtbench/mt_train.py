"""The hook in `mt-train`: a callback that makes it take turns."""

from typing import Any, cast

import pytorch_lightning as pl

from mt.data.batching import Batch
from mt.text.symbols import PAD
from mt.training.module import TranslationModule
from mtbench.multiply_adds import MultiplyAdds, count_multiply_adds
from mtbench.turns import Turns


class TakeTurns(pl.Callback):
    """Counts the real tokens and the multiply-adds of every batch."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.multiply_adds: MultiplyAdds | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.multiply_adds = count_multiply_adds(cast(TranslationModule, pl_module).model)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> Any:
        assert self.multiply_adds is not None
        tgt_lengths = (batch.tgt_out != PAD).sum(1)
        multiply_adds = self.multiply_adds.of(batch.src_lengths.cpu(), tgt_lengths.cpu())
        self.turns.before_step(pl_module, tokens=int(tgt_lengths.sum()), multiply_adds=multiply_adds)
