"""Averaging the weights while they are trained."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint, WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from mt.errors import ConfigError

__all__ = ["MovingAverage"]


class MovingAverage(WeightAveraging):
    """Keeps an exponential moving average of the weights, which is what is validated, exported, and left in the end.

    After each update, average <- d * average + (1 - d) * weights, where d = min(decay, (1 + n) / (10 + n)) after n
    updates (as TensorFlow's ExponentialMovingAverage): so early averages forget the random initial weights, and a
    short training is not averaged over more than its last tenth or so. Checkpoints hold the averages as `state_dict`
    and the weights themselves as `current_model_state`.

    Lightning's callback does the work. Its weights go back a hook later here, in `on_validation_end`: after
    `ModelExport`, which mt-train lists before, and before every checkpoint, which Lightning lists last. And in the end
    the averages replace the weights only after the last checkpoint, so that a finished run can be prolonged.

    Args:
        decay: share of the average that an update keeps, once there have been many; it averages over the last
            1 / (1 - decay) updates or so.
        update_every_n_steps: optimizer steps from one update to the next.
        update_starting_at_step: optimizer steps during which the average just follows the weights.

    Raises:
        ConfigError: naming every wrong value at once.
    """

    def __init__(
        self, *, decay: float = 0.999, update_every_n_steps: int = 1, update_starting_at_step: int = 0
    ) -> None:
        problems = []
        if not (isinstance(decay, int | float) and 0 <= decay < 1):
            problems.append(f"decay must lie in [0, 1), not {decay!r}")
        for name, value, least in (
            ("update_every_n_steps", update_every_n_steps, 1),
            ("update_starting_at_step", update_starting_at_step, 0),
        ):
            if type(value) is not int or value < least:
                problems.append(f"{name} must be a whole number of at least {least}, not {value!r}")
        if problems:
            raise ConfigError("the weights cannot be averaged: " + "; ".join(problems))
        super().__init__(use_buffers=False, multi_avg_fn=self._update)
        self.decay = decay
        self.update_every_n_steps = update_every_n_steps
        self.update_starting_at_step = update_starting_at_step

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Make the average, if the weights can be averaged exactly.

        Raises:
            ConfigError: naming the setting that prevents it.
        """
        if trainer.precision not in ("32-true", "16-mixed", "bf16-mixed"):
            raise ConfigError(
                f"weights of trainer.precision={trainer.precision} cannot be averaged: choose 32-true, bf16-mixed or "
                "16-mixed"
            )
        if any(
            isinstance(other, ModelCheckpoint) and other.save_weights_only for other in trainer.checkpoint_callbacks
        ):
            raise ConfigError(
                "a checkpoint with save_weights_only=true would lack the averaged weights: leave save_weights_only out"
            )
        super().setup(trainer, pl_module, stage)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Follow the module, which had not yet been moved to its device in `setup`."""
        assert self._average_model is not None
        self._average_model.to(pl_module.device)

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Tell whether to update after the optimizer step that was the step_idx-th, counted from 0."""
        if step_idx is None:
            return False
        if step_idx < self.update_starting_at_step:
            assert self._average_model is not None
            self._average_model.n_averaged.zero_()  # whoever has averaged nothing begins with a copy
            return True
        return (step_idx - self.update_starting_at_step) % self.update_every_n_steps == 0

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the averages where they are."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the weights back."""
        super().on_validation_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the weights for the last checkpoint."""

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Leave the averages as the result of the training."""
        if stage == "fit":
            super().on_train_end(trainer, pl_module)

    def _update(self, averages: Any, weights: Any, updates: Tensor | int) -> None:
        """Move the averages towards the weights, both lists of tensors, after a number of updates."""
        n = int(updates)
        decay = min(self.decay, (1 + n) / (10 + n))
        get_ema_multi_avg_fn(decay)(averages, weights, updates)  # type: ignore[no-untyped-call]
