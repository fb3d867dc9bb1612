"""The standard GRU with its own backward pass: equal to PyTorch's, however the products are cut."""

import pytest
import torch

from mt.nn import gru_sequence as module
from mt.nn.gru_sequence import gru_sequence


@pytest.fixture
def theirs():
    return torch.nn.GRU(3, 4, batch_first=True).double()


@pytest.fixture
def inputs(theirs):
    x, state = torch.randn(2, 7, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    return [part.detach().requires_grad_() for part in (x, state, *theirs.all_weights[0])]


@pytest.mark.parametrize("rows", [1, 4, 10, 1000])
def test_equals_torch(theirs, inputs, rows, monkeypatch):
    monkeypatch.setattr(module, "PRODUCT_ROWS", rows)
    x, state, *weights = inputs
    theirs.load_state_dict(dict(zip(theirs.state_dict(), weights, strict=True)))
    expected, _ = theirs(x, state.unsqueeze(0))
    outputs = gru_sequence(*inputs)
    torch.testing.assert_close(outputs, expected)
    ahead = torch.randn_like(expected)
    gradients = torch.autograd.grad(outputs, inputs, ahead, retain_graph=True)
    again = torch.autograd.grad(outputs, inputs, ahead)
    for ours, second, right in zip(
        gradients, again, torch.autograd.grad(expected, [x, state, *theirs.parameters()], ahead), strict=True
    ):
        torch.testing.assert_close(ours, right)
        torch.testing.assert_close(ours, second, rtol=0, atol=0)


def test_gradients(inputs):
    assert torch.autograd.gradcheck(gru_sequence, inputs)


def test_without_gradients_it_is_the_same(inputs):
    expected = gru_sequence(*inputs)
    with torch.inference_mode():
        torch.testing.assert_close(gru_sequence(*inputs), expected.detach(), rtol=0, atol=0)
    frozen = gru_sequence(*(part.detach() for part in inputs))
    assert not frozen.requires_grad
    torch.testing.assert_close(frozen, expected.detach(), rtol=0, atol=0)


def test_bfloat16_autocast_stays_close(inputs):
    inputs = [part.detach().float().requires_grad_() for part in inputs]
    exact = gru_sequence(*inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = gru_sequence(*inputs)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.05)
    for ours, right in zip(*(torch.autograd.grad(o.float().sum(), inputs) for o in (rough, exact)), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, right, rtol=0.1, atol=0.1)
