"""The ONNX model folder: what is in it, every damage named, and no torch to read it."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from mt.errors import ConfigError, ModelFolderError
from mt.folder import is_onnx_folder
from mt.onnx import folder as module
from mt.onnx import load_onnx_model
from mt.text.symbols import BOS
from mt.translator import Translator

STANDARD = {"residual": True, "tied_embeddings": "all", "embedding_size": 20}
GRAPHS = ["shortlist_step.onnx", "start.onnx", "step.onnx"]


@pytest.fixture(scope="module")
def folder(exported):
    return exported(**STANDARD)[1]


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "onnx")


def test_a_folder_holds_plain_data_only(folder):
    assert sorted(os.listdir(folder)) == ["joint.spm", "model.yaml", *GRAPHS, "training.json", "weights.bin"]


def test_what_is_not_the_model_comes_along(exported, folder):
    loaded, _ = exported(**STANDARD)
    found = load_onnx_model(folder)
    assert found.tokenizers == loaded.tokenizers
    assert found.decoding == loaded.decoding
    assert found.training.items() >= loaded.training.items()
    export = found.training["export"]
    assert (export["format"], export["int8"]) == ("onnx", False)
    assert {"mt", "torch", "onnx", "onnxruntime"} < {*export["versions"]}


def test_it_translates(exported, folder):
    loaded, _ = exported(**STANDARD)
    from mt.torch_model import TorchModel

    ours, theirs = (
        Translator(model, tokenizers=loaded.tokenizers, decoding=loaded.decoding).translate(
            ["The old dog sleeps.", "A book."]
        )
        for model in (load_onnx_model(folder).model, TorchModel(loaded.model))
    )
    assert [one.text for one in ours] == [one.text for one in theirs]
    assert [one.score for one in ours] == pytest.approx([one.score for one in theirs], abs=1e-4)


PROGRAM = f"""
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "onnxscript", "safetensors", "pytorch_lightning", "hydra"):
            raise ImportError(name)

sys.meta_path.insert(0, NoTorch())
import numpy as np
from mt.onnx import load_onnx_model
from mt.translator import Translator

loaded = load_onnx_model(sys.argv[1], threads=1)
state = loaded.model.start(np.array([[4, 5, 3]]), np.array([3]))
print(loaded.model.step(np.array([{BOS}]), state).log_probs.argmax())
print(Translator(loaded.model, tokenizers=loaded.tokenizers, decoding=loaded.decoding).translate(["A book."])[0].ids)
"""


def test_without_torch(folder):
    result = subprocess.run([sys.executable, "-c", PROGRAM, folder], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    loaded = load_onnx_model(folder, threads=1)
    state = loaded.model.start(np.array([[4, 5, 3]]), np.array([3]))
    best = loaded.model.step(np.array([BOS]), state).log_probs.argmax()
    (hypothesis,) = Translator(loaded.model, tokenizers=loaded.tokenizers, decoding=loaded.decoding).translate(
        ["A book."]
    )
    assert result.stdout == f"{best}\n{hypothesis.ids}\n"


def test_no_folder():
    with pytest.raises(ModelFolderError, match="nowhere is not a folder: give the ONNX model folder that mt-export"):
        load_onnx_model("nowhere")


@pytest.mark.parametrize("name", [*GRAPHS, "weights.bin", "model.yaml", "training.json", "joint.spm"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ModelFolderError, match=name):
        load_onnx_model(copy)


def test_a_model_folder_of_torch(model_folder, folder):
    assert is_onnx_folder(folder)
    assert not is_onnx_folder(model_folder)
    with pytest.raises(ModelFolderError, match=r"is not a complete ONNX model folder: it lacks .* mt-export --model"):
        load_onnx_model(model_folder)


@pytest.mark.parametrize("kept", [0, 10, 1000])
@pytest.mark.parametrize("name", [*GRAPHS, "weights.bin"])
def test_truncated_files(copy, name, kept, capfd):
    (copy / name).write_bytes((copy / name).read_bytes()[:kept])
    with pytest.raises(ModelFolderError, match=r"\.onnx cannot be loaded, copy the folder again, or make it") as caught:
        load_onnx_model(copy)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_graphs_that_do_not_belong_together(copy):
    shutil.copy(copy / "step.onnx", copy / "shortlist_step.onnx")
    with pytest.raises(ModelFolderError, match="do not belong together"):
        load_onnx_model(copy)


def test_tokenizers_of_another_model(copy):
    settings = (copy / "model.yaml").read_text()
    (copy / "model.yaml").write_text(settings.replace("target_vocabulary: ", "target_vocabulary: 1"))
    with pytest.raises(ModelFolderError, match=r"expects 1\d+ target pieces, but the SentencePiece model has \d+"):
        load_onnx_model(copy)


@pytest.mark.parametrize("settings", ["source_vocabulary: 3", "source_vocabulary: 3\ntarget_vocabulary: x"])
def test_a_foreign_spec(copy, settings):
    (copy / "model.yaml").write_text(settings)
    with pytest.raises(ModelFolderError, match=r"model.yaml does not describe an mt model: it lacks the sizes"):
        load_onnx_model(copy)


def test_foreign_decoding_defaults(copy):
    (copy / "training.json").write_text(json.dumps({"decoding": {"beam": 5}}))
    with pytest.raises(ModelFolderError, match=r"training.json has unusable decoding defaults"):
        load_onnx_model(copy)


def test_without_onnx_runtime(folder, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"need what is not installed, onnxruntime: pip install 'mt\[onnx\]'"):
        load_onnx_model(folder)
