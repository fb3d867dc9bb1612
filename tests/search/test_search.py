"""Search against exhaustive enumeration, and what must hold for every strategy."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from small_model import SRC, SRC_LENGTHS, VOCABULARY, forced, small_network

from mt.search import Beam, DecodingOptions, DiverseBeam, Greedy, Ranking, Sample, decode, length_limit
from mt.search.constrained import ConstrainedBeam
from mt.search.constraints import Include
from mt.search.spelling import Spelling
from mt.text.symbols import BOS, EOS
from mt.torch_model import TorchModel

WORDS = (1, 4, 5, 6)  # the unknown token is one
LONGEST = 6  # with EOS
EXPECTED_SCORE = {
    "none": lambda total, length: total,
    "average": lambda total, length: total / length,
    "gnmt": lambda total, length: total / ((5 + length) / 6) ** 0.7,
    "reward": lambda total, length: total + 0.7 * length,
}
STRATEGIES = {
    "greedy": lambda: Greedy(),
    "beam": lambda: Beam(beam_size=3),
    "diverse": lambda: DiverseBeam(beam_size=4, groups=2, diversity=0.7),
    "sample": lambda: Sample(samples=3, generators=[np.random.default_rng([7, n]) for n in range(3)]),
    "constrained": lambda: ConstrainedBeam(
        beam_size=3, include=Include([()] * 3, limits(3, 8), Spelling(["?"] * VOCABULARY))
    ),
}


@pytest.fixture
def network():
    return small_network()


@pytest.fixture
def model(network):
    return TorchModel(network)


@pytest.fixture
def batch():
    return SRC, SRC_LENGTHS


def limits(count: int, longest: int = LONGEST) -> np.ndarray:
    return np.full(count, longest)


@pytest.mark.parametrize("length_penalty", sorted(EXPECTED_SCORE))
def test_a_wide_beam_equals_exhaustive_search(model, network, batch, length_penalty):
    src, lengths = batch
    everything = [ids for length in range(LONGEST) for ids in product(WORDS, repeat=length)]
    ranking = Ranking(length_penalty=length_penalty, alpha=0.7)
    beam = Beam(beam_size=len(everything))
    found = decode(model, src, lengths, strategy=beam, max_length=limits(3), n_best=10, ranking=ranking)
    for row, length in enumerate(lengths):
        totals = {ids: sum(forced(network, src[row, :length], ids)) for ids in everything}
        scores = {ids: EXPECTED_SCORE[length_penalty](total, len(ids) + 1) for ids, total in totals.items()}
        expected = sorted(scores, key=scores.__getitem__, reverse=True)[:10]
        assert [hypothesis.ids for hypothesis in found[row]] == expected
        for hypothesis in found[row]:
            assert math.isclose(hypothesis.score, scores[hypothesis.ids], rel_tol=1e-9)


def test_a_coverage_penalty_adds_what_was_not_looked_at(model, batch):
    src, lengths = batch
    beam, ranking = Beam(beam_size=400), Ranking(length_penalty="none", coverage_penalty=0.5)
    plain = decode(model, src, lengths, strategy=beam, max_length=limits(3, 4), n_best=50, ranking=Ranking())
    found = decode(model, src, lengths, strategy=beam, max_length=limits(3, 4), n_best=50, ranking=ranking)
    for row in range(3):
        by_hand = {
            one.ids: sum(one.token_scores) + 0.5 * np.log(np.minimum(one.attention.sum(0), 1)).sum()
            for one in plain[row] + found[row]
        }
        best = sorted(by_hand, key=by_hand.__getitem__, reverse=True)
        assert found[row][0].ids == best[0]
        assert [one.score for one in found[row]] == pytest.approx([by_hand[one.ids] for one in found[row]], rel=1e-9)


def test_beam_of_one_equals_greedy(model, batch):
    greedy = decode(model, *batch, strategy=Greedy(), max_length=limits(3, 9))
    beam = decode(model, *batch, strategy=Beam(beam_size=1), max_length=limits(3, 9))
    assert [h[0] for h in greedy] == [h[0] for h in beam]


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
class TestEveryStrategy:
    def test_scores_equal_forced_scores(self, model, network, batch, strategy):
        src, lengths = batch
        for row, found in enumerate(self.found(model, batch, strategy)):
            for hypothesis in found:
                expected = forced(network, src[row, : lengths[row]], hypothesis.ids)
                assert list(hypothesis.token_scores) == pytest.approx(expected, rel=1e-9)
                assert hypothesis.score == pytest.approx(Ranking().score(sum(expected), len(expected)), rel=1e-9)

    def test_a_sentence_does_not_depend_on_its_batch(self, model, batch, strategy):
        src, lengths = batch
        together = self.found(model, batch, strategy)
        for row, length in enumerate(lengths):
            one = STRATEGIES[strategy]()
            if isinstance(one, Sample):
                one.generators = one.generators[row : row + 1]
            alone = decode(
                model,
                *(src[row : row + 1, :length], lengths[row : row + 1]),
                strategy=one,
                max_length=limits(1, 8),
                n_best=one.beam_size,
            )
            assert [h.ids for h in alone[0]] == [h.ids for h in together[row]]
            assert [h.score for h in alone[0]] == pytest.approx([h.score for h in together[row]], rel=1e-12)

    def test_attention_has_a_row_per_token_and_sums_to_one(self, model, batch, strategy):
        for length, found in zip(batch[1].tolist(), self.found(model, batch, strategy), strict=True):
            for hypothesis in found:
                assert hypothesis.attention.shape == (len(hypothesis.ids) + 1, length)
                np.testing.assert_allclose(hypothesis.attention.sum(1), 1)

    def test_the_length_limit_holds_for_each_sentence(self, model, network, batch, strategy):
        network.output.bias.data[EOS] = -100.0  # never ends by itself
        found = decode(model, *batch, strategy=STRATEGIES[strategy](), max_length=np.array([1, 4, 6]))
        assert [len(hypotheses[0].ids) for hypotheses in found] == [0, 3, 5]

    def test_n_best_is_sorted(self, model, batch, strategy):
        for hypotheses in self.found(model, batch, strategy):
            scores = [hypothesis.score for hypothesis in hypotheses]
            assert scores == sorted(scores, reverse=True)
            assert len(hypotheses) == STRATEGIES[strategy]().beam_size
            if strategy not in ("sample", "diverse"):
                assert len({hypothesis.ids for hypothesis in hypotheses}) == len(hypotheses)

    def test_no_translation_contains_padding_or_begin(self, model, network, batch, strategy):
        network.output.bias.data[:] = torch.tensor([50.0, 0, 50, 0, 0, 0, 0])
        for hypotheses in self.found(model, batch, strategy):
            for hypothesis in hypotheses:
                assert not {0, BOS} & set(hypothesis.ids)

    def test_a_vocabulary_is_all_that_translations_are_made_of(self, model, network, batch, strategy):
        src, lengths = batch
        some = np.array([0, 1, 2, EOS, 5])
        found = decode(
            model, src, lengths, strategy=STRATEGIES[strategy](), max_length=limits(3, 8), n_best=1, vocabulary=some
        )
        for (hypothesis,) in found:
            assert {1, 5} >= set(hypothesis.ids)

    def test_a_hypothesis_keeps_only_its_own_attention_alive(self, model, batch, strategy):
        for hypotheses in self.found(model, batch, strategy):
            for hypothesis in hypotheses:
                assert hypothesis.attention.base is None

    def found(self, model, batch, strategy):
        one = STRATEGIES[strategy]()
        return decode(model, *batch, strategy=one, max_length=limits(3, 8), n_best=one.beam_size)


def test_stopping_early_loses_nothing(model, batch):
    """What leaves the batch because nothing can beat it is also the best when the search goes on for the 5 best."""
    beam, ranking = Beam(beam_size=5), Ranking(length_penalty="none")
    for one, five in zip(
        decode(model, *batch, strategy=beam, max_length=limits(3, 12), n_best=1, ranking=ranking),
        decode(model, *batch, strategy=beam, max_length=limits(3, 12), n_best=5, ranking=ranking),
        strict=True,
    ):
        assert one[0].ids == five[0].ids


def test_a_vocabulary_of_everything_changes_nothing(model, batch):
    options = {"strategy": Beam(beam_size=3), "max_length": limits(3, 8), "n_best": 3}
    everything = decode(model, *batch, **options, vocabulary=np.arange(VOCABULARY))
    for one, other in zip(everything, decode(model, *batch, **options), strict=True):
        assert [h.ids for h in one] == [h.ids for h in other]


def test_samples_follow_the_distribution_of_the_model(model, network):
    """The share of each first token among many samples is close to its probability, also under top-k and top-p."""
    src, lengths = np.array([[4, 5, 3]]), np.array([3])
    probabilities = np.exp(
        np.array(network_first(network, src[0])) - np.logaddexp.reduce(np.array(network_first(network, src[0])))
    )
    order = np.argsort(-probabilities)
    for options, kept in (
        ({}, 5),
        ({"top_k": 2}, 2),
        ({"top_p": 0.5}, 1 + int((probabilities[order].cumsum() < 0.5).sum())),
    ):
        sample = Sample(samples=4000, generators=[np.random.default_rng(3)], **options)
        found = decode(model, src, lengths, strategy=sample, max_length=limits(1, 3), n_best=4000)[0]
        counts = np.bincount([(*h.ids, EOS)[0] for h in found], minlength=VOCABULARY)
        expected = np.zeros(VOCABULARY)
        expected[order[:kept]] = probabilities[order[:kept]] / probabilities[order[:kept]].sum()
        np.testing.assert_allclose(counts / 4000, expected, atol=0.04)
        assert not counts[expected == 0].any()


def network_first(network, src):
    """Log-probabilities of the first token, -inf for those that no translation contains."""
    values = [-np.inf, 0.0, -np.inf, *([0.0] * (VOCABULARY - 3))]
    for token in range(VOCABULARY):
        if np.isfinite(values[token]):
            values[token] = forced(network, src, (token,))[0] if token != EOS else forced(network, src, ())[0]
    return values


def test_a_low_temperature_is_greedy(model, batch):
    generators = [np.random.default_rng(n) for n in range(3)]
    sample = Sample(samples=1, generators=generators, temperature=1e-6)
    found = decode(model, *batch, strategy=sample, max_length=limits(3, 8))
    greedy = decode(model, *batch, strategy=Greedy(), max_length=limits(3, 8))
    assert [h[0].ids for h in found] == [h[0].ids for h in greedy]


def test_diverse_groups_begin_differently(model, batch):
    """With an overwhelming diversity, no two groups choose the same first token while there are others."""
    strategy = DiverseBeam(beam_size=3, groups=3, diversity=1000.0)
    for hypotheses in decode(model, *batch, strategy=strategy, max_length=limits(3, 8), n_best=3):
        assert len({(*h.ids, EOS)[0] for h in hypotheses}) == 3


def test_one_group_is_an_ordinary_beam(model, batch):
    options = {"max_length": limits(3, 8), "n_best": 3}
    one = decode(model, *batch, strategy=DiverseBeam(beam_size=3, groups=1, diversity=9.0), **options)
    for diverse, plain in zip(one, decode(model, *batch, strategy=Beam(beam_size=3), **options), strict=True):
        assert [h.ids for h in diverse] == [h.ids for h in plain]


def test_the_limit_grows_with_the_source():
    assert length_limit(np.array([1, 10])).tolist() == [22, 40]
    least, most = DecodingOptions(min_length=2, max_length=30, min_length_ratio=0.5).limits(np.array([1, 10, 21]))
    assert least.tolist() == [2, 5, 10]
    assert most.tolist() == [22, 31, 31]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0, "length_penalty": "x"}, r"beam_size must be .* not 0; length_penalty must be .* not 'x'"),
        ({"length_normalisation": "gnmtt"}, "length normalisation 'gnmtt' is unknown. Did you mean 'gnmt'?"),
        ({"beam_size": 5, "beam_groups": 2}, "beam_groups must divide beam_size: 2 does not divide 5"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, not 0.0"),
        ({"temperature": -1.0}, "temperature must be above 0, not -1.0"),
        ({"repetition_penalty": 0.9}, "repetition_penalty must be a number of at least 1, not 0.9"),
        ({"sample": "yes"}, "sample must be true or false, not 'yes'"),
        ({"min_length": 9, "max_length": 5}, "min_length 9 is above max_length 5"),
    ],
)
def test_wrong_settings_are_named_at_once(options, message):
    with pytest.raises(Exception, match=message) as raised:
        DecodingOptions(**options)
    assert type(raised.value).__name__ == "ConfigError"
