"""Several models that translate together."""

import numpy as np
import pytest
import torch
from small_model import SRC, SRC_LENGTHS, small_network

from mt.errors import ConfigError
from mt.search import Beam, decode
from mt.search.ensemble import Ensemble
from mt.torch_model import TorchModel


def models(*seeds: int) -> list[TorchModel]:
    found = []
    for seed in seeds:
        torch.manual_seed(seed)
        found.append(TorchModel(small_network()))
    return found


def translate(model, n_best=4):
    found = decode(model, SRC, SRC_LENGTHS, strategy=Beam(beam_size=4), max_length=np.array([8, 8, 8]), n_best=n_best)
    return [[hypothesis.ids for hypothesis in one] for one in found]


@pytest.mark.parametrize("combination", ["log_linear", "arithmetic"])
def test_a_model_with_itself_is_itself(combination):
    (model,) = models(1)
    assert translate(Ensemble([model, model], combination=combination)) == translate(model)


@pytest.mark.parametrize("combination", ["log_linear", "arithmetic"])
def test_a_model_of_tiny_weight_has_no_say(combination):
    one, other = models(1, 2)
    assert translate(Ensemble([one, other], weights=[1.0, 1e-12], combination=combination)) == translate(one)
    assert translate(one) != translate(other)


def test_probabilities_are_combined_as_they_say():
    one, other = models(1, 2)
    parts = [model.step(np.array([2, 2, 2]), model.start(SRC, SRC_LENGTHS)).log_probs.numpy() for model in (one, other)]
    for combination, expected in {
        "arithmetic": np.log(0.75 * np.exp(parts[0]) + 0.25 * np.exp(parts[1])),
        "log_linear": 0.75 * parts[0] + 0.25 * parts[1],
    }.items():
        both = Ensemble([one, other], weights=[3, 1], combination=combination)
        step = both.step(np.array([2, 2, 2]), both.start(SRC, SRC_LENGTHS))
        expected = expected - np.log(np.exp(expected).sum(1, keepdims=True))
        np.testing.assert_allclose(step.log_probs, expected)
        np.testing.assert_allclose(step.attention.sum(1), 1)


def test_wrong_settings_are_named():
    with pytest.raises(ConfigError, match="there are 2 models, but 1 weights"):
        Ensemble(models(1, 2), weights=[1.0])
    with pytest.raises(ConfigError, match=r"must be above 0, not 1.0, -1.0"):
        Ensemble(models(1, 2), weights=[1.0, -1.0])
    with pytest.raises(ConfigError, match="Did you mean 'log_linear'"):
        Ensemble(models(1), combination="loglinear")
