"""The model in ONNX Runtime does what the one in torch does, whatever it is made of."""

import numpy as np
import pytest

from mt.onnx import load_onnx_model
from mt.text.symbols import BOS
from mt.torch_model import TorchModel

ONE_LAYER = {"encoder_layers": 1, "decoder_layers": 1}
MODELS = {
    "standard, additive, parallel": {"residual": True, "tied_embeddings": "all", "embedding_size": 20},
    "output_gated, dot, attentional": {
        "cell": "output_gated",
        "attention": "dot",
        "decoder": "attentional",
        "decoder_size": 8,
        **ONE_LAYER,
    },
    "layer_norm, coverage, conditional": {
        "cell": "layer_norm",
        "attention": "coverage",
        "decoder": "conditional",
        **ONE_LAYER,
    },
    "minimal, general, input_feeding": {
        "cell": "minimal",
        "attention": "general",
        "decoder": "input_feeding",
        "source_bridging": True,
        "readout": "linear",
        **ONE_LAYER,
    },
    "min_gru, scaled_dot, parallel": {"cell": "min_gru", "attention": "scaled_dot", "tied_embeddings": "none"},
    "deep, multi_head, attentional": {
        "transition_depth": 2,
        "attention": "multi_head",
        "attention_size": 4,
        "attention_heads": 2,
        "decoder": "attentional",
        **ONE_LAYER,
    },
}
"""Every cell, attention and decoder once, since each takes some seconds to export."""

SRC = np.array([[4, 5, 6, 7, 8, 3], [9, 3, 0, 0, 0, 0], [10, 4, 4, 3, 0, 0], [11, 12, 13, 14, 3, 0]])
LENGTHS = np.array([6, 2, 4, 5])
SHORTLIST = np.array([3, 4, 7, 11, 12, 20])


class Both:
    """Two models, which are given the same and must answer the same."""

    def __init__(self, torch_model, onnx_model, vocabulary=None):
        self.models = TorchModel(torch_model), onnx_model
        self.vocabulary = vocabulary

    def start(self, src, lengths):
        self.states = [model.start(src, lengths, self.vocabulary) for model in self.models]

    def step(self, prev):
        theirs, ours = (
            model.step(np.array(prev), state) for model, state in zip(self.models, self.states, strict=True)
        )
        assert ours.log_probs.dtype == ours.attention.dtype == np.float32
        np.testing.assert_allclose(ours.log_probs, theirs.log_probs, rtol=0, atol=1e-5)
        np.testing.assert_allclose(ours.attention, theirs.attention, rtol=0, atol=1e-5)
        self.states = [theirs.state, ours.state]

    def reorder(self, rows):
        self.states = [state.reorder(np.array(rows)) for state in self.states]

    def keep(self, sentences):
        self.states = [state.keep(np.array(sentences)) for state in self.states]


@pytest.fixture(scope="module", params=MODELS)
def models(request, exported):
    loaded, folder = exported(**MODELS[request.param])
    return loaded.model, load_onnx_model(folder, threads=1).model


def follow(both):
    """Take a search's ways: more hypotheses, other ones, fewer sentences, the longest of which has left."""
    both.start(SRC, LENGTHS)
    both.step([BOS] * 4)
    both.step([4, 5, 6, 7])
    both.reorder([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    both.step(range(4, 16))
    both.reorder([2, 0, 1, 3, 3, 3, 8, 7, 6, 9, 11, 11])
    both.step(range(16, 4, -1))
    both.keep([3, 1])
    assert both.states[1].memory["values"].shape[:2] == (2, 5)
    both.step([4, 4, 5, 5, 6, 6])
    both.keep([1])
    both.reorder([1])
    assert all(part.flags.c_contiguous for part in both.states[1].memory.values())
    both.step([20])
    both.step([12])


def test_equals_torch_all_the_way(models):
    follow(Both(*models))


def test_equals_torch_on_a_shortlist(models):
    follow(Both(*models, vocabulary=SHORTLIST))


def test_padding_changes_nothing(models):
    _, model = models
    alone = model.step(np.array([BOS]), model.start(SRC[1:2, :2], LENGTHS[1:2]))
    padded = model.step(np.array([BOS] * 4), model.start(SRC, LENGTHS))
    np.testing.assert_allclose(padded.log_probs[1], alone.log_probs[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(padded.attention[1, :2], alone.attention[0], rtol=0, atol=1e-5)
    assert (padded.attention[1, 2:] == 0).all()
    filled = np.where(SRC == 0, 9, SRC)
    np.testing.assert_allclose(
        model.step(np.array([BOS] * 4), model.start(filled, LENGTHS)).log_probs, padded.log_probs, rtol=0, atol=1e-6
    )


def test_states_stay_as_they_are(models):
    _, model = models
    first = model.start(SRC, LENGTHS)
    before = [part.copy() for part in (*first.memory.values(), *first.decoder.values())]
    prev = np.array([BOS] * 4)
    log_probs = model.step(prev, first).log_probs
    copy = log_probs.copy()
    log_probs[:] = -1  # as search may do
    first.reorder(np.array([3, 2, 1, 0])).keep(np.array([1]))
    np.testing.assert_array_equal(model.step(prev, first).log_probs, copy)
    for part, was in zip((*first.memory.values(), *first.decoder.values()), before, strict=True):
        np.testing.assert_array_equal(part, was)


def test_keeping_nothing(models):
    _, model = models
    state = model.start(SRC, LENGTHS).keep(np.empty(0, np.int64))
    assert state.memory["values"].shape[:2] == (0, 0)


def test_one_sentence_of_one_token_and_a_shortlist_of_one(models):
    """Sizes of 1, which exporters like to take for constants."""
    both = Both(*models, vocabulary=np.array([5]))
    both.start(np.array([[3]]), np.array([1]))
    both.step([BOS])
    both.step([5])
