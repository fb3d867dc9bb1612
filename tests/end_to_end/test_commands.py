"""The commands as a user runs them, in processes of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mt.translator import Translator

SMALL = [
    "experiment=quickstart",
    "data.train.pairs=300",
    "data.validation.pairs=20",
    "data.tokens_per_batch=300",
    "data.max_length=60",
    "tokenizer.vocab_size=200",
    "model.embedding_size=16",
    "model.encoder_size=16",
    "model.decoder_size=16",
    "model.attention_size=16",
    "scheduler.warmup_steps=5",
]


def mt(command: str, *arguments: str, cwd: Path, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run mt-COMMAND to its end."""
    options = {"capture_output": True, "text": True, "timeout": 300, "env": environment(cwd), **options}
    return subprocess.run([sys.executable, "-m", f"mt.commands.{command}", *arguments], cwd=cwd, **options)


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "HF_HOME": str(folder / "hf"), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The working folder of a finished little training, with what it printed."""
    folder = tmp_path_factory.mktemp("work")
    options = ["trainer.max_steps=12", "trainer.val_check_interval=6", "callbacks.recent.save_top_k=2"]
    options.append(f"data.cache={folder}/cache")
    done = mt("train", *SMALL, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_training_says_what_it_does(trained):
    _, printed = trained
    for part in ("training corpus: 300 pairs", "parameters", "step 6", "BLEU", "the model is in runs/quickstart/model"):
        assert part in printed


def test_a_fresh_process_translates_like_this_one(trained):
    folder, _ = trained
    text = "The old dog sleeps.\n\nA woman reads.\n"
    done = mt("translate", "--model", "runs/quickstart/model", cwd=folder, input=text)
    assert done.returncode == 0, done.stderr
    translator = Translator.from_folder(folder / "runs/quickstart/model")
    expected = [hypothesis.text for hypothesis in translator.translate(text.splitlines())]
    assert done.stdout == "".join(f"{line}\n" for line in expected)


def test_an_average_of_the_run_translates(trained):
    folder, _ = trained
    done = mt("average", "runs/quickstart", "--last", "2", "--output", "averaged", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert [line.rpartition("/")[2] for line in done.stdout.splitlines()[:2]] == ["step6.ckpt", "step12.ckpt"]
    done = mt("translate", "--model", "averaged", cwd=folder, input="The old dog sleeps.\n\nA woman reads.\n")
    assert (done.returncode, done.stdout.count("\n")) == (0, 3), done.stderr


def test_a_second_run_of_the_same_name_is_refused(trained):
    folder, _ = trained
    done = mt("train", *SMALL, cwd=folder)
    assert done.returncode == 2
    assert "holds a run already" in done.stderr
    assert "Traceback" not in done.stderr


def test_mistakes_end_with_code_2_and_no_traceback(tmp_path):
    for arguments, message in [
        (["optimizer.lrr=1"], "Did you mean 'optimizer.lr'?"),
        (["data=files", "data.root=nowhere", "data.source=en", "data.target=de"], "nowhere/train.en"),
        (["experiment=quickstart", "tokenizer.vocab_size=900000"], "set the tokenizer's vocab_size to"),
    ]:
        done = mt("train", *arguments, f"data.cache={tmp_path}/cache", cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert message.lower() in done.stderr.lower()
        assert "Traceback" not in done.stderr + done.stdout


def start_training(folder: Path, name: str, *options: str) -> "subprocess.Popen[str]":
    command = [
        sys.executable,
        "-m",
        "mt.commands.train",
        *SMALL,
        f"name={name}",
        f"data.cache={folder}/cache",
        *options,
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=environment(folder), **pipes)


def wait_for_step(path: Path, step: int, process: "subprocess.Popen[str]") -> None:
    """Wait until a checkpoint of at least this step lies at path; reading it now and then proves that it is whole."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read()
        if path.exists() and torch.load(path, weights_only=True)["global_step"] >= step:
            return
        time.sleep(0.02)
    raise TimeoutError(path)


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(tmp_path):
    options = ["trainer.max_steps=30", "trainer.val_check_interval=11", "callbacks.resume.every_seconds=0"]
    whole = start_training(tmp_path, "whole", *options)
    output, _ = whole.communicate(timeout=300)
    assert whole.returncode == 0, output
    killed = start_training(tmp_path, "killed", *options)
    last = tmp_path / "runs" / "killed" / "checkpoints" / "last.ckpt"
    wait_for_step(last, 14, killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    step = torch.load(last, weights_only=True)["global_step"]
    assert 14 <= step < 30, "the kill came too late to prove anything"
    resumed = start_training(tmp_path, "killed", *options, "ckpt_path=last")
    output, _ = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, output
    ends = [
        torch.load(tmp_path / "runs" / name / "checkpoints" / "last.ckpt", weights_only=True)
        for name in ("whole", "killed")
    ]
    assert ends[0]["global_step"] == ends[1]["global_step"] == 30
    for name, weight in ends[0]["state_dict"].items():
        assert torch.equal(weight, ends[1]["state_dict"][name]), name


@pytest.mark.slow
def test_two_processes_train_and_validate_together(tmp_path):
    options = ["trainer.max_steps=4", "trainer.val_check_interval=2", "trainer.devices=2", "+trainer.strategy=ddp"]
    done = mt("train", *SMALL, *options, f"data.cache={tmp_path}/cache", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 4 ") == 1
    assert (tmp_path / "runs/quickstart/model/model.safetensors").is_file()


@pytest.mark.slow
def test_a_sweep_runs_every_choice_even_after_a_failure(tmp_path):
    options = ["-m", "model.dropout=0.1,7,0.2", "trainer.max_steps=2", f"data.cache={tmp_path}/cache"]
    done = mt("train", *SMALL, *options, cwd=tmp_path)
    assert done.returncode == 2
    assert "dropout must lie in [0, 1), not 7" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    summaries = (tmp_path / "runs" / "quickstart").glob("*/summary.json")
    assert sorted(path.parent.name for path in summaries) == ["0", "2"]
    done = mt("train", *SMALL, "-m", "seed=1,2", "trainer.devices=2", "name=both", cwd=tmp_path)
    assert done.returncode == 2
    assert "a sweep (-m) runs on one device" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_asked_to_stop_it_saves_and_leaves(tmp_path, number, code):
    process = start_training(tmp_path, "stopped", "trainer.max_steps=100000", "callbacks.resume.every_seconds=0.2")
    last = tmp_path / "runs" / "stopped" / "checkpoints" / "last.ckpt"
    wait_for_step(last, 3, process)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    assert "everything is saved; the same command with ckpt_path=last goes on" in output
    assert "Traceback" not in output
    assert torch.load(last, weights_only=True)["global_step"] >= 3


def test_translating_into_head_ends_cleanly(model_folder, tmp_path):
    command = f"yes 'The dog.' | head -n 3000 | '{sys.executable}' -m mt.commands.translate --model '{model_folder}' --beam-size 1 --window 10 | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command", ["translate", "score", "rerank", "evaluate", "average", "lexicon", "train", "sweep"]
)
def test_help_explains(command, tmp_path):
    done = mt(command, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert f"mt-{command}" in done.stdout or command in done.stdout
    assert any(part in done.stdout for part in ("runs/", "--model", "--n-best"))


@pytest.mark.slow
def test_the_installed_wheel_trains_from_another_directory(tmp_path):
    """The wheel alone: what it needs is taken from this environment, but not its source tree."""
    root, copy = Path(__file__).parents[2], tmp_path / "copy"
    copy.mkdir()
    for name in ("mt", "conf"):
        shutil.copytree(root / name, copy / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, copy)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        tmp_path,
        copy,
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("mt-*.whl")
    place = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", place, wheel]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = {**environment(tmp_path), "PYTHONPATH": str(place)}
    code = "import mt, sys; sys.stdout.write(mt.__file__)"
    origin = subprocess.run([sys.executable, "-c", code], cwd=elsewhere, env=env, capture_output=True, text=True)
    assert origin.stdout.startswith(str(place))
    options = ["experiment=quickstart", "trainer.max_steps=5", "data.train.pairs=2000"]
    done = mt("train", *options, f"data.cache={tmp_path}/cache", cwd=elsewhere, env=env)
    assert done.returncode == 0, done.stderr
    assert (elsewhere / "runs/quickstart/model/model.safetensors").is_file()


def test_json_and_n_best(model_folder, tmp_path):
    done = mt("translate", "--model", str(model_folder), "--json", "--n-best", "2", cwd=tmp_path, input="A dog.\n\n")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["line"], len(first["hypotheses"])) == (1, 2)
    assert len(first["hypotheses"][0]["token_scores"]) == len(first["hypotheses"][0]["pieces"]) + 1
    assert second["hypotheses"][0]["text"] == ""
    done = mt("translate", "--model", str(model_folder), "--n-best", "2", cwd=tmp_path, input="A dog.\n")
    assert [line.split(" ||| ")[0] for line in done.stdout.splitlines()] == ["1", "1"]


def test_n_best_lists_flow_from_command_to_command(model_folder, tmp_path):
    (tmp_path / "src.txt").write_text("A dog.\n\nThe old dog.\n")
    python = f"'{sys.executable}' -m mt.commands"
    model = f"--model '{model_folder}'"
    for options in ("", "--json"):
        command = f"{python}.translate {model} src.txt --n-best 3 {options} | {python}.score {model} src.txt --n-best -"
        for by in ("mbr", "score", f"reverse --reverse-model '{model_folder}' --source src.txt"):
            pipe = f"set -o pipefail; {command} | {python}.rerank --by {by}"
            done = subprocess.run(
                ["bash", "-c", pipe],
                capture_output=True,
                text=True,
                timeout=300,
                cwd=tmp_path,
                env=environment(tmp_path),
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert [bool(line) for line in done.stdout.split("\n")] == [True, False, True, False]


def test_wrong_use_of_translate(model_folder, tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"fine\nbad \xff byte\n")
    for arguments, message in [
        (["--model", "nowhere"], "nowhere is not a folder"),
        (["--model", str(model_folder), "missing.txt"], "missing.txt"),
        (["--model", str(model_folder), "bad.txt", "-o", "out.txt"], "line 2"),
        (["--model", str(model_folder), "--n-best", "9"], "n-best must lie between 1 and the beam size 3"),
        (["--model", str(model_folder), "--attention", "a.bmp"], ".bmp"),
        ([], "--model"),
    ]:
        done = mt("translate", *arguments, cwd=tmp_path, input="A dog.\n")
        assert done.returncode == 2, (arguments, done.stderr)
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "hf") == ["bad.txt"]


@pytest.mark.parametrize("ending", ["png", "svg", "html"])
def test_attention_is_drawn(model_folder, tmp_path, ending):
    picture = tmp_path / f"attention.{ending}"
    done = mt("translate", "--model", str(model_folder), "--attention", str(picture), cwd=tmp_path, input="A dog.\n\n")
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 1000
