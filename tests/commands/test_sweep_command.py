"""`mt-sweep` prints and saves one table and one picture, of the runs that mt-train -m leaves."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mt.commands import train as train_command
from mt.commands.sweep import app

SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
SMALL = [
    "data.train.pairs=60",
    "data.validation.pairs=4",
    "data.tokens_per_batch=150",
    "data.max_length=100",
    "tokenizer=char",
    "tokenizer.vocab_size=80",
    "model.encoder_size=8",
    "model.decoder_size=8",
    "model.attention_size=8",
    "trainer=cpu",
    "trainer.max_steps=2",
    "trainer.log_every_n_steps=1",
    "scheduler.warmup_steps=1",
]
RUNS = [("base", 1, 30.0), ("base", 2, 32.0), ("small", 1, 33.0), ("small", 2, 33.5), ("small", 3, 35.5)]


Train = Callable[..., int | str | None]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Return what runs mt-train with a small model, in a folder of its own, and says how it ended."""
    monkeypatch.setattr(train_command, "set_up_logging", lambda _: None)
    monkeypatch.chdir(tmp_path)

    def train(*overrides: str) -> int | str | None:
        monkeypatch.setattr("sys.argv", ["mt-train", *SMALL, f"data.cache={tmp_path}/cache", *overrides])
        with pytest.raises(SystemExit) as stopped:
            train_command.main()
        return stopped.value.code

    return train


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with runs/x: two cells of two and three runs, and an unfinished run."""
    monkeypatch.chdir(tmp_path)
    for number, (model, seed, bleu) in enumerate(RUNS):
        leave_run(Path("runs/x") / str(number), model=model, seed=seed, bleu=bleu)
    Path("runs/x/5").mkdir()
    return Path("runs/x")


def leave_run(folder: Path, *, model: str, seed: int, bleu: float, signature: str = SIGNATURE) -> None:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"seed: {seed}\nmodel:\n  dropout: 0.1\n", encoding="utf-8")
    summary = {
        "steps": 1000,
        "train_seconds": 60.0 + seed,
        "validation/bleu": bleu,
        "signature": signature,
        "overrides": [f"seed={seed}", f"model={model}", "name=x"],
        "settings_fingerprint": model,
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_a_pipe_gets_tab_separated_figures(sweep: Path) -> None:
    code, output, errors = run("runs/x")
    assert output.splitlines() == [
        "model\tseeds\tbleu_mean\tbleu_standard_deviation\tsteps\ttrain_seconds\ttokens_per_second\tsignature",
        f"small\t3\t34.00\t1.32\t1000\t62.0\t\t{SIGNATURE}",
        f"base\t2\t31.00\t1.41\t1000\t61.5\t\t{SIGNATURE}",
    ]
    assert errors == "warning: 1 run is left out:\n  runs/x/5 did not begin to train\n"
    assert code == 0


def test_what_is_saved(sweep: Path) -> None:
    _, output, _ = run("runs/x", "--json")
    assert {path.name for path in sweep.iterdir() if path.is_file()} == {"sweep.md", "sweep.json", "sweep.png"}
    text = (sweep / "sweep.md").read_text(encoding="utf-8")
    assert text.splitlines()[:4] == [
        "| model | seeds | validation BLEU | steps | time (min:s) | tokens/s |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| **small** | **3** | **34.00 ± 1.32** | **1,000** | **1:02** |  |",
        "| base | 2 | 31.00 ± 1.41 | 1,000 | 1:02 |  |",
    ]
    for part in (f"(`{SIGNATURE}`)", "- runs/x/5 did not begin to train", "](sweep.png)", "sample standard deviation"):
        assert part in text
    record = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))
    assert record == json.loads(output)
    assert record["cells"][1]["settings"] == {"model": "base"}
    assert record["cells"][1]["validation_bleu"] == {"mean": 31.0, "standard_deviation": 1.4142}
    assert record["cells"][1]["runs"][1] == {"folder": "runs/x/1", "seed": 2, "validation_bleu": 32.0}
    assert record["left_out"] == [{"folder": "runs/x/5", "reason": "did not begin to train"}]
    assert record["signatures"] == [SIGNATURE]


def test_a_terminal_gets_a_table(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_run(sweep / "6", model="[red]", seed=1, bleu=1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    _, output, _ = run("runs/x")
    best = next(line for line in output.splitlines() if "34.00" in line)
    other = next(line for line in output.splitlines() if "31.00" in line)
    assert "34.00 ± 1.32" in best
    assert "\x1b[1m" in best
    assert "\x1b[1m" not in other
    assert "[red]" in output  # a value is no markup
    assert SIGNATURE in output


def test_several_folders_are_compared_and_saved_where_asked(sweep: Path) -> None:
    leave_run(Path("runs/y"), model="base", seed=3, bleu=34.0)
    code, output, _ = run("runs/x", "runs/y")
    assert output.splitlines()[2].startswith("base\t3\t32.00\t2.00\t")
    assert not (sweep / "sweep.md").exists()
    Path("report").mkdir()
    code, _, _ = run("runs/x", "runs/y", "--output", "report")
    assert {path.name for path in Path("report").iterdir()} == {"sweep.md", "sweep.json", "sweep.png"}
    assert code == 0


def test_different_signatures_stand_in_rows_of_their_own(sweep: Path) -> None:
    leave_run(sweep / "6", model="base", seed=3, bleu=50.0, signature="nrefs:1|tok:none")
    _, output, errors = run("runs/x")
    assert [line.split("\t")[1:4] for line in output.splitlines()[1:]] == [
        ["1", "50.00", ""],
        ["3", "34.00", "1.32"],
        ["2", "31.00", "1.41"],
    ]
    assert "warning: the sacrebleu signatures differ" in errors
    text = (sweep / "sweep.md").read_text(encoding="utf-8")
    assert "| base | nrefs:1\\|tok:none | 1 | 50.00 | 1,000 |" in text  # none is the best


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no folder nowhere: mt-train -m ... seed=1,2,3 name=NAME leaves a sweep in runs/NAME."),
        (["runs"], "runs holds no runs, neither numbered folders nor a summary.json: try mt-sweep runs/x."),
        (["runs/x/0/config.yaml"], "runs/x/0/config.yaml is a file; give the folder of a sweep"),
        (["runs/x", "--output", "nowhere"], "nowhere is no folder; make it, or give --output another."),
    ],
)
@pytest.mark.usefixtures("sweep")
def test_wrong_input(arguments: list[str], message: str) -> None:
    code, output, errors = run(*arguments)
    assert (code, output) == (2, "")
    assert errors.startswith(f"error: {message}")
    assert errors.count("\n") == 1


@pytest.mark.slow
def test_a_sweep_by_mt_train_is_read(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    """The seeds of each size share a cell, though data, tokenizer and folders follow seed and name; one run fails."""
    assert train("-m", "seed=1,2", "model.embedding_size=4,8,-1", "name=x") == 2
    assert "mt-sweep runs/x\n" in capsys.readouterr().out
    assert train("name=x/0", "seed=1", "model.embedding_size=4", "ckpt_path=last") == 0
    assert train("name=y", "seed=3", "model.embedding_size=8") == 0
    assert "mt-sweep" not in capsys.readouterr().out

    code, output, errors = run("runs/x", "runs/y", "--json")
    assert code == 0
    cells = {cell["settings"]["model.embedding_size"]: cell for cell in json.loads(output)["cells"]}
    assert {size: [run["seed"] for run in cell["runs"]] for size, cell in cells.items()} == {
        "4": [1, 2],
        "8": [1, 2, 3],
    }
    assert all(list(cell["settings"]) == ["model.embedding_size"] for cell in cells.values())
    assert all(cell["steps"] == 2 and cell["tokens_per_second"] > 0 for cell in cells.values())
    assert errors == "warning: 2 runs are left out:\n" + "".join(
        f"  runs/x/{number} did not begin to train\n" for number in (2, 5)
    )


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    """With ckpt_path=last: what has finished is left as it is, what was cut off is continued, the rest begins."""
    assert train("-m", "seed=1,2", "name=x") == 0
    first, second = (Path("runs/x") / number / "summary.json" for number in "01")
    before = first.stat().st_mtime_ns
    second.unlink()  # written at the end
    assert train("-m", "seed=1,2,3", "name=x") == 2
    assert "holds a run already: continue it with ckpt_path=last" in capsys.readouterr().err
    Path("runs/x/2").rename("third")

    assert train("-m", "seed=1,2,3", "name=x", "ckpt_path=last") == 0
    assert "runs/x/0 has finished already.\n" in capsys.readouterr().out
    assert first.stat().st_mtime_ns == before
    assert second.exists()
    parts = [len([*Path(f"runs/x/{number}/logs/csv").iterdir()]) for number in range(3)]
    assert parts == [1, 2, 1]

    assert train("-m", "seed=1,2,3", "name=x", "trainer.max_steps=3", "ckpt_path=last") == 0
    assert {json.loads(path.read_text())["steps"] for path in Path("runs/x").glob("*/summary.json")} == {3}
    assert train("-m", "seed=2,1", "name=x", "trainer.max_steps=3", "ckpt_path=last") == 2
    assert "seed was 1 and is 2" in capsys.readouterr().err
    assert "seed: 1\n" in Path("runs/x/0/config.yaml").read_text(encoding="utf-8")
