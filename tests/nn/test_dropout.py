"""Dropout: what is dropped together, that expectations stay, and that evaluation drops nothing."""

import pytest
import torch

from mt.nn.dropout import Dropout, SequenceDropout, WordDropout
from mt.nn.embedding import TokenEmbedding

ONES = torch.ones(200, 7, 50)


@pytest.mark.parametrize("dropout", [Dropout(0.4), SequenceDropout(0.4), WordDropout(0.4)])
class TestEveryDropout:
    def test_keeps_the_mean_and_drops_the_share(self, dropout):
        dropped = dropout.train()(ONES)
        assert dropped.mean().item() == pytest.approx(1, abs=0.05)
        assert (dropped == 0).float().mean().item() == pytest.approx(0.4, abs=0.05)

    def test_evaluation_drops_nothing(self, dropout):
        assert dropout.eval()(ONES) is ONES


def test_units_are_dropped_by_themselves():
    lost = (Dropout(0.4)(torch.ones(100_000)) == 0).double()
    for distance in (1, 2, 3, 4, 8):  # four units come from one draw
        both = (lost[distance:] * lost[:-distance]).mean().item()
        assert both == pytest.approx(0.16, abs=0.01)


@pytest.mark.parametrize("size", [1, 3, 4, 1001])
def test_what_was_dropped_gets_no_gradient(size):
    x = torch.rand(size).add_(1).requires_grad_()
    dropped = Dropout(0.4)(x)
    (gradient,) = torch.autograd.grad(dropped.sum(), x)
    torch.testing.assert_close(gradient * x, dropped)


def test_one_seed_drops_the_same_units():
    first, second = (Dropout(0.4)(ONES) for _ in range(2) if torch.manual_seed(3))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert not torch.equal(Dropout(0.4)(ONES), second)


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
