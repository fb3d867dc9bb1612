"""Learning-rate schedules: how large a share of `optimizer.lr` each optimizer step uses."""

import math
from typing import NamedTuple

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LinearLR, LRScheduler, ReduceLROnPlateau

from mt.errors import ConfigError

__all__ = ["Schedule", "constant", "cosine", "inverse_sqrt", "plateau"]


class Schedule(NamedTuple):
    """What changes the learning rate, and when."""

    per_step: LRScheduler
    per_validation: ReduceLROnPlateau | None = None
    """Is told the validation BLEU."""


def constant(optimizer: Optimizer, *, warmup_steps: int) -> Schedule:
    """Rise linearly over warmup_steps optimizer steps and stay."""
    return Schedule(LambdaLR(optimizer, lambda step: _warmup(step, warmup_steps)))


def inverse_sqrt(optimizer: Optimizer, *, warmup_steps: int) -> Schedule:
    """Rise linearly over warmup_steps, then fall with 1 / sqrt(step) (Vaswani et al. 2017, equation 3)."""
    start = max(1, warmup_steps)
    return Schedule(
        LambdaLR(optimizer, lambda step: min(_warmup(step, warmup_steps), math.sqrt(start / max(start, step + 1))))
    )


def cosine(optimizer: Optimizer, *, warmup_steps: int, total_steps: int, final_share: float = 0.0) -> Schedule:
    """Rise linearly over warmup_steps, then fall along half a cosine (Loshchilov and Hutter 2017, equation 5).

    Args:
        optimizer: whose learning rate is scheduled.
        warmup_steps: optimizer steps until the full learning rate.
        total_steps: optimizer steps of the whole training; afterwards the rate stays at its lowest. A training that is
            shorter than the warm-up only warms up.
        final_share: share of the learning rate that is left at the end.

    Raises:
        ConfigError: if there is no end to fall to.
    """
    if total_steps < 1:
        raise ConfigError(
            f"the cosine schedule falls until a last step, but scheduler.total_steps is {total_steps}: set "
            "trainer.max_steps, or choose scheduler=inverse_sqrt, which needs no end"
        )

    def share(step: int) -> float:
        if step < warmup_steps:
            return _warmup(step, warmup_steps)
        done = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final_share + (1 - final_share) * 0.5 * (1 + math.cos(math.pi * done))

    return Schedule(LambdaLR(optimizer, share))


def plateau(optimizer: Optimizer, *, warmup_steps: int, factor: float, patience: int) -> Schedule:
    """Rise linearly over warmup_steps; then shrink by factor when more than patience validations improved nothing."""
    # LinearLR multiplies what it finds, unlike LambdaLR, and thereby leaves the reductions alone
    warmup = LinearLR(optimizer, start_factor=1 / max(1, warmup_steps), total_iters=max(0, warmup_steps - 1))
    return Schedule(warmup, ReduceLROnPlateau(optimizer, mode="max", factor=factor, patience=patience, threshold=0.0))


def _warmup(step: int, warmup_steps: int) -> float:
    """Step counts finished optimizer steps, so that the first one already moves."""
    return min(1.0, (step + 1) / max(1, warmup_steps))
