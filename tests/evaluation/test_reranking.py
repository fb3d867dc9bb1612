"""Utilities are sacrebleu's own; minimum Bayes risk agrees with a plain double sum."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from mt.errors import EvaluationError
from mt.evaluation.n_best import Candidate
from mt.evaluation.reranking import (
    POSTERIORS,
    UTILITIES,
    expected_utilities,
    pairwise_utilities,
    posteriors,
    reranked,
)

HYPOTHESES = [
    "Der alte Hund schläft im Garten.",
    "Der alte Hund schläft in dem Garten.",
    "Ein alter Hund schläft im Garten!",
    "Katzen",
    "",
    "Der alte Hund schläft im Garten.",
]
METRICS = {"chrf": CHRF(), "bleu": BLEU(effective_order=True)}
words = st.sampled_from(["der", "Hund", "Hund.", "schläft", "ein", "-", "&", "12,5", "”", " "])


def by_sacrebleu(utility, texts):
    metric = METRICS[utility]
    return [[metric.sentence_score(one, [reference]).score for reference in texts] for one in texts]


@pytest.mark.parametrize("utility", UTILITIES)
def test_utilities_equal_sacrebleu(utility):
    found = pairwise_utilities(HYPOTHESES, utility=utility)
    np.testing.assert_array_equal(found, by_sacrebleu(utility, HYPOTHESES))
    assert len(np.unique(found)) > 5


@pytest.mark.parametrize("utility", UTILITIES)
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.lists(words, max_size=9).map(" ".join), min_size=1, max_size=4))
def test_utilities_equal_sacrebleu_for_any_texts(utility, texts):
    np.testing.assert_array_equal(pairwise_utilities(texts, utility=utility), by_sacrebleu(utility, texts))


@pytest.mark.parametrize("utility", UTILITIES)
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_expected_utility_is_a_weighted_mean(utility, posterior):
    scores = [-0.5, -0.7, -1.5, -2.0, -9.0, -0.5]
    weights = [1.0] * 6 if posterior == "uniform" else [math.exp(score) for score in scores]
    table = by_sacrebleu(utility, HYPOTHESES)
    expected = [sum(w * u for w, u in zip(weights, row, strict=True)) / sum(weights) for row in table]
    found = expected_utilities(HYPOTHESES, scores, utility=utility, posterior=posterior)
    assert found == pytest.approx(expected, rel=1e-12)
    assert found[0] == found[5] == max(found)  # twice in the list, and close to two others


def test_the_posterior_decides_what_is_typical():
    texts = ["ein Hund", "eine Katze", "eine Katze schläft"]
    assert np.argmax(expected_utilities(texts, [0.0, -9.0, -9.0], posterior="softmax")) == 0
    assert np.argmax(expected_utilities(texts, [0.0, -9.0, -9.0], posterior="uniform")) == 2


@given(st.lists(st.floats(-2000, 0), min_size=1, max_size=9))
def test_posteriors_are_probabilities(scores):
    for posterior in POSTERIORS:
        found = posteriors(scores, posterior)
        assert found.shape == (len(scores),)
        assert found.min() >= 0
        assert found.sum() == pytest.approx(1)
    assert (
        np.argmax(found := posteriors(scores, "softmax")) == np.argmax(scores)
        or found.max() == found[np.argmax(scores)]
    )


def test_reranked_is_stable_and_keeps_everything_but_old_scores():
    one, two, three = (
        Candidate(text=text, score=score, further_scores=(4.0,), pieces=(text,), token_scores=(-1.0, -2.0))
        for text, score in (("a", -1.0), ("b", -2.0), ("c", -3.0))
    )
    best = reranked([one, two, three], [5.0, 7.0, 5.0])
    assert [(found.text, found.score, found.further_scores) for found in best] == [
        ("b", 7.0, ()),
        ("a", 5.0, ()),
        ("c", 5.0, ()),
    ]
    assert (best[0].pieces, best[0].token_scores) == (("b",), (-1.0, -2.0))


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(EvaluationError, match=r"no utility 'chrff'\. Did you mean 'chrf'\? Valid: bleu, chrf"):
        expected_utilities(["a"], [0.0], utility="chrff")
    with pytest.raises(EvaluationError, match=r"no posterior 'unifrom'\. Did you mean 'uniform'\?"):
        expected_utilities(["a"], [0.0], posterior="unifrom")
