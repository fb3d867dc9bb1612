"""Model folders that are exported when ONNX Runtime is first asked for."""

import logging
from pathlib import Path

import pytest

from mt import translator as module
from mt.errors import ConfigError, ModelFolderError
from mt.onnx.model import OnnxModel
from mt.translator import Translator

TEXTS = ["The old dog sleeps.", "", "A book."]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_folder_is_exported_once(model_folder, home, caplog):
    with caplog.at_level(logging.WARNING):
        first = Translator.from_folder(model_folder, backend="onnx")
        again = Translator.from_folder(model_folder, backend="onnx", threads=1)
    assert caplog.text.count("once ...") == 1
    assert isinstance(again.model, OnnxModel)
    assert len([*(home / ".cache/mt/onnx").iterdir()]) == 1
    expected = [hypothesis.ids for hypothesis in Translator.from_folder(model_folder).translate(TEXTS)]
    for translator in (first, again):
        assert [hypothesis.ids for hypothesis in translator.translate(TEXTS)] == expected
    assert again.decoding == first.decoding


def test_int8_is_another_export_and_an_export_stays_what_it_is(model_folder, home):
    assert len(Translator.from_folder(model_folder, int8=True).translate(TEXTS)) == 3
    Translator.from_folder(model_folder, backend="onnx")
    plain, small = sorted((home / ".cache/mt/onnx").iterdir(), key=lambda path: path.name.endswith("-int8"))
    assert isinstance(Translator.from_folder(plain).model, OnnxModel)  # as the folder says
    assert isinstance(Translator.from_folder(small, int8=True).model, OnnxModel)
    with pytest.raises(ConfigError, match="was exported without int8"):
        Translator.from_folder(plain, int8=True)
    with pytest.raises(ModelFolderError):
        Translator.from_folder(plain, backend="torch")


def test_a_wrong_folder_is_named(tmp_path):
    with pytest.raises(ModelFolderError, match="nowhere is not a folder"):
        Translator.from_folder(tmp_path / "nowhere", backend="onnx")


def test_without_torch_only_exports_can_be_loaded(model_folder, monkeypatch):
    find_spec = module.find_spec
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "torch" else find_spec(name))
    for options in ({}, {"backend": "onnx"}, {"int8": True}):
        with pytest.raises(
            ConfigError, match="needs PyTorch, which is not installed here: give a folder that mt-export"
        ):
            Translator.from_folder(model_folder, **options)
