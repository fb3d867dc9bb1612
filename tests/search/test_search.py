"""Search against exhaustive enumeration, and what must hold for every strategy."""

import math
from itertools import product

import pytest
import torch

from mt.errors import ConfigError
from mt.model import ModelSpec, build_model
from mt.search import Beam, DecodingOptions, Greedy, decode, length_limit
from mt.text.symbols import BOS, EOS

VOCABULARY = 7  # PAD UNK BOS EOS and three words
LONGEST = 4  # with EOS


@pytest.fixture
def model():
    spec = ModelSpec(
        source_vocabulary=11,
        target_vocabulary=VOCABULARY,
        embedding_size=6,
        encoder_size=4,
        decoder_size=5,
        attention_size=3,
    )
    model = build_model(spec).double().eval()
    model.output.weight.data *= 4  # sharper, so that hypotheses differ
    return model


def forced(model, src, ids):
    """Log-probabilities of each token of ids and of EOS, by a teacher-forced forward pass."""
    encoded = model.encoder(src, torch.tensor([src.shape[1]]))
    memory = model.decoder.memory(encoded.values, encoded.mask)
    features = model.decoder(torch.tensor([[BOS, *ids]]), memory, encoded.summary)
    log_probs = model.output(features).log_softmax(2)[0]
    return [log_probs[t, token].item() for t, token in enumerate([*ids, EOS])]


def limits(count, longest=LONGEST):
    return torch.full((count,), longest)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
def test_a_wide_beam_equals_exhaustive_search(model, batch, length_penalty):
    src, lengths = batch
    words = (1, 4, 5, 6)
    everything = [ids for length in range(LONGEST) for ids in product(words, repeat=length)]
    beam = Beam(beam_size=len(everything), length_penalty=length_penalty)
    found = decode(model, src, lengths, strategy=beam, max_length=limits(3), n_best=10)
    for row, length in enumerate(lengths):
        penalties = {ids: ((5 + len(ids) + 1) / 6) ** length_penalty for ids in everything}
        scores = {ids: sum(forced(model, src[row : row + 1, :length], ids)) / penalties[ids] for ids in everything}
        expected = sorted(scores, key=scores.__getitem__, reverse=True)[:10]
        assert [hypothesis.ids for hypothesis in found[row]] == expected
        for hypothesis in found[row]:
            assert math.isclose(hypothesis.score, scores[hypothesis.ids], rel_tol=1e-9)


def test_beam_of_one_equals_greedy(model, batch):
    greedy = decode(model, *batch, strategy=Greedy(), max_length=limits(3, 9))
    beam = decode(model, *batch, strategy=Beam(beam_size=1), max_length=limits(3, 9))
    assert [h[0].ids for h in greedy] == [h[0].ids for h in beam]
    assert [h[0].token_scores for h in greedy] == [h[0].token_scores for h in beam]


@pytest.mark.parametrize("strategy", [Greedy(), Beam(beam_size=3)], ids=["greedy", "beam"])
class TestEveryStrategy:
    def test_scores_equal_forced_scores(self, model, batch, strategy):
        src, lengths = batch
        found = decode(model, src, lengths, strategy=strategy, max_length=limits(3, 8))
        for row, length in enumerate(lengths):
            best = found[row][0]
            expected = forced(model, src[row : row + 1, :length], best.ids)
            assert list(best.token_scores) == pytest.approx(expected, rel=1e-9)
            total = strategy.normalise(torch.tensor(expected, dtype=torch.float64).sum(), torch.tensor(len(expected)))
            assert best.score == pytest.approx(float(total), rel=1e-9)

    def test_a_sentence_does_not_depend_on_its_batch(self, model, batch, strategy):
        src, lengths = batch
        together = decode(model, src, lengths, strategy=strategy, max_length=limits(3, 8))
        for row, length in enumerate(lengths):
            row_src = src[row : row + 1, :length]
            alone = decode(model, row_src, lengths[row : row + 1], strategy=strategy, max_length=limits(1, 8))
            assert alone[0][0].ids == together[row][0].ids
            assert alone[0][0].score == pytest.approx(together[row][0].score, rel=1e-12)

    def test_attention_has_a_row_per_token_and_sums_to_one(self, model, batch, strategy):
        src, lengths = batch
        for length, (best, *_) in zip(
            lengths.tolist(), decode(model, src, lengths, strategy=strategy, max_length=limits(3, 8)), strict=True
        ):
            assert best.attention.shape == (len(best.ids) + 1, length)
            torch.testing.assert_close(best.attention.sum(1), torch.ones(len(best.ids) + 1), check_dtype=False)

    def test_the_length_limit_holds_for_each_sentence(self, model, batch, strategy):
        model.output.bias.data[EOS] = -100.0  # never ends by itself
        found = decode(model, *batch, strategy=strategy, max_length=torch.tensor([1, 4, 6]))
        assert [len(hypotheses[0].ids) for hypotheses in found] == [0, 3, 5]


def test_n_best_is_sorted_and_distinct(model, batch):
    for hypotheses in decode(model, *batch, strategy=Beam(beam_size=5), max_length=limits(3, 8), n_best=5):
        scores = [hypothesis.score for hypothesis in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({hypothesis.ids for hypothesis in hypotheses}) == len(hypotheses)


def test_stopping_early_loses_nothing(model, batch):
    """What leaves the batch because nothing can beat it is also the best when the search goes on for the 5 best."""
    beam = Beam(beam_size=5, length_penalty=0.0)
    for one, five in zip(
        decode(model, *batch, strategy=beam, max_length=limits(3, 12), n_best=1),
        decode(model, *batch, strategy=beam, max_length=limits(3, 12), n_best=5),
        strict=True,
    ):
        assert one[0].ids == five[0].ids


def test_no_translation_contains_padding_or_begin(model, batch):
    model.output.bias.data[:] = torch.tensor([50.0, 0, 50, 0, 0, 0, 0])
    for hypotheses in decode(model, *batch, strategy=Beam(beam_size=3), max_length=limits(3, 6), n_best=3):
        for hypothesis in hypotheses:
            assert not {0, BOS} & set(hypothesis.ids)


def test_the_limit_grows_with_the_source():
    assert length_limit(torch.tensor([1, 10])).tolist() == [22, 40]


def test_a_hypothesis_keeps_only_its_own_attention_alive(model, batch):
    for hypotheses in decode(model, *batch, strategy=Beam(beam_size=3), max_length=limits(3, 6), n_best=3):
        for attention in (hypothesis.attention for hypothesis in hypotheses):
            assert attention.untyped_storage().nbytes() == attention.numel() * attention.element_size()


def test_wrong_settings_are_named_at_once():
    with pytest.raises(ConfigError, match=r"beam_size must be .* not 0; length_penalty must be .* not 'x'"):
        DecodingOptions(beam_size=0, length_penalty="x")
