"""Dropout: what is dropped together, that expectations stay, and that evaluation drops nothing."""

import pytest
import torch

from mt.nn.dropout import SequenceDropout, WordDropout
from mt.nn.embedding import TokenEmbedding

ONES = torch.ones(200, 7, 50)


@pytest.mark.parametrize("dropout", [SequenceDropout(0.4), WordDropout(0.4)])
class TestEveryDropout:
    def test_keeps_the_mean_and_drops_the_share(self, dropout):
        dropped = dropout.train()(ONES)
        assert dropped.mean().item() == pytest.approx(1, abs=0.05)
        assert (dropped == 0).float().mean().item() == pytest.approx(0.4, abs=0.05)

    def test_evaluation_drops_nothing(self, dropout):
        assert dropout.eval()(ONES) is ONES


def test_a_sentence_loses_the_same_units_everywhere():
    dropped = SequenceDropout(0.4)(ONES)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert not torch.equal(dropped[0], dropped[1])


def test_a_word_is_lost_as_a_whole():
    dropped = WordDropout(0.4)(ONES)
    assert torch.equal(dropped, dropped[:, :, :1].expand_as(dropped))
    assert not torch.equal(dropped[:, 0], dropped[:, 1])


def test_embeddings_drop_words_in_training_only():
    embedding = TokenEmbedding(vocabulary=10, size=4, word_dropout=0.5)
    ids = torch.arange(1, 10).expand(50, 9)
    lost = (embedding(ids) == 0).all(2).float().mean().item()
    assert lost == pytest.approx(0.5, abs=0.1)
    assert (embedding.eval()(ids) != 0).all()
