"""Standard GRUs with their own backward pass: equal to PyTorch's, however the products are cut."""

import pytest
import torch

from mt.nn import gru as module
from mt.nn.gru import gru_sequences, gru_steps


def run_step_by_step(x, state, W, U, b, c):
    """What gru_sequences does."""
    outputs = []
    for i in range(len(x)):
        step, h, states = gru_steps(W[i], U[i], b[i], c[i]), state[i], []
        for x_t in x[i].unbind(1):
            h = step(x_t, h)
            states.append(h)
        outputs.append(torch.stack(states, 1))
    return torch.stack(outputs)


@pytest.fixture(params=[gru_sequences, run_step_by_step], ids=["sequences", "steps"])
def run(request):
    return request.param


@pytest.fixture(params=[1, 2], ids=["one", "two"])
def theirs(request):
    return [torch.nn.GRU(3, 4, batch_first=True).double() for _ in range(request.param)]


@pytest.fixture
def inputs(theirs):
    G = len(theirs)
    x, state = torch.randn(G, 2, 7, 3, dtype=torch.float64), torch.randn(G, 2, 4, dtype=torch.float64)
    weights = map(torch.stack, zip(*(gru.all_weights[0] for gru in theirs), strict=True))
    return [part.detach().requires_grad_() for part in (x, state, *weights)]


@pytest.mark.parametrize("rows", [1, 4, 10, 1000])
def test_equals_torch(run, theirs, inputs, rows, monkeypatch):
    monkeypatch.setattr(module, "PRODUCT_ROWS", rows)
    outputs = run(*inputs)
    ahead = torch.randn_like(outputs)
    gradients = torch.autograd.grad(outputs, inputs, ahead, retain_graph=True)
    for ours, second in zip(gradients, torch.autograd.grad(outputs, inputs, ahead), strict=True):
        torch.testing.assert_close(ours, second, rtol=0, atol=0)
    for i, gru in enumerate(theirs):
        x, state = (part[i].detach().requires_grad_() for part in inputs[:2])
        expected, _ = gru(x, state.unsqueeze(0))
        torch.testing.assert_close(outputs[i], expected)
        right = torch.autograd.grad(expected, [x, state, *gru.parameters()], ahead[i])
        torch.testing.assert_close([part[i] for part in gradients], list(right))


def test_gradients(run, inputs):
    assert torch.autograd.gradcheck(run, inputs)


def test_without_gradients_it_is_the_same(run, inputs):
    expected = run(*inputs)
    with torch.inference_mode():
        torch.testing.assert_close(run(*inputs), expected.detach(), rtol=0, atol=0)
    frozen = run(*(part.detach() for part in inputs))
    assert not frozen.requires_grad
    torch.testing.assert_close(frozen, expected.detach(), rtol=0, atol=0)


def test_bfloat16_autocast_stays_close(run, inputs):
    inputs = [part.detach().float().requires_grad_() for part in inputs]
    exact = run(*inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = run(*inputs)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, rtol=0.05, atol=0.05)
    for ours, right in zip(*(torch.autograd.grad(o.float().sum(), inputs) for o in (rough, exact)), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, right, rtol=0.1, atol=0.1)


def test_a_step_without_influence_counts_for_nothing(inputs):
    x, state, W, U, b, c = (part[0] for part in inputs)
    step = gru_steps(W, U, b, c)
    first = step(x[:, 0], state)
    step(x[:, 1], first)
    alone = torch.autograd.grad(first.sum(), [W, U])
    expected = torch.autograd.grad(torch.gru_cell(x[:, 0], state, W, U, b, c).sum(), [W, U])
    torch.testing.assert_close(alone, expected)
