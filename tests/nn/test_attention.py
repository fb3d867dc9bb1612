"""Every attention: weights that are a distribution over real tokens, equal to its reference."""

import numpy as np
import pytest
import torch
from reference import additive_attention

from mt.nn.attention import ATTENTIONS, AdditiveAttention

MASK = torch.tensor([[True] * 5, [True, True, False, False, False]])


@pytest.fixture(params=sorted(ATTENTIONS))
def attention(request):
    return ATTENTIONS[request.param](query_size=4, value_size=6, attention_size=3).double()


@pytest.fixture
def values():
    return torch.randn(2, 5, 6, dtype=torch.float64)


@pytest.fixture
def query():
    return torch.randn(2, 3, 4, dtype=torch.float64)


class TestEveryAttention:
    def test_weights_sum_to_one_and_are_zero_on_padding(self, attention, values, query):
        weights = attention(query, attention.memory(values, MASK)).weights
        torch.testing.assert_close(weights.sum(2), torch.ones(2, 3, dtype=torch.float64))
        assert (weights[1, :, 2:] == 0).all()

    def test_padding_changes_nothing(self, attention, values, query):
        whole = attention(query, attention.memory(values, MASK))
        alone = attention(query[1:], attention.memory(values[1:, :2], MASK[1:, :2]))
        torch.testing.assert_close(alone.context[0], whole.context[1])
        torch.testing.assert_close(alone.weights[0], whole.weights[1, :, :2])

    def test_queries_do_not_see_each_other(self, attention, values, query):
        memory = attention.memory(values, MASK)
        together = attention(query, memory)
        for t in range(3):
            torch.testing.assert_close(attention(query[:, t : t + 1], memory).context[:, 0], together.context[:, t])

    def test_gradients(self, attention, values, query):
        inputs = (values.requires_grad_(), query.requires_grad_(), *attention.parameters())
        assert torch.autograd.gradcheck(lambda v, q, *_: tuple(attention(q, attention.memory(v, MASK))), inputs)


def test_selected_memory_gives_the_same_context(values, query):
    attention = AdditiveAttention(query_size=4, value_size=6, attention_size=3).double()
    memory = attention.memory(values, MASK)
    chosen = memory.select(torch.tensor([1]))
    assert chosen.values.shape == (1, 2, 6)
    torch.testing.assert_close(attention(query[1:], chosen).context[0], attention(query, memory).context[1])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_additive_attention_equals_the_reference(values, query, dtype, tolerance):
    attention = AdditiveAttention(query_size=4, value_size=6, attention_size=3).to(dtype)
    context, weights = attention(query.to(dtype), attention.memory(values.to(dtype), MASK))
    w_query, w_key, b_key, v = (
        parameter.detach().double().numpy()
        for parameter in (attention.query.weight, attention.key.weight, attention.key.bias, attention.energy.weight[0])
    )
    for row in range(2):
        real = values[row, MASK[row]].numpy()
        for t in range(3):
            expected = additive_attention(query[row, t].numpy(), real, w_query, w_key, b_key, v)
            for ours, theirs in zip((context[row, t], weights[row, t, MASK[row]]), expected, strict=True):
                assert np.abs(ours.detach().double().numpy() - theirs).max() <= tolerance * np.abs(theirs).max()
