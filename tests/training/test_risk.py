"""The risk is what an independent reference expects of the same beam, in value and gradient, and training lowers it."""

import numpy as np
import pytest
import torch
from conftest import tiny_spec

from mt.data.batching import Batch
from mt.evaluation.metrics import sentence_bleu
from mt.model import build_model
from mt.search import Beam, decode, length_limit
from mt.text.padding import padded_sources, padded_targets
from mt.torch_model import TorchModel
from mt.training.risk import MinimumRisk

SOURCES = ["The old dog sleeps in the garden.", "A young woman reads a book.", "The dog reads."]
REFERENCES = ["Der alte Hund schläft im Garten.", "Eine junge Frau liest ein Buch.", "Der Hund liest."]


@pytest.fixture
def pairs(tokenizers):
    src, src_lengths = padded_sources(tokenizers.source.encode(SOURCES))
    tgt_in, tgt_out = padded_targets(tokenizers.target.encode(REFERENCES))
    tensors = map(torch.from_numpy, (src, src_lengths, tgt_in, tgt_out))
    return Batch(*tensors, lines=[1, 2, 3], sources=SOURCES, references=REFERENCES)


@pytest.fixture
def make(tokenizers, pairs):
    """Models that have learnt a little, so that their candidates differ in cost."""

    def build(**changes):
        size = len(tokenizers.source)
        torch.manual_seed(3)
        spec = tiny_spec(source_vocabulary=size, target_vocabulary=size, embedding_size=16, decoder_size=24, **changes)
        model = build_model(spec)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(60):
            optimizer.zero_grad()
            model.loss(*pairs[:4]).objective.backward()
            optimizer.step()
        return model

    return build


def candidates(model, pairs, count):
    src, src_lengths = pairs.src.numpy(), pairs.src_lengths.numpy()
    limits = length_limit(src_lengths)
    return decode(TorchModel(model), src, src_lengths, strategy=Beam(beam_size=count), max_length=limits, n_best=count)


def expected_risk(found, pairs, tokenizer, mean_log_probs, sharpness):
    """In plain NumPy, one sentence after the other."""
    total = 0.0
    for hypotheses, reference, means in zip(found, pairs.references, mean_log_probs, strict=True):
        texts = tokenizer.decode([list(hypothesis.ids) for hypothesis in hypotheses])
        costs = 1 - np.array(sentence_bleu(texts, [reference] * len(texts))) / 100
        odds = np.exp(sharpness * (means - means.max()))
        total += (odds / odds.sum() * costs).sum()
    return total


def test_the_risk_is_the_expected_cost_of_what_the_beam_finds(make, pairs, tokenizers):
    model = make().double()
    risk = MinimumRisk(from_step=0, candidates=4, sharpness=2.0)(model, pairs, tokenizers.target)
    found = candidates(model.eval(), pairs, 4)
    means = [np.array([np.mean(hypothesis.token_scores) for hypothesis in hypotheses]) for hypotheses in found]
    expected = expected_risk(found, pairs, tokenizers.target, means, 2.0)
    assert risk.item() == pytest.approx(expected, rel=1e-9)
    assert 0.1 < risk.item() < 2.9


def test_the_gradient_is_that_of_fixed_candidates(make, pairs, tokenizers):
    model = make().double()
    settings = MinimumRisk(from_step=0, candidates=4, sharpness=2.0)
    weights = [*model.parameters()]
    gradients = torch.autograd.grad(settings(model, pairs, tokenizers.target), weights)
    directions = [torch.randn_like(weight) for weight in weights]
    values = []
    for step in (1e-7, -2e-7):
        with torch.no_grad():
            for weight, direction in zip(weights, directions, strict=True):
                weight += step * direction
        values.append(settings(model, pairs, tokenizers.target).item())
    expected = sum(
        (gradient * direction).sum().item() for gradient, direction in zip(gradients, directions, strict=True)
    )
    assert (values[0] - values[1]) / 2e-7 == pytest.approx(expected, rel=1e-4)
    assert abs(expected) > 1e-3


@pytest.mark.parametrize("decoder", ["parallel", "conditional"])
def test_training_lowers_the_risk_of_what_was_found(make, pairs, tokenizers, decoder, monkeypatch):
    model = make(decoder=decoder)
    settings = MinimumRisk(from_step=0, candidates=6)
    found = candidates(model.eval(), pairs, 6)
    monkeypatch.setattr("mt.training.risk.decode", lambda *_, **__: found)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    risks = []
    for _ in range(15):
        risk = settings(model, pairs, tokenizers.target)
        risks.append(risk.item())
        optimizer.zero_grad()
        risk.backward()
        optimizer.step()
    assert risks[-1] < risks[0] - 0.1
    assert max(risks[1:]) < risks[0]


def test_the_search_is_without_dropout_and_leaves_training_mode_and_random_state(make, pairs, tokenizers, monkeypatch):
    model = make(dropout=0.5)
    seen = []

    def noted(*arguments, **options):
        before = torch.get_rng_state()
        seen.append(model.training)
        found = decode(*arguments, **options)
        assert torch.equal(before, torch.get_rng_state())
        return found

    monkeypatch.setattr("mt.training.risk.decode", noted)
    MinimumRisk(from_step=0)(model, pairs, tokenizers.target)
    assert seen == [False]
    assert model.training


def test_every_weight_has_a_gradient_where_the_search_has_rounded_the_weights_before(make, pairs, tokenizers):
    model = make()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        risk = MinimumRisk(from_step=0)(model, pairs, tokenizers.target)
    risk.backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == []
