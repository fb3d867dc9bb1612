"""Forced decoding: what search reported is found again, and nothing depends on batches, windows or neighbours."""

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import SENTENCES
from hypothesis import given
from hypothesis import strategies as st

from mt.errors import ConfigError, DataError, ModelFolderError
from mt.model import build_model
from mt.model_folder import load_model
from mt.scoring import Score, Scorer
from mt.search import Ranking
from mt.text.symbols import BOS, EOS, PAD
from mt.torch_model import TorchModel
from mt.translator import MAX_SOURCE_PIECES, Translator

PAIRS = [
    ("The old dog sleeps.", "Der alte Hund schläft."),
    ("", ""),
    ("A book.", "Ein Buch liest im Garten eine junge Frau."),
    ("Dog", ""),
    ("  ", "Hund"),
    ("A young woman reads a book in the garden.", "Buch"),
]


@pytest.fixture(scope="module")
def scorer(model_folder):
    return Scorer.from_folder(model_folder)


def likely(model_folder, dtype, decoder="parallel"):
    """The model of the folder, in another precision, sharper, so that hypotheses differ and search ends early."""
    loaded = load_model(model_folder)
    if decoder != "parallel":
        spec = replace(loaded.spec, decoder=decoder)
        loaded = replace(loaded, spec=spec, model=build_model(spec).eval())
    loaded.model.to(dtype)
    loaded.model.output.weight.data *= 3
    loaded.model.output.bias.data[EOS] += 2
    return loaded


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("decoder", ["parallel", "attentional"])
@pytest.mark.parametrize("beam_size", [1, 5])
def test_scores_equal_those_that_search_reported(model_folder, dtype, tolerance, decoder, beam_size):
    loaded = likely(model_folder, dtype, decoder)
    model = TorchModel(loaded.model)
    translator = Translator(model, tokenizers=loaded.tokenizers, decoding=loaded.decoding)
    scorer = Scorer(loaded)
    texts = [*SENTENCES, "", "Dog", *(source for source, _ in PAIRS)]
    alpha = 0.7
    found = [*translator.translate_n_best(texts, n_best=beam_size, beam_size=beam_size, length_penalty=alpha)]
    pairs = [(text, one) for text, hypotheses in zip(texts, found, strict=True) for one in hypotheses]
    scores = [*scorer.score_ids_stream(((text, one.ids) for text, one in pairs), with_attention=True)]
    assert max(score.tokens for score in scores) > 3
    for (_, one), score in zip(pairs, scores, strict=True):
        assert (score.ids, score.pieces, score.source_pieces) == (one.ids, one.pieces, one.source_pieces)
        assert score.token_scores == pytest.approx(one.token_scores, rel=tolerance, abs=tolerance)
        reported = score.normalised(Ranking(alpha=alpha))
        assert reported == pytest.approx(one.score, rel=tolerance, abs=tolerance)
        if one.ids:
            np.testing.assert_allclose(score.attention, np.asarray(one.attention), rtol=1e-5, atol=1e-6)


def test_the_pieces_of_search_need_not_be_those_of_the_text(model_folder, tokenizers):
    """Ids that spell a text otherwise have a score of their own."""
    scorer = Scorer(likely(model_folder, torch.float32))
    (best,) = tokenizers.target.encode(["Hund"])
    other = [best[0], *best]  # the space twice, which decoding makes one
    assert tokenizers.target.decode([other]) == ["Hund"]
    as_text, as_best, as_other = (
        *scorer.score([("Dog", "Hund")]),
        *scorer.score_ids_stream([("Dog", best), ("Dog", other)]),
    )
    assert as_text.ids == as_best.ids == tuple(best)
    assert as_text.total == pytest.approx(as_best.total, rel=1e-6)
    assert as_other.ids == tuple(other)
    assert as_other.total != pytest.approx(as_best.total, rel=1e-3)


def test_order_is_kept_and_a_score_does_not_depend_on_its_neighbours(scorer):
    together = scorer.score(PAIRS)
    alone = [scorer.score([pair])[0] for pair in PAIRS]
    assert [score.ids for score in together] == [score.ids for score in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.token_scores == pytest.approx(other.token_scores, rel=1e-5)


@pytest.mark.parametrize(("window", "batch_tokens"), [(1, 1000), (2, 30), (1000, 1)])
def test_windows_and_batches_change_nothing(scorer, window, batch_tokens):
    expected = scorer.score(PAIRS)
    found = [*scorer.score_stream(iter(PAIRS), window=window, batch_tokens=batch_tokens)]
    assert [score.ids for score in found] == [score.ids for score in expected]
    assert [score.total for score in found] == pytest.approx([score.total for score in expected], rel=1e-5)


def test_no_batch_is_larger_than_allowed(scorer, monkeypatch):
    sizes = []
    forced = scorer.model.forced

    def watched(src, lengths, tgt_in, tgt_out):
        sizes.append(max(src.numel(), tgt_in.numel()))
        return forced(src, lengths, tgt_in, tgt_out)

    monkeypatch.setattr(scorer.model, "forced", watched)
    scorer.score(PAIRS * 3)
    assert max(sizes) <= scorer.decoding.batch_tokens
    assert len(sizes) > 1


def test_pairs_are_read_window_by_window(scorer):
    read = []

    def pairs():
        for number in range(10):
            read.append(number)
            yield "Dog", "Hund"

    next(iter(scorer.score_stream(pairs(), window=4)))
    assert read == [0, 1, 2, 3]


def test_what_is_empty(scorer):
    """Two empty texts are what the translator makes of an empty line; one alone has a score like any other."""
    nothing, no_translation, no_source = (scorer.score(PAIRS)[place] for place in (1, 3, 4))
    assert (nothing.total, nothing.tokens, nothing.normalised(1.0)) == (0.0, 0, 0.0)
    assert (no_translation.tokens, no_translation.pieces) == (1, ())
    assert no_translation.total < 0
    assert (no_source.tokens, no_source.source_pieces) == (5 + 1, ())


def test_attention_is_kept_when_asked_for(scorer):
    assert all(score.attention is None for score in scorer.score(PAIRS))
    for score in scorer.score(PAIRS, with_attention=True):
        if score.tokens:
            assert score.attention.shape == (len(score.pieces) + 1, len(score.source_pieces) + 1)
            np.testing.assert_allclose(score.attention.sum(axis=1), 1, rtol=1e-5)
            assert score.attention.base is None  # holds no batch alive


@given(st.lists(st.floats(-50, 0), min_size=1, max_size=30), st.floats(0, 3))
def test_the_length_penalty_is_that_of_wu_et_al(token_scores, alpha):
    score = Score(ids=(), token_scores=tuple(token_scores), pieces=(), source_pieces=())
    assert (
        score.normalised(Ranking(alpha=0.0)) == pytest.approx(score.total) == pytest.approx(sum(token_scores), abs=1e-9)
    )
    expected = sum(token_scores) * 6**alpha / (5 + len(token_scores)) ** alpha
    assert score.normalised(Ranking(alpha=alpha)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_perplexity_is_that_of_the_loss(scorer):
    """On pairs that training would keep, mean and loss are one."""
    pairs = [pair for pair in PAIRS if all(text.strip() for text in pair)]
    scores = scorer.score(pairs)
    sources = scorer.tokenizers.source.encode([source for source, _ in pairs])
    pad = torch.nn.utils.rnn.pad_sequence
    loss = scorer.model.loss(
        pad([torch.tensor([*ids, EOS]) for ids in sources], batch_first=True),
        torch.tensor([len(ids) + 1 for ids in sources]),
        pad([torch.tensor([BOS, *score.ids]) for score in scores], batch_first=True),
        pad([torch.tensor([*score.ids, EOS]) for score in scores], batch_first=True),
    )
    assert math.fsum(score.total for score in scores) == pytest.approx(-loss.cross_entropy.item(), rel=1e-5)


@pytest.mark.parametrize("token", [-1, PAD, BOS, EOS, 10_000])
def test_ids_that_no_translation_contains_are_refused(scorer, token):
    with pytest.raises(DataError, match=rf"token id {token} cannot be scored: .* from 0 to \d+, without PAD, BOS and"):
        list(scorer.score_ids_stream([("Dog", [5, token])]))


def test_a_cut_line_is_reported_with_its_number(scorer, caplog):
    with caplog.at_level(logging.WARNING):
        cut, _ = scorer.score([("a" * (MAX_SOURCE_PIECES + 50), "Hund"), ("Dog", "a" * 2100)])
    assert "line 1: the source has 1051 pieces, and only the first 1000 are scored" in caplog.text
    assert "line 2: the translation has 2101 pieces, and only the first 2021 are scored" in caplog.text
    assert len(cut.source_pieces) == MAX_SOURCE_PIECES


def test_wrong_options_are_named_before_anything_is_read(scorer):
    with pytest.raises(ConfigError, match="batch_tokens must be a whole number of at least 1, not 0"):
        scorer.score_stream(iter(()), batch_tokens=0)


def test_weights_that_are_not_numbers_are_reported(model_folder):
    scorer = Scorer.from_folder(model_folder)
    scorer.model.output.bias.data.fill_(float("nan"))
    with pytest.raises(ModelFolderError, match="weights are not finite numbers"):
        scorer.score([("Dog", "Hund")])
