"""`mt-score` agrees with the library and with what mt-translate reports, and says in one line what is wrong."""

import gzip
import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mt.commands import score as command
from mt.commands import translate
from mt.commands._cli import application
from mt.scoring import Scorer
from mt.search import Ranking

SOURCES = ["The old dog sleeps.", "", "A book.", "A young woman reads."]
TARGETS = ["Der alte Hund schläft.", "", "Ein  Buch.", "Eine Frau."]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with src.txt and tgt.txt.gz."""
    (tmp_path / "src.txt").write_text("".join(line + "\n" for line in SOURCES), encoding="utf-8")
    (tmp_path / "tgt.txt.gz").write_bytes(gzip.compress("".join(line + "\n" for line in TARGETS).encode()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def scores(model_folder):
    return Scorer.from_folder(model_folder).score(list(zip(SOURCES, TARGETS, strict=True)))


@pytest.fixture
def run(files, model_folder):
    def call(*arguments: str, stdin: str | None = None, app=command.app) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["--model", str(model_folder), *arguments], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def translated(run):
    def call(*arguments: str) -> str:
        code, output, _ = run("src.txt", "--n-best", "3", *arguments, app=application(translate.translate))
        assert code == 0
        return output

    return call


def test_a_line_is_the_log_probability(run, scores):
    code, output, errors = run("src.txt", "tgt.txt.gz")
    assert output == "".join(f"{score.total:.4f}\n" for score in scores)
    assert (code, errors) == (0, "")


@pytest.mark.parametrize(("options", "alpha"), [([], 0.5), (["--length-penalty", "1.5"], 1.5)])
def test_normalised_by_the_models_length_penalty_or_another(run, scores, options, alpha):
    _, output, _ = run("src.txt", "tgt.txt.gz", "--normalise", *options)
    assert output == "".join(f"{score.normalised(Ranking(alpha=alpha)):.4f}\n" for score in scores)


def test_tokens(run, scores):
    _, output, _ = run("src.txt", "tgt.txt.gz", "--tokens")
    rows = [line.split("\t") for line in output.removesuffix("\n").split("\n")]
    assert rows == [[f"{one:.4f}" for one in score.token_scores] or [""] for score in scores]


def test_json(run, scores):
    _, output, _ = run("src.txt", "tgt.txt.gz", "--json")
    records = [json.loads(line) for line in output.splitlines()]
    for number, (record, score) in enumerate(zip(records, scores, strict=True), start=1):
        assert list(record) == ["line", "score", "tokens", "pieces", "token_scores"]
        assert (record["line"], record["tokens"], record["pieces"]) == (number, score.tokens, list(score.pieces))
        assert record["score"] == pytest.approx(score.total, abs=1e-6)
        assert record["token_scores"] == pytest.approx(score.token_scores, abs=1e-6)
    _, output, _ = run("src.txt", "tgt.txt.gz", "--json", "--normalise")
    assert json.loads(output.splitlines()[0])["score"] == pytest.approx(
        scores[0].normalised(Ranking(alpha=0.5)), abs=1e-6
    )


def test_summary(run, scores):
    _, output, errors = run("src.txt", "tgt.txt.gz", "--summary", "--json")
    total, tokens = sum(score.total for score in scores), sum(score.tokens for score in scores)
    words = (4 + 1) + 0 + (2 + 1) + (2 + 1)
    assert json.loads(output) == {
        "sentences": 4,
        "tokens": tokens,
        "words": words,
        "log_probability": pytest.approx(total, abs=1e-4),
        "perplexity": pytest.approx(math.exp(-total / tokens), abs=1e-4),
        "perplexity_per_word": pytest.approx(math.exp(-total / words), rel=1e-4),
    }
    assert errors == ""
    _, table, _ = run("src.txt", "tgt.txt.gz", "--summary")
    assert [line.split("\t")[0] for line in table.splitlines()] == [
        "sentences",
        "tokens",
        "words",
        "log probability",
        "perplexity",
        "perplexity per word",
    ]
    assert table.splitlines()[1] == f"tokens\t{tokens}"


def test_summary_beside_the_scores(run, files):
    _, lines, _ = run("src.txt", "tgt.txt.gz")
    _, table, _ = run("src.txt", "tgt.txt.gz", "--summary", "--output", "scores.txt")
    assert (files / "scores.txt").read_text() == lines
    assert table.startswith("sentences\t4\n")


def test_one_side_may_be_a_pipe(run):
    _, expected, _ = run("src.txt", "tgt.txt.gz")
    assert run("-", "tgt.txt.gz", stdin="\n".join(SOURCES)) == (0, expected, "")
    assert run("src.txt", "-", stdin="".join(line + "\n" for line in TARGETS)) == (0, expected, "")


def test_nothing_gives_nothing(run, files):
    (files / "empty").touch()
    assert run("empty", "empty") == (0, "", "")
    assert run("empty", "--n-best", "empty") == (0, "", "")
    code, output, errors = run("empty", "empty", "--summary")
    assert (code, output) == (2, "")
    assert errors == "error: There is nothing to score: empty and empty hold no sentence.\n"


def test_the_scores_of_mt_translate_are_found_again(run, translated, files):
    """Of a list in JSON by its pieces, which are those that search chose; of a plain one from the text."""
    (files / "list.json").write_text(translated("--json"), encoding="utf-8")
    code, output, errors = run("src.txt", "--n-best", "list.json", "--pieces", "--normalise")
    assert (code, errors) == (0, "")
    hypotheses = [one for line in output.splitlines() for one in json.loads(line)["hypotheses"]]
    assert len(hypotheses) == 3 * 3 + 1
    for one in hypotheses:
        assert one["further_scores"] == [pytest.approx(one["score"], rel=1e-5)]
    assert [json.loads(line)["line"] for line in output.splitlines()] == [1, 2, 3, 4]


def test_a_plain_list_is_scored_as_text(run, translated, files, model_folder):
    plain = translated()
    (files / "list.txt").write_text(plain, encoding="utf-8")
    code, output, errors = run("src.txt", "--n-best", "list.txt", "--output", "out.txt")
    assert (code, output, errors) == (0, "", "")
    given = [line.split(" ||| ") for line in plain.splitlines()]
    pairs = [(SOURCES[int(line) - 1], text) for line, text, _ in given]
    expected = Scorer.from_folder(model_folder).score(pairs)
    lines = (files / "out.txt").read_text(encoding="utf-8").splitlines()
    for line, fields, score in zip(lines, given, expected, strict=True):
        *kept, appended = line.split(" ||| ")
        assert kept == fields
        assert float(appended) == pytest.approx(score.total, abs=1e-4)
    _, again, _ = run("src.txt", "--n-best", "-", stdin="\n".join(lines))
    assert [line.split(" ||| ")[-1] for line in again.splitlines()] == [line.split(" ||| ")[-1] for line in lines]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["src.txt"], "Give SOURCE and TARGET, or SOURCE and --n-best FILE."),
        (["src.txt", "tgt.txt.gz", "--n-best", "x"], "Give SOURCE and TARGET, or"),
        (["src.txt", "short.txt"], "The numbers of lines differ: 4 in src.txt, 1 in short.txt. Line n of one must"),
        (["short.txt", "src.txt", "--summary"], "differ: 1 in short.txt, 4 in src.txt"),
        (["src.txt", "-"], "differ: 4 in src.txt, 0 in standard input"),
        (["-", "-"], "Only one of two inputs can be the standard input"),
        (["-", "--n-best", "-"], "Only one of two inputs can be the standard input"),
        (["src.txt", "missing.txt"], "missing.txt: there is no such file"),
        (["src.txt", "latin.txt"], "latin.txt, line 1: not UTF-8"),
        (["src.txt", "tgt.txt.gz", "--length-penalty", "1"], "--length-penalty is the strength of --normalise"),
        (["src.txt", "tgt.txt.gz", "--tokens", "--json"], "leave out --json and --normalise"),
        (["src.txt", "tgt.txt.gz", "--pieces"], "--pieces is about the pieces in an n-best list"),
        (["src.txt", "--n-best", "list.txt", "--summary"], "--n-best keeps the format of its list"),
        (["src.txt", "--n-best", "short.txt"], "short.txt, line 1: 'Ein Hund.' is not LINE ||| TRANSLATION ||| SCORE"),
        (["src.txt", "--n-best", "list.txt"], "differ: 4 in src.txt, 1 in the n-best list list.txt."),
        (["short.txt", "--n-best", "list.txt", "--pieces"], "--pieces needs an n-best list with pieces: make it with"),
        (
            ["short.txt", "--n-best", "list.json", "--pieces"],
            "A hypothesis of line 1 cannot be scored by its pieces: '▁Q'",
        ),
        (["src.txt", "tgt.txt.gz", "--device", "gpuu"], "device 'gpuu' cannot be used here"),
        (["src.txt", "tgt.txt.gz", "--output", "nowhere/x"], "the folder"),
        (["src.txt", "tgt.txt.gz", "--model", "missing"], "missing is not a folder"),
    ],
)
def test_wrong_use(run, files, arguments, message):
    (files / "short.txt").write_text("Ein Hund.\n", encoding="utf-8")
    (files / "latin.txt").write_bytes("schön\n".encode("latin-1"))
    (files / "list.txt").write_text("1 ||| Ein Hund. ||| -1.0\n", encoding="utf-8")
    record = {"line": 1, "hypotheses": [{"text": "Q", "score": -1.0, "pieces": ["▁Q"]}]}
    (files / "list.json").write_text(json.dumps(record) + "\n", encoding="utf-8")
    before = sorted(files.iterdir())
    code, output, errors = run(*arguments, *([] if "--output" in arguments else ["--output", "out.txt"]))
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert sorted(files.iterdir()) == before


def test_misaligned_files_are_noticed_before_anything_is_printed(run, files):
    (files / "short.txt").write_text("Ein Hund.\n", encoding="utf-8")
    code, output, _ = run("src.txt", "short.txt")
    assert (code, output) == (2, "")


def test_stopped_it_leaves_nothing(run, files, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mt.scoring.Scorer.score_stream", stop)
    before = sorted(files.iterdir())
    assert run("src.txt", "tgt.txt.gz", "--output", "out.txt") == (130, "", "")
    assert sorted(files.iterdir()) == before


def test_help_shows_what_to_type():
    shown = CliRunner().invoke(command.app, ["--help"]).stdout
    for part in ("mt-score --model FOLDER test.en test.de --summary", "--n-best", "--normalise", "nats"):
        assert part in shown
