"""Embeddings: unit variance on the way in, order 1 on the way out, nothing for padding."""

import torch

from mt.nn.embedding import TokenEmbedding
from mt.text.symbols import PAD


def test_inputs_have_unit_variance_and_padding_is_zero():
    embedding = TokenEmbedding(vocabulary=2000, size=64)
    assert abs(embedding(torch.arange(1, 2000)).std().item() - 1) < 0.02
    assert not embedding(torch.tensor([PAD])).any()


def test_as_an_output_layer_logits_are_of_order_one():
    embedding = TokenEmbedding(vocabulary=2000, size=64)
    logits = torch.randn(100, 64) @ embedding.weight.T
    assert 0.9 < logits.std().item() < 1.1


def test_padding_learns_nothing():
    embedding = TokenEmbedding(vocabulary=10, size=4)
    embedding(torch.tensor([[3, PAD]])).sum().backward()
    assert not embedding.weight.grad[PAD].any()
    assert embedding.weight.grad[3].any()
