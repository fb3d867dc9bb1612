"""Log-probabilities that rules lower and strategies choose among: as plain arrays would have it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.search.next_tokens import NextTokens


@given(st.integers(1, 5), st.integers(1, 700), st.integers(1, 40), st.booleans(), st.integers(0, 10**6))
@settings(deadline=None)
def test_the_best_are_those_of_a_full_sort(rows, vocabulary, count, ties, seed):
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, vocabulary))
    if ties:
        values = values.round(0)
    expected = np.sort(-values, axis=1)[:, :count]
    for log_probs in (values.copy(), torch.from_numpy(values.copy())):
        best, ids = NextTokens(log_probs).best(count)
        np.testing.assert_array_equal(-best, expected)
        np.testing.assert_array_equal(np.take_along_axis(values, ids, axis=1), best)
        assert all(len(set(row)) == len(row) for row in ids.tolist())


@pytest.fixture
def values():
    return np.arange(12.0).reshape(3, 4) - 20


@pytest.fixture(params=["all ids", "vocabulary"])
def tokens(request, values):
    """Columns for ids 0 to 3, or for 0, 5, 6 and 9."""
    return NextTokens(values.copy(), np.array([0, 5, 6, 9]) if request.param == "vocabulary" else None)


def ids_of(tokens):
    return tokens.everything()[1]


def test_forbidding(tokens, values):
    ids = ids_of(tokens)
    tokens.forbid(ids[[1]])
    tokens.forbid(ids[[2, 3]], np.array([0, 2]))
    left = tokens.everything()[0]
    values[:, 1] = values[0, 2] = values[2, 3] = -np.inf
    np.testing.assert_array_equal(left, values)


def test_allowing_only_some(tokens, values):
    tokens.allow_only(ids_of(tokens)[[3]], 1)
    values[1, :3] = -np.inf
    np.testing.assert_array_equal(tokens.everything()[0], values)


def test_penalties_leave_what_the_model_gave(tokens, values):
    ids = ids_of(tokens)
    tokens.penalise(np.array([0, 1]), ids[[2, 3]], factor=2.0, amount=1.0)
    rows = np.array([0, 1, 2])
    np.testing.assert_array_equal(
        tokens.now(rows, ids[[2, 3, 0]]), [2 * values[0, 2] - 1, 2 * values[1, 3] - 1, values[2, 0]]
    )
    np.testing.assert_array_equal(tokens.given(rows, ids[[2, 3, 0]]), [values[0, 2], values[1, 3], values[2, 0]])


def test_ids_outside_of_the_vocabulary_have_no_probability(values):
    tokens = NextTokens(values, np.array([0, 5, 6, 9]))
    tokens.forbid(np.array([1, 5, 100]))
    assert tokens.now(np.array([0, 0, 0]), np.array([1, 5, 100])).tolist() == [-np.inf] * 3
    best, ids = tokens.best(2)
    assert ids.tolist() == [[9, 6]] * 3
    assert best.tolist() == values[:, [3, 2]].tolist()
