"""What happens around the training steps: resume points, the model folder, the report, throughput."""

import logging
import os
import platform
import signal
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint, Timer, WeightAveraging
from pytorch_lightning.loggers import TensorBoardLogger

from mt.data.batching import Batch
from mt.errors import TrainingError
from mt.evaluation.metrics import VALIDATION_BLEU
from mt.model_folder import save_model
from mt.search import DecodingOptions
from mt.text.symbols import PAD
from mt.text.tokenizer import TokenizerPair
from mt.training.module import TranslationModule

__all__ = ["Interrupted", "ModelExport", "ResumePoint", "Throughput", "ValidationReport"]

logger = logging.getLogger(__name__)


class Interrupted(Exception):
    """Training was asked to stop and has saved everything; `signal_number` says by which signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class ResumePoint(Checkpoint):
    """Keeps one checkpoint from which training goes on exactly: every few seconds, and when asked to stop.

    It is written after each validation, after a training step when `every_seconds` have passed, and at the end.
    Ctrl-C and SIGTERM are answered with a last one and `Interrupted`; a second Ctrl-C stops at once.

    Args:
        path: of the checkpoint; replaced atomically.
        every_seconds: least time between two checkpoints.
    """

    def __init__(self, *, path: str, every_seconds: float = 120.0) -> None:
        self.path = path
        self.every_seconds = every_seconds
        self._saved_at = time.monotonic()
        self._stop_signal: int | None = None
        self._handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen to signals."""
        self._saved_at = time.monotonic()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._ask_to_stop)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Check that averages in the checkpoint do not pass for the weights that the optimizer was moving.

        Raises:
            TrainingError: if they would.
        """
        others = trainer.callbacks  # type: ignore[attr-defined]
        if "averaging_state" in checkpoint and not any(isinstance(other, WeightAveraging) for other in others):
            raise TrainingError(
                "the checkpoint belongs to a training with averaged weights: resume with callbacks=ema, or start "
                "afresh under another name=..."
            )

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the signals back."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time, unless a validation follows: its results belong into the checkpoint."""
        position = trainer.fit_loop.total_batch_idx if trainer.check_val_every_n_epoch is None else batch_idx
        interval = trainer.val_check_batch  # None where validation goes by the clock
        validation_follows = trainer.is_last_batch or trainer.should_stop
        validation_follows |= interval is not None and (position + 1) % interval == 0
        due = self._stop_signal is not None or time.monotonic() - self._saved_at >= self.every_seconds
        # clocks and signals differ between processes, but all of them have to save together
        if not validation_follows and trainer.strategy.reduce_boolean_decision(due, all=False):
            self._save(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save with the results of the validation."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._save(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the end, so that a finished run can be prolonged."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if (trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches and not trainer.is_last_batch:
            return  # gradients that are still being accumulated are in no checkpoint
        part = Path(f"{self.path}.part")
        try:
            trainer.save_checkpoint(part)
            if trainer.is_global_zero:
                os.replace(part, self.path)
        finally:
            if trainer.is_global_zero:
                part.unlink(missing_ok=True)
        self._saved_at = time.monotonic()
        if trainer.strategy.reduce_boolean_decision(self._stop_signal is not None, all=False):
            raise Interrupted(self._stop_signal or signal.SIGTERM)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop_signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        logger.warning("%s: saving after this step ...", signal.Signals(number).name)


class ModelExport(pl.Callback):
    """Writes the model folder whenever a validation is the best so far, so that there is one to use at any time.

    Args:
        folder: the model folder.
        tokenizers: of the model.
        decoding: how to translate unless told otherwise.
        data_fingerprint: of the training corpus.
        timer: measures the training.
    """

    def __init__(
        self, *, folder: Path, tokenizers: TokenizerPair, decoding: DecodingOptions, data_fingerprint: str, timer: Timer
    ) -> None:
        self.folder = folder
        self.tokenizers = tokenizers
        self.decoding = decoding
        self.data_fingerprint = data_fingerprint
        self.timer = timer
        self.best: float | None = None
        """Validation BLEU of the exported model."""
        self.signature = ""
        """Of that BLEU."""
        self.validated_step = -1
        """Optimizer steps before the last validation."""

    def state_dict(self) -> dict[str, Any]:
        """Remember the best BLEU over a restart."""
        return {"best": self.best, "signature": self.signature, "validated_step": self.validated_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `state_dict`."""
        self.best = state_dict["best"]
        self.signature = state_dict["signature"]
        self.validated_step = state_dict["validated_step"]

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Export if this validation is the best so far."""
        if trainer.sanity_checking:
            return
        module = cast(TranslationModule, pl_module)
        bleu = float(trainer.callback_metrics[VALIDATION_BLEU])
        self.validated_step = trainer.global_step
        if self.best is None or bleu > self.best:
            self.best, self.signature = bleu, module.signature
            self.export(trainer, module)

    def export(self, trainer: pl.Trainer, module: TranslationModule) -> None:
        """Write the model folder."""
        if not trainer.is_global_zero:
            return
        metric = (
            None if self.best is None else {"name": VALIDATION_BLEU, "score": self.best, "signature": self.signature}
        )
        record = {
            "versions": {name: version(name) for name in ("mt", "torch", "pytorch-lightning", "sentencepiece")},
            "python": platform.python_version(),
            "data_fingerprint": self.data_fingerprint,
            "step": trainer.global_step,
            "epoch": trainer.current_epoch,
            "train_seconds": round(self.timer.time_elapsed("train"), 1),
            "metric": metric,
            "decoding": asdict(self.decoding),
        }
        save_model(self.folder, model=module.model, spec=module.spec, tokenizers=self.tokenizers, training=record)


class Throughput(pl.Callback):
    """Logs the real target tokens that are trained on in a second, without the time for validation."""

    def __init__(self, *, every_steps: int) -> None:
        self.every_steps = every_steps
        self.tokens = 0
        self.seconds = 0.0
        self._since = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._since = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget the time that validation took."""
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Count, and log now and then."""
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        self.tokens += int((batch.tgt_out != PAD).sum()) * trainer.world_size
        if self.every_steps and (batch_idx + 1) % self.every_steps == 0:
            pl_module.log("train/tokens_per_second", self.tokens / self.seconds, prog_bar=True)
            self.tokens, self.seconds = 0, 0.0


class ValidationReport(pl.Callback):
    """Logs a line and a few sample translations after each validation.

    Args:
        timer: measures the training.
        samples: how many translations to show, evenly spread over the validation part.
    """

    def __init__(self, *, timer: Timer, samples: int = 3) -> None:
        self.timer = timer
        self.samples = samples

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report."""
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        module, metrics = cast(TranslationModule, pl_module), trainer.callback_metrics
        minutes, seconds = divmod(int(self.timer.time_elapsed("train")), 60)
        line = (
            f"{minutes:3d}:{seconds:02d}  step {trainer.global_step:,}  epoch {trainer.current_epoch}  "
            f"perplexity {metrics['validation/perplexity']:.2f}  BLEU {metrics[VALIDATION_BLEU]:.2f}"
        )
        if "train/tokens_per_second" in metrics:
            line += f"  {metrics['train/tokens_per_second']:,.0f} tokens/s"
        logger.info(line)
        shown = module.samples[:: max(1, len(module.samples) // max(1, self.samples))][: self.samples]
        text = [f"  {s.source}\n  = {s.reference}\n  > {s.hypothesis}" for s in shown]
        for sample in text:
            logger.info(sample)
        for writer in trainer.loggers:
            if isinstance(writer, TensorBoardLogger):
                writer.experiment.add_text("validation/samples", "\n\n".join(text), trainer.global_step)
