"""Averages of models: the mean of every weight, of models that belong together, and nothing else."""

import pickle
import re
from dataclasses import asdict

import numpy as np
import pytest
import torch
from conftest import SENTENCES, tiny_spec

from mt.averaging import average_models, kept_checkpoints
from mt.errors import ModelFolderError
from mt.model import build_model
from mt.model_folder import load_model, save_model
from mt.search import DecodingOptions
from mt.text.tokenizer_training import TokenizerSettings, train_tokenizers
from mt.translator import Translator


@pytest.fixture
def make(tmp_path, tokenizers):
    """Write a model folder with random weights; returns its path."""

    def save(name, *, pair=tokenizers, training=None, **changes):
        sizes = {"source_vocabulary": len(pair.source), "target_vocabulary": len(pair.target)}
        spec = tiny_spec(**{**sizes, **changes})
        save_model(tmp_path / name, model=build_model(spec), spec=spec, tokenizers=pair, training=training or {})
        return tmp_path / name

    return save


@pytest.fixture
def make_checkpoint(make, tokenizers):
    """Write a checkpoint of random weights into the run folder of a model with the same spec; returns its path."""

    def save(run, step, **changes):
        folder = make(f"{run}/model", training={"decoding": {"beam_size": 7}, "step": 1})
        loaded = load_model(folder)
        model = build_model(loaded.spec)
        identity = {f"model.{name}": value for name, value in loaded.spec.to_dict().items()}
        content = {
            "mt": {**identity, "tokenizer.fingerprint": tokenizers.fingerprint, "data.fingerprint": "abc", "seed": 1},
            "state_dict": {f"model.{name}": weight for name, weight in model.state_dict().items()},
            "global_step": step,
        }
        path = folder.parent / "checkpoints" / f"step{step}-bleu1.00.ckpt"
        path.parent.mkdir(exist_ok=True)
        torch.save({**content, **changes}, path)
        return path

    return save


def weights(folder):
    return load_model(folder).model.state_dict()


def save_average(paths, folder):
    found = average_models(paths)
    save_model(folder, model=found.model, spec=found.spec, tokenizers=found.tokenizers, training=found.training)
    return folder


@pytest.mark.parametrize("count", [2, 3, 7])
def test_the_average_is_the_mean_in_float64_rounded_once(make, count):
    folders = [make(str(number)) for number in range(count)]
    averaged = average_models(folders).model.state_dict()
    for name, average in averaged.items():
        stack = np.stack([weights(folder)[name].numpy() for folder in folders]).astype(np.float64)
        np.testing.assert_array_equal(average.numpy(), stack.mean(axis=0).astype(np.float32), err_msg=name)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_equal_models_give_themselves(make, count):
    folder = make("one")
    for name, average in average_models([folder] * count).model.state_dict().items():
        assert torch.equal(average, weights(folder)[name]), name


@pytest.mark.parametrize("tying", ["none", "target", "all"])
def test_tied_weights_stay_tied(make, tmp_path, tying):
    folders = [make(name, tied_embeddings=tying) for name in "ab"]
    model = load_model(save_average(folders, tmp_path / "average")).model
    assert (model.output.weight is model.decoder.embedding.weight) == (tying != "none")
    assert (model.encoder.embedding.weight is model.decoder.embedding.weight) == (tying == "all")
    expected = (weights(folders[0])["output.weight"].double() + weights(folders[1])["output.weight"]) / 2
    assert torch.equal(model.output.weight, expected.float())


def test_the_folder_of_an_average_translates_and_tells_its_origin(make, tmp_path):
    decoding = {"beam_size": 2, "length_penalty": 0.5, "batch_tokens": 100}
    metric = {"name": "validation/bleu", "score": 1.0, "signature": "s"}
    one = make("one", training={"decoding": decoding, "step": 10, "data_fingerprint": "abc", "metric": metric})
    two = make("two", training={"step": 20, "data_fingerprint": "abc", "metric": metric})
    folder = save_average([one, two], tmp_path / "average")
    training = load_model(folder).training
    assert training.pop("versions").keys() == {"mt", "torch"}
    assert training == {
        "averaged": [{"from": str(one), "step": 10}, {"from": str(two), "step": 20}],
        "data_fingerprint": "abc",
        "metric": None,
        "decoding": asdict(DecodingOptions(**decoding)),
    }
    assert len(Translator.from_folder(folder).translate(SENTENCES[:2])) == 2


def test_models_of_different_corpora_share_no_fingerprint(make):
    folders = [make(name, training={"data_fingerprint": name}) for name in "ab"]
    assert average_models(folders).training["data_fingerprint"] is None


def test_checkpoints_are_averaged_with_the_tokenizers_of_their_run(make_checkpoint, tokenizers):
    paths = [make_checkpoint("run", step) for step in (5, 10)]
    states = [torch.load(path, weights_only=True)["state_dict"] for path in paths]
    found = average_models(paths)
    for name, average in found.model.state_dict().items():
        assert torch.equal(average, sum(state[f"model.{name}"].double() for state in states).div(2).float()), name
    assert found.tokenizers == tokenizers
    assert found.decoding.beam_size == 7
    assert [part["step"] for part in found.training["averaged"]] == [5, 10]
    assert found.training["data_fingerprint"] == "abc"


def test_a_checkpoint_and_a_model_folder_can_be_averaged(make_checkpoint, make):
    assert len(average_models([make_checkpoint("run", 5), make("model")]).training["averaged"]) == 2


def test_kept_checkpoints_are_ordered_by_step_and_each_step_counts_once(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    names = [
        "step1000.ckpt",
        "step500.ckpt",
        "step500-bleu9.00.ckpt",
        "step20-bleu1.00.ckpt",
        "last.ckpt",
        "steps.ckpt",
    ]
    for name in names:
        (tmp_path / "checkpoints" / name).touch()
    kept = [path.name for path in kept_checkpoints(tmp_path)]
    assert kept == ["step20-bleu1.00.ckpt", "step500.ckpt", "step1000.ckpt"]
    assert kept_checkpoints(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding_size": 8}, "embedding_size is 6 and 8"),
        ({"decoder_size": 8, "encoder_layers": 1}, "encoder_layers is 2 and 1; decoder_size is 5 and 8"),
        ({"tied_embeddings": "all"}, "tied_embeddings is target and all"),
    ],
)
def test_other_architectures_are_refused_by_name(make, changes, message):
    with pytest.raises(ModelFolderError, match=f"one and .*two cannot be averaged, for they differ: {message}$"):
        average_models([make("one"), make("two", **changes)])


def test_other_tokenizers_are_refused_by_name(make):
    with pytest.raises(ModelFolderError, match=r"source_vocabulary is \d+ and 30; .*; the source tokenizer is not the"):
        average_models([make("one"), make("two", pair=vocabulary(SENTENCES, 30))])
    other = "Zwei Jungen quälen boxend vier große Hunde. Two boys box; quick dogs jump over my lazy big cats."
    one, two = vocabulary(SENTENCES, 30), vocabulary([other] * 4, 30)
    message = "for they differ: the source tokenizer is not the same; the target tokenizer is not the same$"
    with pytest.raises(ModelFolderError, match=message):
        average_models([make("three", pair=one), make("four", pair=two)])


def vocabulary(sentences, size):
    return train_tokenizers(sentences[:2], sentences[2:], TokenizerSettings(model_type="char", vocab_size=size))


def test_what_is_no_model_is_named(make, make_checkpoint, tmp_path):
    good = make("good")
    with pytest.raises(ModelFolderError, match=r"nowhere cannot be read: No such file or directory$"):
        average_models([good, tmp_path / "nowhere"])
    broken = tmp_path / "broken.ckpt"
    for content in (make_checkpoint("run", 5).read_bytes()[:1000], b"text\n", b""):
        broken.write_bytes(content)
        with pytest.raises(ModelFolderError, match=r"broken.ckpt is damaged, or no checkpoint at all: leave it out"):
            average_models([good, broken])
    for content in ({"state_dict": {}}, {"mt": {"model.cell": "x"}, "state_dict": {}}, [1]):
        torch.save(content, broken)
        with pytest.raises(ModelFolderError, match=r"broken.ckpt is no checkpoint of mt-train$"):
            average_models([good, broken])


def test_a_checkpoint_out_of_its_run_lacks_tokenizers(make_checkpoint, tmp_path):
    path = make_checkpoint("run", 5).rename(tmp_path / "step5.ckpt")
    expected = re.escape(f"they are expected in {tmp_path.parent}/model. Leave a checkpoint in the run folder")
    with pytest.raises(ModelFolderError, match=expected):
        average_models([path, path])


def test_a_checkpoint_must_belong_to_the_run_it_lies_in(make_checkpoint):
    path = make_checkpoint("run", 5)
    content = torch.load(path, weights_only=True)
    for changes in ({"model.decoder_size": 9}, {"tokenizer.fingerprint": "other"}):
        make_checkpoint("run", 5, mt={**content["mt"], **changes})
        with pytest.raises(ModelFolderError, match=r"bleu1.00.ckpt and .*model come from different trainings"):
            average_models([path, path])
    make_checkpoint("run", 5, state_dict={})
    with pytest.raises(ModelFolderError, match=r"the weights in .* do not fit its settings: the file is damaged"):
        average_models([path, path])


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("code of a checkpoint was run",)


def test_no_code_of_a_checkpoint_is_run(tmp_path):
    path = tmp_path / "bomb.ckpt"
    for save in (torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))):
        save({"mt": Bomb()}, path)
        with pytest.raises(ModelFolderError, match=r"bomb.ckpt is damaged, or no checkpoint at all"):
            average_models([path, path])
