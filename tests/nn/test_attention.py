"""Every attention: weights that are a distribution over real tokens, equal to its reference."""

import numpy as np
import pytest
import torch
from reference import (
    additive_attention,
    coverage_attention,
    dot_attention,
    general_attention,
    multi_head_attention,
    scaled_dot_attention,
)

from mt.nn import additive
from mt.nn.attention import (
    ATTENTIONS,
    AdditiveAttention,
    CoverageAttention,
    DotAttention,
    MultiHeadAttention,
    ScaledDotAttention,
)

MASK = torch.tensor([[True] * 5, [True, True, False, False, False]])
SIZES = {"query_size": 5, "value_size": 6, "attention_size": 4}
HEADS = 2

# one query [H], the values [S, C] of its sentence, their coverage [S], and the parameters by name
REFERENCES = {
    "additive": lambda q, v, c, w: additive_attention(
        q, v, w["query.weight"], w["key.weight"], w["key.bias"], w["energy.weight"][0]
    ),
    "coverage": lambda q, v, c, w: coverage_attention(
        q, v, c, w["query.weight"], w["key.weight"], w["key.bias"], w["energy.weight"][0], w["coverage.weight"][:, 0]
    ),
    "dot": lambda q, v, c, w: dot_attention(q, v),
    "general": lambda q, v, c, w: general_attention(q, v, w["key.weight"]),
    "scaled_dot": lambda q, v, c, w: scaled_dot_attention(q, v, w["query.weight"], w["key.weight"]),
    "multi_head": lambda q, v, c, w: multi_head_attention(
        q, v, HEADS, w["query.weight"], w["key.weight"], w["value.weight"], w["output.weight"]
    ),
}


def numbers(attention):
    return {name: weight.double().numpy() for name, weight in attention.state_dict().items()}


def assert_equal(ours, theirs, tolerance):
    for a, b in zip(ours, theirs, strict=True):
        assert np.abs(a.detach().double().numpy() - b).max() <= tolerance * np.abs(b).max()


@pytest.fixture(params=sorted(ATTENTIONS))
def name(request):
    return request.param


@pytest.fixture
def sizes(name):
    return {**SIZES, "query_size": SIZES["value_size"]} if name == "dot" else SIZES


@pytest.fixture
def attention(name, sizes):
    return ATTENTIONS[name](**sizes, heads=HEADS).double()


@pytest.fixture
def values():
    return torch.randn(2, 5, SIZES["value_size"], dtype=torch.float64)


@pytest.fixture
def query(sizes):
    return torch.randn(2, 3, sizes["query_size"], dtype=torch.float64)


@pytest.fixture
def coverage():
    return 2 * torch.rand(2, 3, 5, dtype=torch.float64)


class TestEveryAttention:
    def test_weights_sum_to_one_and_are_zero_on_padding(self, attention, values, query, coverage):
        context, weights = attention(query, attention.memory(values, MASK), coverage)
        assert context.shape == (2, 3, SIZES["value_size"])
        torch.testing.assert_close(weights.sum(2), torch.ones(2, 3, dtype=torch.float64))
        assert (weights[1, :, 2:] == 0).all()
        assert (weights[0] > 0).all()

    def test_padding_changes_nothing(self, attention, values, query, coverage):
        whole = attention(query, attention.memory(values, MASK), coverage)
        alone = attention(query[1:], attention.memory(values[1:, :2], MASK[1:, :2]), coverage[1:, :, :2])
        torch.testing.assert_close(alone.context[0], whole.context[1])
        torch.testing.assert_close(alone.weights[0], whole.weights[1, :, :2])

    def test_queries_do_not_see_each_other(self, attention, values, query, coverage):
        memory = attention.memory(values, MASK)
        together = attention(query, memory, coverage)
        for t in range(3):
            alone = attention(query[:, t : t + 1], memory, coverage[:, t : t + 1])
            torch.testing.assert_close(alone.context[:, 0], together.context[:, t])
            torch.testing.assert_close(alone.weights[:, 0], together.weights[:, t])

    def test_selected_memory_gives_the_same_context(self, attention, values, query, coverage):
        memory = attention.memory(values, MASK)
        chosen = memory.select(torch.tensor([1]))
        assert {part.shape[:2] for part in chosen} == {(1, 2)}
        whole, alone = attention(query, memory, coverage), attention(query[1:], chosen, coverage[1:, :, :2])
        torch.testing.assert_close(alone.context[0], whole.context[1])
        torch.testing.assert_close(alone.weights[0], whole.weights[1, :, :2])

    def test_no_sentence_may_be_left(self, attention, values, query, coverage):
        memory = attention.memory(values, MASK).select(torch.tensor([], dtype=torch.long))
        context, weights = attention(query[:0], memory, coverage[:0, :, :0])
        assert context.shape == (0, 3, SIZES["value_size"])
        assert weights.shape == (0, 3, 0)

    @pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
    def test_it_equals_its_reference(self, name, attention, values, query, coverage, dtype, tolerance):
        attention.to(dtype)
        memory = attention.memory(values.to(dtype), MASK)
        context, weights = attention(query.to(dtype), memory, coverage.to(dtype))
        for row, real in enumerate(MASK):
            for t in range(3):
                inputs = (query[row, t], values[row, real], coverage[row, t, real])
                expected = REFERENCES[name](*(x.numpy() for x in inputs), numbers(attention))
                assert_equal((context[row, t], weights[row, t, real]), expected, tolerance)

    def test_gradients(self, attention, values, query, coverage):
        inputs = [values.requires_grad_(), query.requires_grad_()]
        if attention.needs_coverage:
            coverage.requires_grad_()
        inputs += [coverage, *attention.parameters()]
        assert torch.autograd.gradcheck(lambda v, q, c, *_: tuple(attention(q, attention.memory(v, MASK), c)), inputs)

    def test_keys_are_projected_once_per_sentence(self, attention, values, query, coverage):
        """What `memory` prepared is all that later calls read of the values: they run no projection of them again."""
        memory = attention.memory(values, MASK)
        before = attention(query, memory, coverage)
        with torch.no_grad():
            for part in ("key", "value"):
                for weight in getattr(attention, part, torch.nn.Identity()).parameters():
                    weight.fill_(torch.nan)
        torch.testing.assert_close(attention(query, memory, coverage), before, rtol=0, atol=0)

    def test_autocast_keeps_the_softmax_in_float32(self, attention, values, query, coverage):
        attention.float()
        with torch.autocast("cpu", torch.bfloat16):
            memory = attention.memory(values.float(), MASK)
            weights = attention(query.float(), memory, coverage.float()).weights
        assert weights.dtype == torch.float32
        torch.testing.assert_close(weights.sum(2), torch.ones(2, 3), rtol=0, atol=1e-6)

    def test_it_runs_in_bfloat16(self, attention, values, query, coverage):
        attention.bfloat16()
        memory = attention.memory(values.bfloat16(), MASK)
        context, weights = attention(query.bfloat16(), memory, coverage.bfloat16())
        assert context.dtype == torch.bfloat16
        assert weights.dtype == torch.float32

    def test_state_dict_round_trip(self, name, sizes, attention, values, query, coverage):
        other = ATTENTIONS[name](**sizes, heads=HEADS).double()
        other.load_state_dict(attention.state_dict())
        ours, theirs = (a(query, a.memory(values, MASK), coverage) for a in (attention, other))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)

    def test_unknown_options_are_refused(self, name, sizes):
        with pytest.raises(TypeError, match="head_count"):
            ATTENTIONS[name](**sizes, head_count=2)


class TestCoverage:
    @pytest.fixture
    def name(self):
        return "coverage"

    def test_stepwise_it_equals_the_reference(self, attention, values, query):
        """T target positions one by one, where the owner sums up the weights, as a decoder does."""
        memory, covered = attention.memory(values, MASK), torch.zeros(2, 1, 5, dtype=torch.float64)
        expected_covered = [np.zeros(int(real.sum())) for real in MASK]
        for t in range(3):
            context, weights = attention(query[:, t : t + 1], memory, covered)
            covered = covered + weights
            for row, real in enumerate(MASK):
                inputs = (query[row, t].numpy(), values[row, real].numpy(), expected_covered[row])
                expected = REFERENCES["coverage"](*inputs, numbers(attention))
                assert_equal((context[row, 0], weights[row, 0, real]), expected, 1e-6)
                expected_covered[row] = expected_covered[row] + expected[1]

    def test_without_weight_it_is_additive_attention(self, attention, values, query, coverage):
        torch.nn.init.zeros_(attention.coverage.weight)
        additive = AdditiveAttention(**SIZES).double()
        additive.load_state_dict({k: v for k, v in attention.state_dict().items() if k != "coverage.weight"})
        ours, theirs = (a(query, a.memory(values, MASK), coverage) for a in (attention, additive))
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)

    def test_it_insists_on_the_coverage(self, attention, values, query):
        with pytest.raises(ValueError, match="zeros at the first target position"):
            attention(query, attention.memory(values, MASK))

    def test_only_coverage_attention_needs_it(self):
        builders = {name: build(query_size=4, value_size=4, attention_size=4) for name, build in ATTENTIONS.items()}
        assert [name for name, attention in builders.items() if attention.needs_coverage] == ["coverage"]
        assert isinstance(builders["coverage"], CoverageAttention)


def test_dot_attention_has_no_parameters():
    assert not list(DotAttention(query_size=6, value_size=6).parameters())


def test_dot_attention_names_sizes_that_differ():
    with pytest.raises(ValueError, match=r"query_size 5 and value_size 6 must be equal; general attention"):
        DotAttention(query_size=5, value_size=6)


class TestMultiHead:
    @pytest.fixture
    def name(self):
        return "multi_head"

    def test_one_head_is_scaled_dot_attention_with_projected_values(self, values, query):
        multi_head = MultiHeadAttention(**SIZES, heads=1).double()
        scaled_dot = ScaledDotAttention(**SIZES).double()
        scaled_dot.load_state_dict({k: v for k, v in multi_head.state_dict().items() if k in scaled_dot.state_dict()})
        ours, theirs = (a(query, a.memory(values, MASK)) for a in (multi_head, scaled_dot))
        torch.testing.assert_close(ours.weights, theirs.weights, rtol=1e-12, atol=1e-12)
        projected = multi_head.output(multi_head.value(theirs.context))  # linear, hence the same before the mean
        torch.testing.assert_close(ours.context, projected, rtol=1e-12, atol=1e-12)

    def test_it_has_four_heads_by_default(self):
        assert MultiHeadAttention(**SIZES).heads == 4

    @pytest.mark.parametrize("heads", [3, 0, -2])
    def test_heads_must_divide_the_attention_size(self, heads):
        with pytest.raises(ValueError, match=rf"heads of equal width: 4 cannot be divided into {heads}$"):
            MultiHeadAttention(**SIZES, heads=heads)


class TestAdditiveEnergies:
    """However few sentences are held at a time."""

    @pytest.fixture(autouse=True, params=[1, 2 * 3 * 5 * 4, 10**6], ids=["one by one", "two at a time", "at once"])
    def _chunks(self, request, monkeypatch):
        monkeypatch.setattr(additive, "CHUNK_ELEMENTS", request.param)

    @pytest.fixture
    def inputs(self):
        shapes = (5, 3, 4), (5, 5, 4), (4,)
        return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]

    def test_equal_the_equation(self, inputs):
        query, keys, v = inputs
        expected = (query.unsqueeze(2) + keys.unsqueeze(1)).tanh() @ v
        torch.testing.assert_close(additive.additive_energies(*inputs), expected)

    def test_gradients(self, inputs):
        assert torch.autograd.gradcheck(additive.additive_energies, inputs)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_large_projections_saturate(self, inputs, dtype):
        query, keys, v = (part.detach().to(dtype) for part in inputs)
        query, keys = ((30 * part).clamp(-40, 40).requires_grad_() for part in (query, keys))
        energies = additive.additive_energies(query, keys, v)
        torch.testing.assert_close(energies, (query.unsqueeze(2) + keys.unsqueeze(1)).tanh() @ v)
        beyond = additive.additive_energies(query * 1e6, keys / 2, v)
        torch.testing.assert_close(beyond, (query.sign() @ v).unsqueeze(2).expand_as(beyond))
        for gradient in torch.autograd.grad(energies.sum() + beyond.sum(), [query, keys]):
            assert gradient.isfinite().all()

    def test_bfloat16_autocast_stays_close(self, inputs):
        query, keys, v = (part.detach().float().requires_grad_() for part in inputs)
        exact = torch.autograd.grad(additive.additive_energies(query, keys, v).square().sum(), v)
        rough = torch.autograd.grad(additive.additive_energies(query.bfloat16(), keys.bfloat16(), v).square().sum(), v)
        assert rough[0].dtype == torch.float32
        torch.testing.assert_close(rough[0], exact[0], rtol=0.05, atol=0.05)
