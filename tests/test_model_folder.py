"""The model folder: whole or not at all, read back exactly, and every damage named."""

import json
import os
import shutil

import pytest
import torch
import yaml
from conftest import tiny_spec

from mt.errors import ModelFolderError
from mt.model import build_model
from mt.model_folder import load_model, save_model


@pytest.fixture
def copy(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "model")


def test_a_folder_holds_plain_data_only(model_folder):
    assert sorted(os.listdir(model_folder)) == ["joint.spm", "model.safetensors", "model.yaml", "training.json"]
    assert yaml.safe_load((model_folder / "model.yaml").read_text())["decoder_size"] == 5
    assert json.loads((model_folder / "training.json").read_text())["decoding"]["beam_size"] == 3


@pytest.mark.parametrize("tying", ["none", "target", "all"])
def test_weights_come_back_exactly(tmp_path, tokenizers, tying):
    size = len(tokenizers.source)
    spec = tiny_spec(source_vocabulary=size, target_vocabulary=size, tied_embeddings=tying)
    model = build_model(spec)
    save_model(tmp_path / "m", model=model, spec=spec, tokenizers=tokenizers, training={})
    loaded = load_model(tmp_path / "m")
    assert not loaded.model.training
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weight), name


def test_saving_again_replaces_the_old_model_and_leaves_nothing_beside_it(copy, tokenizers):
    size = len(tokenizers.source)
    spec = tiny_spec(source_vocabulary=size, target_vocabulary=size, decoder_size=9)
    save_model(copy, model=build_model(spec), spec=spec, tokenizers=tokenizers, training={})
    assert load_model(copy).model.decoder.layers[0].hidden_size == 9
    assert os.listdir(copy.parent) == ["model"]


def test_a_failed_save_keeps_the_old_model(copy, tokenizers, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_model", full_disk)
    spec = tiny_spec()
    with pytest.raises(OSError, match="No space left"):
        save_model(copy, model=build_model(spec), spec=spec, tokenizers=tokenizers, training={})
    assert os.listdir(copy.parent) == ["model"]
    load_model(copy)


def test_no_folder():
    with pytest.raises(ModelFolderError, match="nowhere is not a folder: give the model folder that mt-train wrote"):
        load_model("nowhere")


@pytest.mark.parametrize("name", ["model.yaml", "model.safetensors", "training.json", "joint.spm"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ModelFolderError, match=name):
        load_model(copy)


@pytest.mark.parametrize("kept", [0, 5, 1000])
def test_truncated_weights(copy, kept):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelFolderError, match=r"model.safetensors is damaged .*: copy it again"):
        load_model(copy)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hidden_size: 5\n", "'hidden_size' is no setting of a model"),
        ("- 1\n- 2\n", "it holds no settings of a model"),
        ("{: broken", "does not describe an mt model"),
        ("!!python/object/apply:os.system [echo]\n", "could not determine a constructor"),
        ("source_vocabulary: 3\n", "a model needs target_vocabulary"),
    ],
)
def test_a_foreign_spec(copy, content, message):
    (copy / "model.yaml").write_text(content)
    with pytest.raises(ModelFolderError) as caught:
        load_model(copy)
    assert "model.yaml does not describe an mt model" in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def _change_spec(folder, **changes):
    spec = yaml.safe_load((folder / "model.yaml").read_text())
    (folder / "model.yaml").write_text(yaml.safe_dump({**spec, **changes}))


def test_weights_of_another_model(copy):
    _change_spec(copy, decoder_size=7)
    with pytest.raises(ModelFolderError, match=r"model.safetensors does not fit model.yaml"):
        load_model(copy)


def test_a_model_too_large_for_this_machine(copy):
    _change_spec(copy, decoder_size=10**9)
    with pytest.raises(ModelFolderError, match=r"model.yaml describes a model that cannot be built here"):
        load_model(copy)


def test_tokenizers_of_another_model(copy):
    _change_spec(copy, source_vocabulary=7, target_vocabulary=7)
    with pytest.raises(ModelFolderError, match=r"expects 7 source pieces, but the SentencePiece model has \d+"):
        load_model(copy)


@pytest.mark.parametrize("decoding", [None, [], {"beam_size": "5"}, {"beam": 5}])
def test_foreign_decoding_defaults(copy, decoding):
    (copy / "training.json").write_text(json.dumps({"decoding": decoding}))
    with pytest.raises(ModelFolderError, match=r"training.json has unusable decoding defaults"):
        load_model(copy)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_damaged_record(copy, content):
    (copy / "training.json").write_text(content)
    with pytest.raises(ModelFolderError, match=r"training.json is damaged"):
        load_model(copy)
