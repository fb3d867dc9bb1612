"""Rules on made-up log-probabilities, and in searches whose scores stay the model's own."""

import numpy as np
import pytest
from small_model import SRC, SRC_LENGTHS, forced, small_network

from mt.search import Beam, decode
from mt.search.next_tokens import NextTokens
from mt.search.rules import MinLength, NoRepeatNgrams, RepetitionPenalty, SuppressUnknown, end_at
from mt.search.strategies import Live
from mt.text.symbols import EOS, UNK
from mt.torch_model import TorchModel

SO_FAR = np.array([[4, 5, 4], [5, 5, 5], [4, 6, 5], [6, 4, 6]])  # two sentences, two hypotheses each


def live() -> Live:
    return Live(np.array([0, 1]), np.zeros((2, 2)), np.zeros((2, 2)), SO_FAR)


def after(rule) -> np.ndarray:
    tokens = NextTokens(np.full((4, 7), -2.0))
    rule.apply(live(), tokens)
    return tokens.everything()[0]


def forbidden(rule) -> list[list[int]]:
    return [np.flatnonzero(np.isinf(row)).tolist() for row in after(rule)]


def test_unknown_tokens_are_suppressed():
    assert forbidden(SuppressUnknown()) == [[UNK]] * 4


def test_no_end_before_the_minimum():
    assert forbidden(MinLength(np.array([4, 3]))) == [[EOS], [EOS], [], []]


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, [[4, 5], [5], [4, 5, 6], [4, 6]]), (2, [[5], [5], [], [4]]), (3, [[], [5], [], []]), (4, [[]] * 4)],
)
def test_ngrams_do_not_come_back(n, expected):
    assert forbidden(NoRepeatNgrams(n)) == expected


def test_repetition_costs():
    values = after(RepetitionPenalty(1.5))
    for row, so_far in zip(values, SO_FAR, strict=True):
        assert [value == -3.0 for value in row] == [token in so_far for token in range(7)]


def test_the_last_token_is_the_end():
    tokens = NextTokens(np.full((4, 7), -2.0))
    end_at(np.array([4, 4, 5, 9]), live(), tokens)
    left = [np.flatnonzero(np.isfinite(row)).tolist() for row in tokens.everything()[0]]
    assert left == [[EOS], [EOS], [1, 3, 4, 5, 6], [1, 3, 4, 5, 6]]


@pytest.mark.parametrize("rule", [RepetitionPenalty(3.0), NoRepeatNgrams(2)], ids=["penalty", "ngrams"])
def test_scores_are_the_models_whatever_the_rules(rule):
    network = small_network()
    options = {"strategy": Beam(beam_size=3), "max_length": np.array([8, 8, 8]), "n_best": 3}
    ruled = decode(TorchModel(network), SRC, SRC_LENGTHS, rules=[rule], **options)
    free = decode(TorchModel(network), SRC, SRC_LENGTHS, **options)
    assert [[h.ids for h in found] for found in ruled] != [[h.ids for h in found] for found in free]
    for row, found in enumerate(ruled):
        for hypothesis in found:
            expected = forced(network, SRC[row, : SRC_LENGTHS[row]], hypothesis.ids)
            assert list(hypothesis.token_scores) == pytest.approx(expected, rel=1e-9)
