"""The hook in `mt-train`: a callback that notes how good the model is after how long."""

import time

import pytorch_lightning as pl

from mt.evaluation.metrics import VALIDATION_BLEU

__all__ = ["CURVE", "NoteCurve"]

CURVE = "curve.tsv"
"""What `NoteCurve` writes, where mt-train runs."""


class NoteCurve(pl.Callback):
    """Writes a line for every validation: seconds of training, validation not counted, and BLEU."""

    def __init__(self) -> None:
        self._began = self._held_at = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._began = time.monotonic()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._held_at = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        with open(CURVE, "a", encoding="utf-8") as curve:
            print(self._held_at - self._began, float(trainer.callback_metrics[VALIDATION_BLEU]), sep="\t", file=curve)
        self._began += time.monotonic() - self._held_at
