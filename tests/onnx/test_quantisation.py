"""Weights of one byte: nearly the same model, whose products are of integers."""

import numpy as np
import onnx
import pytest

from mt.onnx import load_onnx_model
from mt.onnx.quantisation import quantised
from mt.text.symbols import BOS

SRC = np.array([[4, 5, 6, 7, 8, 3], [9, 3, 0, 0, 0, 0], [10, 4, 4, 3, 0, 0], [11, 12, 13, 14, 3, 0]])
LENGTHS = np.array([6, 2, 4, 5])


def products(model):
    """The shapes of constant matrices that something is multiplied with, by the operator."""
    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Gemm", "MatMulInteger") and node.input[1] in shapes:
            found.setdefault(node.op_type, []).append(shapes[node.input[1]])
    return found


def V(step):  # noqa: N802
    return step.output[0].type.tensor_type.shape.dim[1].dim_value


def log_probs(model, vocabulary=None):
    """Predictions after four words, which start with every word of the vocabulary."""
    state = model.start(SRC, LENGTHS, vocabulary)
    state = model.step(np.array([BOS] * 4), state).state.reorder(np.repeat(np.arange(4), 5))
    found = []
    for step in range(3):
        result = model.step(np.arange(20) + step, state)
        found.append(result.log_probs)
        state = result.state
    return np.concatenate(found)


@pytest.fixture(scope="module")
def folders(exported):
    return [exported(int8=int8, residual=True, tied_embeddings="all", embedding_size=20)[1] for int8 in (False, True)]


@pytest.mark.parametrize("vocabulary", [None, np.array([3, 4, 7, 11, 12, 20])])
def test_predictions_are_close(folders, vocabulary):
    exact, rough = (log_probs(load_onnx_model(folder, threads=1).model, vocabulary) for folder in folders)
    assert np.abs(exact - rough).max() < 0.3
    assert np.abs(exact - rough).mean() < 0.03
    assert (exact.argmax(1) == rough.argmax(1)).mean() >= 0.9


def test_every_product_of_a_step_is_of_integers_but_those_with_a_vector(folders):
    H, C, E, A = 5, 8, 20, 3
    step, shortlist_step = (onnx.load(folders[1] / name) for name in ("step.onnx", "shortlist_step.onnx"))
    decoder = [(E, 3 * H), (H, 3 * H), (H + C, 3 * H), (H, 3 * H), (H, A), (H + C + E, E)]
    assert sorted(products(step)["MatMulInteger"]) == sorted([*decoder, (E, V(step.graph))])
    assert sorted(products(shortlist_step)["MatMulInteger"]) == sorted(decoder)
    assert products(step)["MatMul"] == [(A, 1)]
    assert "Gemm" not in products(step)


def test_pieces_of_a_matrix_are_quantised_too(exported):
    """This cell cuts its matrix in two for its step."""
    H = 8
    _, folder = exported(
        cell="output_gated", attention="dot", decoder="attentional", decoder_size=H, encoder_layers=1, decoder_layers=1
    )
    found = products(quantised(onnx.load(folder / "shortlist_step.onnx")))
    assert {(H, 3 * H), (H, H)} <= {*found["MatMulInteger"]}
    assert "MatMul" not in found


def test_weights_are_stored_once(folders):
    """The embedding of both languages is the output layer, too; in int8, its product needs it in another order."""
    for folder, times in zip(folders, (1, 2), strict=True):
        start, step = (onnx.load(folder / name, load_external_data=False).graph for name in ("start.onnx", "step.onnx"))
        places = {}
        for weight in (*start.initializer, *step.initializer):
            if 20 in weight.dims and V(step) in weight.dims:
                places.setdefault(weight.external_data[1].value, []).append(weight.name)
        assert len(places) == times
        assert sum(map(len, places.values())) >= 3
    sizes = [(folder / "weights.bin").stat().st_size for folder in folders]
    assert sizes[1] < 0.6 * sizes[0]
