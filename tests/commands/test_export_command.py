"""`mt-export`: what it writes, and how it refuses."""

import sys

import pytest
from typer.testing import CliRunner

from mt.commands.export import app
from mt.onnx import folder as module
from mt.onnx import load_onnx_model


def run(*arguments):
    """Run the command; an exception that is no exit is a failure."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def fails(*arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    return result.stderr.removeprefix("error: ").rstrip()


def test_it_exports(model_folder, tmp_path):
    output = tmp_path / "new" / "onnx"
    result = run("--model", model_folder, "--output", output, "--int8", "--format", "onnx")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{output} has 0.")
    assert result.stdout.endswith(f" MB; measure it: mt-evaluate --model {output}\n")
    assert result.stderr == ""
    loaded = load_onnx_model(output)
    assert loaded.training["export"]["int8"]
    assert loaded.decoding.beam_size == 3
    assert [path.name for path in output.parent.iterdir()] == ["onnx"]
    assert fails("--model", output, "-o", tmp_path / "again") == (
        f"{output} was exported already: give the model folder that mt-train wrote"
    )


def test_nothing_is_overwritten(model_folder, tmp_path):
    (tmp_path / "folder").mkdir()
    for output in (tmp_path / "file", tmp_path / "folder" / "notes"):
        output.write_text("precious")
    for output in (tmp_path / "file", tmp_path / "folder"):
        message = fails("--model", model_folder, "--output", output)
        assert message == f"{output} exists already: remove it, or give another --output"
    assert (tmp_path / "folder" / "notes").read_text() == "precious"


def test_wrong_inputs(tmp_path):
    output = ["--output", tmp_path / "onnx"]
    message = fails("--model", "nowhere", *output)
    assert message == "nowhere is not a folder: give the model folder that mt-train wrote, runs/NAME/model"
    assert fails("--model", tmp_path, *output).startswith(f"{tmp_path} is not a complete model folder: it lacks model")
    assert "Invalid value for '--format'" in fails("--model", tmp_path, *output, "--format", "pickle")
    assert "Missing option '--output'" in fails("--model", tmp_path)


def test_a_place_that_cannot_be_written(model_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("mt.onnx.export._graphs", lambda *_, **__: {})
    (tmp_path / "file").touch()
    message = fails("--model", model_folder, "--output", tmp_path / "file" / "onnx")
    assert message.startswith(f"{tmp_path}/file/onnx cannot be written: ")


def test_without_onnx(model_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "onnxscript" else sys)
    message = fails("--model", model_folder, "--output", tmp_path / "onnx")
    assert message == "ONNX models need what is not installed, onnxscript: pip install 'mt[onnx]'"


@pytest.mark.parametrize("part", ["mt-export --model runs/mine/model --output runs/mine/int8 --int8", "--format"])
def test_help_shows_what_to_type(part):
    assert part in run("--help").stdout
