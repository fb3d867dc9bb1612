"""The chunked loss: exact in value and gradient, however it is cut, and small in memory."""

import numpy as np
import pytest
import torch
from reference import cross_entropy

from mt.nn import loss as loss_module
from mt.nn.loss import chunked_cross_entropy


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
    loss = chunked_cross_entropy(*problem, label_smoothing=label_smoothing)
    logits = (features @ weight.T + bias).detach().numpy()
    expected = cross_entropy(logits, targets.numpy(), label_smoothing)
    np.testing.assert_allclose([loss.smoothed.item(), loss.cross_entropy.item()], expected, rtol=1e-12)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_gradients(problem, label_smoothing):
    *inputs, targets = problem
    assert torch.autograd.gradcheck(
        lambda f, w, b: chunked_cross_entropy(f, w, b, targets, label_smoothing=label_smoothing).smoothed, inputs
    )


def test_gradient_scales_with_what_follows(problem):
    features, weight, _, _ = problem
    loss = chunked_cross_entropy(*problem, label_smoothing=0.1).smoothed
    once = torch.autograd.grad(loss, [features, weight], retain_graph=True)
    thrice = torch.autograd.grad(3 * loss, [features, weight])
    for small, large in zip(once, thrice, strict=True):
        torch.testing.assert_close(3 * small, large)


def test_bfloat16_autocast_stays_close(problem):
    features, weight, bias, targets = (part.detach().float() if part.is_floating_point() else part for part in problem)
    features.requires_grad_()
    exact = chunked_cross_entropy(features, weight, bias, targets).smoothed
    (gradient,) = torch.autograd.grad(exact, features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = chunked_cross_entropy(features, weight, bias, targets).smoothed
    (rough_gradient,) = torch.autograd.grad(rough, features)
    assert rough_gradient.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.02, atol=0)
    torch.testing.assert_close(rough_gradient, gradient, rtol=0.1, atol=0.05)


def test_nothing_is_kept_without_gradients(problem):
    with torch.no_grad():
        loss = chunked_cross_entropy(*problem)
    assert not loss.smoothed.requires_grad
