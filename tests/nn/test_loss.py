"""The chunked loss: exact in value and gradient, however it is cut, and small in memory."""

import numpy as np
import pytest
import reference
import torch

from mt.nn import loss as loss_module
from mt.nn.loss import cross_entropy, log_probabilities, r_drop


@pytest.fixture
def problem():
    features = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(13, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(13, dtype=torch.float64, requires_grad=True)
    return features, weight, bias, torch.tensor([0, 12, 3, 3, 5, 7, 1])


@pytest.fixture(autouse=True, params=[1, 3 * 13, 10**6], ids=["row by row", "three rows", "at once"])
def _chunks(request, monkeypatch):
    monkeypatch.setattr(loss_module, "CHUNK_ELEMENTS", request.param)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_equals_the_reference(problem, label_smoothing):
    features, weight, bias, targets = problem
    loss = cross_entropy(*problem, label_smoothing=label_smoothing)
    logits = (features @ weight.T + bias).detach().numpy()
    expected = reference.cross_entropy(logits, targets.numpy(), label_smoothing)
    np.testing.assert_allclose([loss.objective.item(), loss.cross_entropy.item()], expected, rtol=1e-12)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_gradients(problem, label_smoothing):
    *inputs, targets = problem
    assert torch.autograd.gradcheck(
        lambda f, w, b: cross_entropy(f, w, b, targets, label_smoothing=label_smoothing).objective, inputs
    )


def test_without_gradients_none_are_formed(problem, monkeypatch):
    expected = cross_entropy(*problem, label_smoothing=0.1)
    monkeypatch.setattr(torch.Tensor, "addmm_", None)  # the product for the weights' gradient
    with torch.inference_mode():
        loss = cross_entropy(*problem, label_smoothing=0.1)
    torch.testing.assert_close(loss.objective, expected.objective.detach(), rtol=0, atol=0)


def test_gradient_scales_with_what_follows(problem):
    features, weight, _, _ = problem
    loss = cross_entropy(*problem, label_smoothing=0.1).objective
    once = torch.autograd.grad(loss, [features, weight], retain_graph=True)
    thrice = torch.autograd.grad(3 * loss, [features, weight])
    for small, large in zip(once, thrice, strict=True):
        torch.testing.assert_close(3 * small, large)


def test_bfloat16_autocast_stays_close(problem):
    features, weight, bias, targets = (part.detach().float() if part.is_floating_point() else part for part in problem)
    features.requires_grad_()
    exact = cross_entropy(features, weight, bias, targets).objective
    (gradient,) = torch.autograd.grad(exact, features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = cross_entropy(features, weight, bias, targets).objective
    (rough_gradient,) = torch.autograd.grad(rough, features)
    assert rough_gradient.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.02, atol=0)
    torch.testing.assert_close(rough_gradient, gradient, rtol=0.1, atol=0.05)


def test_nothing_is_kept_without_gradients(problem):
    with torch.no_grad():
        loss = cross_entropy(*problem)
    assert not loss.objective.requires_grad


def test_the_value_is_exact_where_probabilities_underflow():
    features = torch.tensor([[200.0], [-200.0]])
    loss = cross_entropy(features, torch.tensor([[1.0], [-1.0]]), torch.zeros(2), torch.tensor([1, 1]))
    assert loss.cross_entropy.item() == pytest.approx(400)


class TestRDrop:
    @pytest.fixture
    def passes(self, problem):
        return torch.stack([problem[0], problem[0] + 0.3 * torch.randn_like(problem[0])]).detach().requires_grad_()

    @pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
    def test_equals_the_reference(self, problem, passes, label_smoothing):
        _, weight, bias, targets = problem
        loss = r_drop(passes, weight, bias, targets, alpha=3.0, label_smoothing=label_smoothing)
        logits = (passes @ weight.T + bias).detach().numpy()
        expected = reference.r_drop(logits, targets.numpy(), label_smoothing, alpha=3.0)
        np.testing.assert_allclose([loss.objective.item(), loss.cross_entropy.item()], expected, rtol=1e-12)

    def test_gradients(self, problem, passes):
        _, weight, bias, targets = problem
        assert torch.autograd.gradcheck(
            lambda f, w, b: r_drop(f, w, b, targets, alpha=3.0, label_smoothing=0.1).objective, (passes, weight, bias)
        )

    def test_equal_passes_are_the_cross_entropy(self, problem):
        features, weight, bias, targets = problem
        once = cross_entropy(features, weight, bias, targets, label_smoothing=0.1)
        twice = r_drop(torch.stack([features] * 2), weight, bias, targets, alpha=3.0, label_smoothing=0.1)
        torch.testing.assert_close(twice.objective, once.objective)

    def test_autocast_rounds_products_alone(self):
        passes, weight = (
            torch.randint(-2, 3, (2, 7, 4)).float(),
            torch.randint(-2, 3, (13, 4)).float(),
        )  # exact in bfloat16
        problem = passes, weight, torch.zeros(13), torch.arange(7)
        expected = r_drop(*problem, alpha=3.0).objective
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = r_drop(*problem, alpha=3.0).objective
        torch.testing.assert_close(loss, expected)


def test_log_probabilities_are_those_that_the_loss_sums(problem):
    features, weight, bias, targets = problem
    found = log_probabilities(*problem)
    logits = (features @ weight.T + bias).detach().numpy()
    expected = [-reference.cross_entropy(logits[[row]], targets[[row]].numpy(), 0.0)[1] for row in range(7)]
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12)
    assert found.sum().item() == pytest.approx(-cross_entropy(*problem).cross_entropy.item(), rel=1e-12)


def test_gradients_of_log_probabilities(problem):
    *inputs, targets = problem
    assert torch.autograd.gradcheck(lambda f, w, b: log_probabilities(f, w, b, targets), inputs)


def test_log_probabilities_of_nothing_and_of_half_precision(problem):
    features, weight, bias, targets = (part.detach() for part in problem)
    assert log_probabilities(features[:0], weight, bias, targets[:0]).shape == (0,)
    half = log_probabilities(*(part.bfloat16() for part in (features, weight, bias)), targets)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, log_probabilities(features, weight, bias, targets).float(), rtol=0.1, atol=0.1)
