"""Raw text to hypotheses: order, emptiness, length, windows, and the public names."""

import logging
import subprocess
import sys

import pytest

import mt
from mt.errors import ConfigError, ModelFolderError
from mt.search import DecodingOptions
from mt.translator import MAX_SOURCE_PIECES, Translator

TEXTS = ["The old dog sleeps.", "", "A book.", "   ", "A young woman reads a book in the garden.", "Dog"]


@pytest.fixture(scope="module")
def translator(model_folder):
    return Translator.from_folder(model_folder)


def test_order_is_kept_and_empty_stays_empty(translator):
    found = translator.translate(TEXTS)
    assert len(found) == len(TEXTS)
    assert [hypothesis.text for hypothesis in found if not hypothesis.source_pieces] == ["", ""]
    alone = [translator.translate([text])[0] for text in TEXTS]
    assert [h.ids for h in found] == [h.ids for h in alone]
    assert [h.score for h in found] == pytest.approx([h.score for h in alone], rel=1e-5)


@pytest.mark.parametrize(("window", "batch_tokens"), [(1, 1000), (2, 30), (1000, 1)])
def test_windows_and_batches_change_nothing(translator, window, batch_tokens):
    expected = [hypothesis.ids for hypothesis in translator.translate(TEXTS)]
    found = translator.translate_n_best(TEXTS, n_best=1, window=window, batch_tokens=batch_tokens)
    assert [hypotheses[0].ids for hypotheses in found] == expected


def test_lines_are_read_window_by_window(translator):
    read = []

    def lines():
        for number in range(10):
            read.append(number)
            yield "Dog"

    next(iter(translator.translate_n_best(lines(), n_best=1, window=4)))
    assert read == [0, 1, 2, 3]


def test_the_folder_has_the_defaults(translator):
    assert translator.decoding == DecodingOptions(beam_size=3, length_penalty=0.5, batch_tokens=200)
    assert len(next(iter(translator.translate_n_best(["Dog"], n_best=3)))) == 3


def test_a_hypothesis_explains_itself(translator):
    (hypothesis,) = translator.translate(["A book."])
    assert hypothesis.attention.shape == (len(hypothesis.pieces) + 1, len(hypothesis.source_pieces) + 1)
    assert len(hypothesis.token_scores) == len(hypothesis.ids) + 1
    assert "".join(hypothesis.source_pieces).replace("▁", " ").strip() == "A book."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_best": 4}, "n-best must lie between 1 and the beam size 3, not 4"),
        ({"n_best": 1, "beam_size": 0}, "beam_size must be a whole number of at least 1, not 0"),
        ({"n_best": 1, "batch_tokens": 0}, "batch_tokens must be a whole number of at least 1, not 0"),
    ],
)
def test_wrong_options_are_named_before_anything_is_read(translator, options, message):
    with pytest.raises(ConfigError, match=message):
        translator.translate_n_best(iter(()), **options)


def test_a_cut_line_is_reported_with_its_number(translator, caplog):
    with caplog.at_level(logging.WARNING):
        translator.translate(["Dog", "a" * (MAX_SOURCE_PIECES + 50)], beam_size=1)
    assert "line 2 has 1051 pieces: only the first 1000 are translated" in caplog.text


def test_weights_that_are_not_numbers_are_reported(model_folder):
    translator = Translator.from_folder(model_folder)
    translator.model.model.output.bias.data.fill_(float("nan"))
    with pytest.raises(ModelFolderError, match="weights are not finite numbers"):
        translator.translate(["Dog"])


def test_an_unknown_device_is_named(model_folder):
    with pytest.raises(ConfigError, match=r"device 'gpuu' cannot be used here .*: try --device cpu"):
        Translator.from_folder(model_folder, device="gpuu")


def test_importing_mt_loads_nothing_heavy():
    heavy = "torch", "datasets", "hydra", "pytorch_lightning", "sacrebleu", "matplotlib"
    code = f"import sys, mt; sys.exit(bool([name for name in {heavy} if name in sys.modules]))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_translating_loads_no_training_libraries():
    heavy = "datasets", "hydra", "pytorch_lightning", "sacrebleu", "matplotlib"
    code = f"import sys, mt; mt.Translator; sys.exit(bool([name for name in {heavy} if name in sys.modules]))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_public_names():
    for name in mt.__all__:
        assert getattr(mt, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mt.nothing  # noqa: B018
