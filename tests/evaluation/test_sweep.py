"""Runs that differ in nothing but the seed are averaged, and no others."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mt.errors import DataError
from mt.evaluation.sweep import read_sweep, settings_fingerprint

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


def write_run(
    folder: Path,
    bleu: float | None,
    *overrides: str,
    seed: int = 1,
    config: dict[str, Any] | None = None,
    fingerprint: str | None = None,
    signature: str = SIGNATURE,
) -> Path:
    """Leave what mt-train leaves of a run whose settings differ if its overrides do."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": seed, **(config or {})}), encoding="utf-8")
    of_settings = [text for text in overrides if text.split("=")[0] not in ("seed", "name", "ckpt_path")]
    summary = {
        "steps": 100 + seed,
        "train_seconds": 60.0 * seed,
        "validation/bleu": bleu,
        "signature": signature if bleu is not None else "",
        "overrides": list(overrides),
        "settings_fingerprint": fingerprint or " ".join(of_settings),
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


def test_mean_and_deviation_are_those_of_numpy(tmp_path: Path) -> None:
    scores = [30.1, 31.7, 29.9, 33.0]
    for number, score in enumerate(scores):
        write_run(tmp_path / str(number), score, f"seed={number}", seed=number)
    (cell,) = read_sweep([tmp_path]).cells
    assert cell.mean == pytest.approx(np.mean(scores))
    assert cell.deviation == pytest.approx(np.std(scores, ddof=1))
    assert (cell.steps, cell.train_seconds) == (101.5, 90.0)
    assert cell.settings == {}


def test_by_hand(tmp_path: Path) -> None:
    for seed, bleu in enumerate([1.0, 2.0, 6.0]):
        write_run(tmp_path / str(seed), bleu, seed=seed)
    (cell,) = read_sweep([tmp_path]).cells
    assert cell.mean == 3.0
    assert cell.deviation == pytest.approx(7**0.5)  # (4 + 1 + 9) / 2


def test_one_run_has_no_deviation(tmp_path: Path) -> None:
    (cell,) = read_sweep([write_run(tmp_path / "one", 30.0)]).cells
    assert (cell.mean, cell.deviation) == (30.0, None)


def test_cells_are_named_by_what_differs_and_the_best_comes_first(tmp_path: Path) -> None:
    number = 0
    for model, dropout, bleu in [("base", 0.1, 20.0), ("small", 0.1, 30.0), ("base", 0.2, 25.0)]:
        for seed in (1, 2):
            overrides = [f"seed={seed}", f"model={model}", f"model.dropout={dropout}", "trainer=cpu", "name=x"]
            config = {"model": {"dropout": dropout}, "trainer": {"devices": 1}}
            write_run(tmp_path / str(number), bleu + seed, *overrides, seed=seed, config=config)
            number += 1
    cells = read_sweep([tmp_path]).cells
    assert [cell.settings for cell in cells] == [
        {"model": "small", "model.dropout": "0.1"},
        {"model": "base", "model.dropout": "0.2"},
        {"model": "base", "model.dropout": "0.1"},
    ]
    assert [cell.mean for cell in cells] == [31.5, 26.5, 21.5]
    assert [run.folder.name for run in cells[0].runs] == ["2", "3"]


def test_a_setting_that_one_run_left_as_it_was_is_read_from_its_config(tmp_path: Path) -> None:
    plain = write_run(tmp_path / "plain", 30.0, config={"model": {"dropout": 0.3}, "callbacks": {"early": {}}})
    other = write_run(
        tmp_path / "other", 20.0, "model.dropout=1e-1", "~callbacks.early", "model=small", config={"model": {"dropout": 0.1}}
    )  # fmt: skip
    first, second = read_sweep([plain, other]).cells
    assert first.settings == {"model.dropout": "0.3", "callbacks.early": "", "model": ""}
    assert second.settings == {"model.dropout": "0.1", "callbacks.early": "removed", "model": "small"}


def test_separate_runs_join_their_cell(tmp_path: Path) -> None:
    write_run(tmp_path / "sweep" / "0", 30.0, "seed=1", "name=sweep", seed=1)
    write_run(tmp_path / "sweep" / "1", 31.0, "seed=2", "name=sweep", seed=2)
    third = write_run(tmp_path / "third", 32.0, "name=third", "ckpt_path=last", seed=3)
    (cell,) = read_sweep([tmp_path / "sweep", third, tmp_path / "sweep" / "0"]).cells
    assert cell.scores == [30.0, 31.0, 32.0]


def test_settings_changed_in_a_file_are_never_averaged(tmp_path: Path) -> None:
    for number in range(3):
        write_run(tmp_path / str(number), 30.0 + number, seed=number, fingerprint="old" if number < 2 else "new")
    cells = read_sweep([tmp_path]).cells
    assert [cell.settings["run"] for cell in cells] == [f"{tmp_path}/2", f"{tmp_path}/0, {tmp_path}/1"]


def test_different_signatures_are_never_averaged(tmp_path: Path) -> None:
    write_run(tmp_path / "0", 30.0, seed=1)
    write_run(tmp_path / "1", 40.0, seed=2, signature="nrefs:1|tok:none")
    found = read_sweep([tmp_path])
    assert [cell.scores for cell in found.cells] == [[40.0], [30.0]]
    assert [cell.settings for cell in found.cells] == [{"signature": "nrefs:1|tok:none"}, {"signature": SIGNATURE}]
    assert found.signatures == [SIGNATURE, "nrefs:1|tok:none"]


def test_unfinished_runs_are_left_out_with_a_reason(tmp_path: Path) -> None:
    for number in range(6):
        write_run(tmp_path / str(number), 30.0, seed=number)
    (tmp_path / "10").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "1" / "summary.json").unlink()
    (tmp_path / "2" / "summary.json").write_text('{"steps": 1', encoding="utf-8")
    (tmp_path / "3" / "summary.json").write_text('{"steps": 1}', encoding="utf-8")
    (tmp_path / "4" / "config.yaml").write_text("seed: [", encoding="utf-8")
    found = read_sweep([tmp_path])
    assert [run.seed for run in found.cells[0].runs] == [0, 5]
    reasons = {one.folder.name: one.reason for one in found.left_out}
    assert list(reasons) == ["1", "2", "3", "4", "10"]
    assert reasons["1"] == "has not finished"
    assert reasons["2"].startswith("cannot be read: Expecting")
    assert reasons["3"] == "does not say what is needed: 'overrides' is missing in its summary.json or config.yaml"
    assert reasons["4"].startswith("cannot be read: while parsing")
    assert reasons["10"] == "did not begin to train"


def test_a_repeated_seed_is_no_second_measurement(tmp_path: Path) -> None:
    first, again = write_run(tmp_path / "a", 30.0), write_run(tmp_path / "b", 30.0)
    found = read_sweep([first, again])
    assert found.cells[0].deviation is None
    assert [(one.folder, one.reason) for one in found.left_out] == [
        (again, f"repeats {first}: the same settings and seed")
    ]


def test_runs_without_validation_come_last(tmp_path: Path) -> None:
    write_run(tmp_path / "0", None, "model=small")
    write_run(tmp_path / "1", 30.0, "model=base")
    found = read_sweep([tmp_path])
    assert [cell.mean for cell in found.cells] == [30.0, None]
    assert found.signatures == [SIGNATURE]


def test_throughput_is_the_median_over_all_parts(tmp_path: Path) -> None:
    run = write_run(tmp_path / "0", 30.0)
    for part, rows in enumerate(["9,100\n19,\n29,300\n", "39,200\n49,9000\n59,210\n"]):
        table = run / "logs" / "csv" / f"version_{part}" / "metrics.csv"
        table.parent.mkdir(parents=True)
        table.write_text("step,train/tokens_per_second\n" + rows, encoding="utf-8")
    assert read_sweep([run]).cells[0].tokens_per_second == 210.0
    assert read_sweep([write_run(tmp_path / "1", 30.0)]).cells[0].tokens_per_second is None


def test_wrong_folders_are_answered_with_a_way_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs" / "x" / "0", 30.0)
    (tmp_path / "begun" / "0").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for folder, message in [
        (tmp_path / "nowhere", "there is no folder .*nowhere: mt-train -m .* leaves a sweep in runs/NAME"),
        (tmp_path / "empty", "empty holds no runs, neither numbered folders nor a summary.json: mt-train -m"),
        (tmp_path / "runs", r"runs holds no runs, .*: try mt-sweep .*runs/x\."),
        (run / "summary.json", "summary.json is a file; give the folder of a sweep"),
        (tmp_path / "begun", "there is nothing to compare yet: .*begun/0 did not begin to train"),
    ]:
        with pytest.raises(DataError, match=message):
            read_sweep([folder])


def test_the_fingerprint_follows_every_setting_but_those_of_one_run() -> None:
    settings = {"seed": 1, "name": "a", "run_dir": "runs/${name}", "ckpt_path": None, "model": {"dropout": 0.1}}
    same = {"model": {"dropout": 0.1}, "seed": 2, "name": "b", "run_dir": "/x", "ckpt_path": "last"}
    assert settings_fingerprint(settings) == settings_fingerprint(same)
    assert settings_fingerprint(settings) != settings_fingerprint({**settings, "model": {"dropout": 0.2}})
