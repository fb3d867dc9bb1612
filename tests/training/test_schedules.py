"""Schedules against their formulas."""

import math

import pytest
import torch

from mt.errors import ConfigError
from mt.training.schedules import constant, cosine, inverse_sqrt, plateau


@pytest.fixture
def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)


def rates(optimizer, schedule, steps):
    """The learning rate of each optimizer step."""
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.per_step.step()
    return seen


def test_constant(optimizer):
    assert rates(optimizer, constant(optimizer, warmup_steps=4), 6) == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]


def test_inverse_sqrt(optimizer):
    seen = rates(optimizer, inverse_sqrt(optimizer, warmup_steps=4), 16)
    assert seen[:4] == [0.5, 1.0, 1.5, 2.0]
    assert seen[15] == pytest.approx(2.0 * math.sqrt(4 / 16))


def test_cosine(optimizer):
    seen = rates(optimizer, cosine(optimizer, warmup_steps=2, total_steps=12, final_share=0.1), 15)
    assert seen[:2] == [1.0, 2.0]
    assert seen[7] == pytest.approx(2.0 * (0.1 + 0.9 * 0.5))
    assert seen[12:] == pytest.approx([0.2] * 3)


def test_cosine_needs_an_end(optimizer):
    with pytest.raises(ConfigError, match=r"total_steps is -1: set trainer.max_steps"):
        cosine(optimizer, warmup_steps=10, total_steps=-1)


def test_plateau_halves_when_nothing_improves(optimizer):
    schedule = plateau(optimizer, warmup_steps=4, factor=0.5, patience=1)
    assert rates(optimizer, schedule, 5) == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])
    for bleu in (10.0, 9.0, 8.0):
        schedule.per_validation.step(bleu)
    assert rates(optimizer, schedule, 2) == pytest.approx([1.0, 1.0])


def test_a_training_shorter_than_the_warmup_only_warms_up(optimizer):
    assert rates(optimizer, cosine(optimizer, warmup_steps=4, total_steps=3), 4) == [0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("make", [constant, inverse_sqrt])
def test_no_warmup(optimizer, make):
    assert rates(optimizer, make(optimizer, warmup_steps=0), 1) == [2.0]
