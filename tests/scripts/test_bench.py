"""The training benchmarks: how they count, and that they run. No test judges a time."""

import json
import sys

import pytest
import torch
from bench import refusal, run, spec, write_corpus
from mtbench.contender import Contender, ContenderFailed, Turn
from mtbench.multiply_adds import count_multiply_adds
from mtbench.results import summarise

from mt.model import build_model
from mt.nn.cells import CELLS
from mt.nn.decoder import DECODERS

KEYS = ["name", "tokens_per_second", "matmul_share", "peak_memory_mb", "ratio_to_joeynmt", "ratio_to_opennmt"]
STEPS_OF_TEN_TOKENS = """
import torch
from mtbench.turns import Turns
model, turns = torch.nn.Linear(3, 4), Turns()
for _ in range(100_000):
    turns.before_step(model, tokens=10, multiply_adds=120.0)
"""


def turn(*, tokens: int, seconds: float, **changes: object) -> Turn:
    values = {"steps": 1, "multiply_adds": 0.0, "matmul_rate": 1e9, "peak_memory": 10**9, "parameters": 7, "threads": 2}
    return Turn(tokens=tokens, seconds=seconds, **{**values, **changes})


def test_multiply_adds_are_those_of_the_equations():
    E, H, C, A, V = 6, 5, 8, 3, 50
    counted = count_multiply_adds(build_model(spec(decoder="attentional", cell="standard", attention="additive")))
    gru = {"encoder": 3 * 4 * (E + 4), "decoder": 3 * H * (E + C + H)}
    forward = (C * H, 2 * gru["encoder"] + C * A, H * A + gru["decoder"] + (H + C + E) * E + E * V, A + C)
    assert counted == pytest.approx([3 * part for part in forward])


def test_multiply_adds_of_a_batch_leave_padding_out():
    counted = count_multiply_adds(build_model(spec()))
    lengths = torch.tensor([3, 9]), torch.tensor([5, 2])
    one_by_one = [counted.of(src[None], tgt[None]) for src, tgt in zip(*lengths, strict=True)]
    assert counted.of(*lengths) == sum(one_by_one)


@pytest.mark.parametrize("choice", [*({"decoder": name} for name in DECODERS), *({"cell": name} for name in CELLS)])
def test_every_model_can_be_counted(choice):
    model = build_model(spec(**choice))
    assert count_multiply_adds(model).per_target_token > 3 * model.output.weight.numel()  # raises if it misses one


def test_a_hidden_kernel_is_no_free_kernel(monkeypatch):
    model = build_model(spec())
    model.output.weight = torch.nn.Parameter(torch.zeros(50_000, 6))
    monkeypatch.setattr(type(model), "loss", lambda *_: None)
    with pytest.raises(RuntimeError, match="but only 0 multiply-adds a token were seen"):
        count_multiply_adds(model)


def test_a_contender_trains_when_it_is_told_to(tmp_path):
    command = [sys.executable, "-c", STEPS_OF_TEN_TOKENS]
    contender = Contender(name="a", command=command, folder=tmp_path / "a", threads=1)
    try:
        for seconds in (0.0, 0.01):
            taken = contender.turn(seconds)
            assert taken.seconds >= seconds
            assert taken.steps >= 1
            assert taken.tokens == 10 * taken.steps
            assert taken.multiply_adds == 120 * taken.steps
            assert taken.matmul_share == pytest.approx(12 * taken.tokens_per_second / taken.matmul_rate)
            assert taken.parameters == 16
            assert taken.threads == 1
            assert taken.peak_memory > 10**7
    finally:
        contender.stop()


def test_a_contender_that_fails_says_why(tmp_path):
    contender = Contender(name="b", command=[sys.executable, "-c", "1 / 0"], folder=tmp_path / "b", threads=1)
    with pytest.raises(ContenderFailed, match=r"b ended with status 1(.|\n)*ZeroDivisionError"):
        contender.turn(0)
    contender.stop()


def test_figures_are_medians_and_ratios_are_taken_within_a_round():
    ours = [turn(tokens=n, seconds=1, multiply_adds=n * 1e6) for n in (100, 400, 300)]
    theirs = [turn(tokens=n, seconds=2) for n in (100, 200)]  # the third round was broken off
    record = summarise("x", ours, {"joeynmt": theirs}, cell="standard")
    assert list(record)[:6] == KEYS
    assert record["tokens_per_second"] == 300
    assert record["matmul_share"] == pytest.approx(0.3)
    assert record["peak_memory_mb"] == 1000
    assert record["macs_per_token"] == 1e6
    assert record["ratio_to_joeynmt"] == 3  # of 2 and 4
    assert record["ratio_to_opennmt"] is None
    assert record["cell"] == "standard"


def test_peers_explains_itself():
    done = run("peers", "--help")
    assert done.returncode == 0
    assert "Usage: scripts/bench/peers [FOLDER]" in done.stdout
    assert run("peers", "--folder=x").returncode == 2


def test_mistakes_are_answered_before_anything_is_measured(tmp_path):
    answer = refusal("training", "--data", str(tmp_path / "nowhere"), "--no-peers", home=tmp_path)
    assert "train.en.gz does not exist" in answer
    assert "length: give whole numbers" in refusal("scaling", "--lengths", "10,many", home=tmp_path)


@pytest.mark.slow
def test_training_measures_mt_train(tmp_path):
    write_corpus(tmp_path, train=("train", 300), val=("validation", 10))
    decoder = next(iter(DECODERS))
    options = ["--decoders", decoder, "--vocabulary", "300", "--rounds", "1", "--seconds", "0", "--threads", "1"]
    done = run(
        *("training", "--data", str(tmp_path), "--no-peers", "--json", str(tmp_path / "figures.json"), *options),
        home=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    (record,) = json.loads((tmp_path / "figures.json").read_text())
    assert record["name"].split("/")[0] == decoder
    check(record)
    assert f"{record['tokens_per_second']:,.0f}" in done.stdout


@pytest.mark.slow
def test_scaling_measures_each_size(tmp_path):
    options = ["--vocabularies", "4000", "--lengths", "", "--batch-tokens", "256", "--rounds", "1", "--seconds", "0"]
    done = run("scaling", *options, "--json", str(tmp_path / "figures.json"), home=tmp_path)
    assert done.returncode == 0, done.stderr
    records = json.loads((tmp_path / "figures.json").read_text())
    sizes = [(record["vocabulary"], record["length"], record["batch_tokens"]) for record in records]
    assert sizes == [(4000, 25, 4096), (8000, 25, 256)]
    for record in records:
        check(record)


def check(record: dict[str, object]) -> None:
    assert list(record)[:6] == KEYS
    for key in ("tokens_per_second", "matmul_share", "peak_memory_mb", "parameters", "macs_per_token", "matmul_rate"):
        assert record[key] > 0
    assert record["ratio_to_joeynmt"] is None
    assert record["ratio_to_opennmt"] is None
