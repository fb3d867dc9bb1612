"""`mt-average`: which models it averages, what it writes, and how it refuses."""

import shutil

import pytest
from typer.testing import CliRunner

from mt import averaging
from mt.commands.average import app
from mt.model_folder import load_model


def run(*arguments):
    """Run the command; an exception that is no exit is a failure."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def fails(*arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    return result.stderr.removeprefix("error: ").rstrip()


@pytest.fixture
def folder_of_a_run(tmp_path, model_folder, monkeypatch):
    """A run folder with five checkpoints; the loading of one gives the model beside it."""
    run = tmp_path / "mine"
    shutil.copytree(model_folder, run / "model")
    (run / "checkpoints").mkdir()
    for name in ("last", "step500", "step1000", "step1500", "step1500-bleu9.00", "step20"):
        (run / "checkpoints" / f"{name}.ckpt").touch()
    monkeypatch.setattr(averaging, "_load_checkpoint", lambda path: load_model(path.parents[1] / "model"))
    return run


def averaged(folder):
    return [part["from"].rpartition("/")[2] for part in load_model(folder).training["averaged"]]


def test_the_last_checkpoints_of_a_run(folder_of_a_run, tmp_path):
    output = tmp_path / "new" / "average"
    result = run(folder_of_a_run, "--last", 2, "--output", output)
    assert result.exit_code == 0, result.stderr
    *sources, last = result.stdout.splitlines()
    assert sources == [f"{folder_of_a_run}/checkpoints/step{step}.ckpt" for step in (1000, 1500)]
    assert last == f"the average of these 2 is in {output}; measure it: mt-evaluate --model {output}"
    assert averaged(output) == ["step1000.ckpt", "step1500.ckpt"]
    assert [path.name for path in output.parent.iterdir()] == ["average"]


def test_all_checkpoints_of_a_run(folder_of_a_run, tmp_path):
    assert run(folder_of_a_run, "-o", tmp_path / "average").exit_code == 0
    assert averaged(tmp_path / "average") == ["step20.ckpt", "step500.ckpt", "step1000.ckpt", "step1500.ckpt"]


def test_models_and_chosen_checkpoints(folder_of_a_run, model_folder, tmp_path):
    output = tmp_path / "average"
    output.mkdir()  # empty, as made beforehand
    chosen = [folder_of_a_run / "checkpoints" / "step20.ckpt", folder_of_a_run / "model", model_folder]
    assert run(*chosen, "-o", output).exit_code == 0
    assert averaged(output) == ["step20.ckpt", "model", "model"]


def test_nothing_is_overwritten(model_folder, tmp_path):
    for output in (tmp_path / "file", tmp_path / "folder"):
        (output if output.name == "file" else tmp_path / "folder" / "notes").parent.mkdir(exist_ok=True)
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder" / "notes").write_text("precious")
    for output in (tmp_path / "file", tmp_path / "folder"):
        message = fails(model_folder, model_folder, "--output", output)
        assert message == f"{output} exists already: remove it, or give another --output"
    assert (tmp_path / "folder" / "notes").read_text() == "precious"


def test_too_few_models(folder_of_a_run, model_folder, tmp_path):
    output = ["--output", tmp_path / "average"]
    message = fails(model_folder, *output)
    assert message.startswith(f"an average needs at least two models, and this is one: {model_folder}. A run keeps")
    message = fails(folder_of_a_run, "--last", 5, *output)
    assert "mine keeps 4 checkpoints of its validations, fewer than --last 5: train with callbacks.recent" in message
    shutil.rmtree(folder_of_a_run / "checkpoints")
    (folder_of_a_run / "checkpoints").mkdir()
    message = fails(folder_of_a_run, *output)
    assert "keeps 0 checkpoints of its validations, and none can be averaged: train with callbacks.recent" in message
    assert "callbacks.recent.save_top_k=5 to keep those of the last 5 validations" in message
    assert not (tmp_path / "average").exists()


def test_wrong_inputs(model_folder, tmp_path):
    output = ["--output", tmp_path / "average"]
    message = fails(model_folder, model_folder, "--last", 2, *output)
    assert message == f"--last chooses among the checkpoints of a run folder, and {model_folder} is none"
    assert fails("nowhere", *output).startswith("nowhere does not exist: give run folders, checkpoints in a run folder")
    for options in ([], ["--last", 2]):
        message = fails(tmp_path, *options, *output)
        assert message == f"{tmp_path} is neither a run folder with checkpoints/ in it, nor a model folder"
    assert "Missing option '--output'" in fails(model_folder)
    assert "Missing argument 'INPUT...'" in fails(*output)


def test_a_place_that_cannot_be_written(model_folder, tmp_path):
    (tmp_path / "file").touch()
    message = fails(model_folder, model_folder, "--output", tmp_path / "file" / "average")
    assert message.startswith(f"{tmp_path}/file/average cannot be written: ")


def test_stopped_it_leaves_nothing(model_folder, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.torch.save_model", stop)
    (tmp_path / "work").mkdir()
    result = run(model_folder, model_folder, "--output", tmp_path / "work" / "average")
    assert (result.exit_code, result.output) == (130, "")
    assert list((tmp_path / "work").iterdir()) == []


def test_help_shows_what_to_type():
    shown = run("--help").stdout
    for part in (
        "mt-average runs/mine --last 5 --output runs/mine/averaged",
        "callbacks.recent.save_top_k=5",
        "--last",
    ):
        assert part in shown
