"""`mt-rerank` chooses by risk, by a reverse model or by scores, and says in one line what is wrong with a list."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mt.commands import rerank, score
from mt.evaluation.n_best import read_n_best
from mt.evaluation.reranking import expected_utilities
from mt.scoring import Scorer
from mt.search import Ranking

SOURCES = ["The dog.", "", "A book."]
LISTS = [
    [("Katzen", -1.0), ("Der alte Hund schläft.", -1.1), ("Der alte Hund schlief.", -1.2)],
    [("", 0.0)],
    [("Ein Buch", -0.5), ("Buch ||| ein", -0.75)],
]
PLAIN = "".join(f"{n} ||| {text} ||| {s:.4f}\n" for n, found in enumerate(LISTS, start=1) for text, s in found)


def in_json(lists, tokens=lambda text, score: None):
    records = [
        {
            "line": line,
            "hypotheses": [{"text": text, "score": s, "token_scores": tokens(text, s)} for text, s in found],
        }
        for line, found in enumerate(lists, start=1)
    ]
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with src.txt, list.txt and list.json, whose hypotheses have one token a word, and EOS."""
    (tmp_path / "src.txt").write_text("".join(line + "\n" for line in SOURCES), encoding="utf-8")
    (tmp_path / "list.txt").write_text(PLAIN, encoding="utf-8")
    tokens = in_json(LISTS, lambda text, s: [s] * (len(text.split()) + 1))
    (tmp_path / "list.json").write_text(tokens, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: str | None = None, app=rerank.app) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("files")
def test_minimum_bayes_risk_takes_what_is_most_like_the_others():
    for options in ([], ["--metric", "bleu"], ["--posterior", "uniform"]):
        code, output, errors = run("--by", "mbr", "list.txt", *options)
        assert output.splitlines()[:2] == ["Der alte Hund schläft.", ""]
        assert output.count("\n") == 3
        assert (code, errors) == (0, "")


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", ["list.txt", "list.json"])
def test_the_whole_list_keeps_its_format(name):
    _, output, _ = run("--by", "mbr", name, "--n-best")
    lists = [*read_n_best(output.splitlines(), origin=name)]
    assert [found.is_json for found in lists] == [name == "list.json"] * 3
    for found, given in zip(lists, LISTS, strict=True):
        expected = expected_utilities(*zip(*given, strict=True))
        pairs = sorted(((text, u) for (text, _), u in zip(given, expected, strict=True)), key=lambda pair: -pair[1])
        assert [one.text for one in found.candidates] == [text for text, _ in pairs]
        assert [one.score for one in found.candidates] == pytest.approx([u for _, u in pairs], abs=1e-4)


@pytest.mark.usefixtures("files")
def test_by_score_and_a_length_penalty():
    code, output, errors = run("--by", "score", "list.txt")
    assert (code, output, errors) == (0, "Katzen\n\nEin Buch\n", "")
    _, output, _ = run("--by", "score", "list.json", "--length-penalty", "0")  # the sums
    assert output == "Katzen\n\nEin Buch\n"
    _, output, _ = run("--by", "score", "list.json", "--length-penalty", "3", "--n-best")
    first = json.loads(output.splitlines()[0])["hypotheses"]
    assert [one["text"] for one in first] == ["Der alte Hund schläft.", "Katzen", "Der alte Hund schlief."]
    assert first[1]["score"] == pytest.approx(-2.0 / (7 / 6) ** 3, abs=1e-6)
    assert first[0]["score"] == pytest.approx(-5.5 / (10 / 6) ** 3, abs=1e-6)
    assert first[0]["token_scores"] == [-1.1] * 5


@pytest.mark.usefixtures("files")
def test_by_what_mt_score_has_appended(model_folder):
    options = ["--model", str(model_folder), "src.txt", "--n-best", "list.txt", "--normalise"]
    _, scored, _ = run(*options, app=score.app)
    rows = [line.rsplit(" ||| ", 2) for line in scored.splitlines()]
    for weight in (None, "0", "2.5"):
        _, output, _ = run("--by", "score", "--n-best", *(["--weight", weight] if weight else []), stdin=scored)
        found = {line.rsplit(" ||| ", 1)[0]: float(line.rsplit(" ||| ", 1)[1]) for line in output.splitlines()}
        for text, own, further in rows:
            assert found[text] == pytest.approx(float(own) + float(weight or 1) * float(further), abs=2e-4)
    assert [line.split(" ||| ")[0] for line in output.splitlines()] == ["1", "1", "1", "2", "3", "3"]


@pytest.mark.usefixtures("files")
def test_by_a_model_in_the_other_direction(model_folder):
    scorer = Scorer.from_folder(model_folder)
    options = ["--by", "reverse", "--reverse-model", str(model_folder), "--source", "src.txt", "--n-best"]
    code, output, errors = run(*options, "list.txt", "--weight", "0.3")
    assert (code, errors) == (0, "")
    found = [*read_n_best(output.splitlines(), origin="x")]
    for source, given, one in zip(SOURCES, LISTS, found, strict=True):
        back = scorer.score([(text, source) for text, _ in given])
        expected = {text: s + 0.3 * b.normalised(Ranking(alpha=0.5)) for (text, s), b in zip(given, back, strict=True)}
        assert {c.text: c.score for c in one.candidates} == pytest.approx(expected, abs=1e-4)
        assert [c.score for c in one.candidates] == sorted(expected.values(), reverse=True) or len(given) > 1
    _, output, _ = run(*options, "list.json", "--length-penalty", "0")
    first = json.loads(output.splitlines()[0])["hypotheses"]
    back = {text: scorer.score([(text, SOURCES[0])])[0].total for text, _ in LISTS[0]}
    sums = {text: s * (len(text.split()) + 1) for text, s in LISTS[0]}
    assert {one["text"]: one["score"] for one in first} == pytest.approx(
        {text: sums[text] + back[text] for text in sums}, abs=1e-4
    )


def test_nothing_gives_nothing():
    assert run("--by", "mbr", stdin="") == (0, "", "")


def test_without_a_choice_there_is_a_warning():
    code, output, errors = run("--by", "mbr", stdin="1 ||| Ja. ||| -1\n2 ||| Nein. ||| -1\n")
    assert (code, output) == (0, "Ja.\nNein.\n")
    assert errors.startswith("warning: No line has more than one hypothesis")


@pytest.mark.usefixtures("files")
def test_a_file_is_written(files):
    _, expected, _ = run("--by", "mbr", "list.txt")
    assert run("--by", "mbr", "list.txt", "--output", "out.txt") == (0, "", "")
    assert (files / "out.txt").read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "risk"], "--by risk: there is no such way to choose. Valid: mbr, reverse, score."),
        (["--by", "mbr", "--metric", "blue"], "There is no utility 'blue'. Did you mean 'bleu'?"),
        (["--by", "mbr", "--posterior", "x"], "There is no posterior 'x'. Valid: softmax, uniform"),
        (["--by", "mbr", "--weight", "1"], "--weight is an option of --by score and --by reverse, not of --by mbr."),
        (["--by", "score", "--reverse-model", "x"], "--reverse-model is an option of --by reverse, not of --by score."),
        (["--by", "reverse"], "--by reverse needs --reverse-model FOLDER and --source FILE."),
        (["--by", "score", "--weight", "1"], "--weight is for further scores, and this list has none"),
        (
            ["--by", "score", "--length-penalty", "1"],
            "--length-penalty needs the scores of the tokens, which only n-best",
        ),
        (["--by", "reverse", "--reverse-model", "nowhere", "--source", "src.txt"], "nowhere is not a folder"),
        (
            ["--by", "reverse", "--reverse-model", "MODEL", "--source", "short.txt"],
            "1 in short.txt, 3 in the n-best list",
        ),
        (["--by", "reverse", "--reverse-model", "MODEL", "--source", "none.txt"], "none.txt: there is no such file"),
    ],
)
def test_wrong_use(files, model_folder, arguments, message):
    (files / "short.txt").write_text("A dog.\n", encoding="utf-8")
    before = sorted(files.iterdir())
    given = [str(model_folder) if one == "MODEL" else one for one in arguments]
    code, output, errors = run(*given, "list.txt", "--output", "out.txt")
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Der Hund.\n", "standard input, line 1: 'Der Hund.' is not LINE ||| TRANSLATION ||| SCORE."),
        ("1 ||| a ||| -1\n3 ||| b ||| -1\n", "standard input, line 2: the hypotheses of line 3 of the source follow"),
        ('{"line": 1, "hypotheses": []}\n', "standard input, line 1: there are no hypotheses of line 1"),
    ],
)
def test_wrong_lists(files, text, message):
    code, _, errors = run("--by", "mbr", "--output", "out.txt", stdin=text)
    assert code == 2
    assert errors.startswith(f"error: {message}")
    assert not (files / "out.txt").exists()


def test_negative_weights_and_penalties_are_wrong_usage():
    for option in ("--weight", "--length-penalty"):
        for value in ("-1", "nan", "much"):
            code, _, errors = run("--by", "score", option, value, stdin="")
            assert code == 2
            assert option in errors
    assert run()[0] == 2


def test_both_inputs_cannot_be_the_standard_input(model_folder):
    options = ["--by", "reverse", "--reverse-model", str(model_folder), "--source", "-"]
    code, _, errors = run(*options, stdin=PLAIN)
    assert (code, errors[:6]) == (2, "error:")
    assert "Only one of two inputs can be the standard input" in errors


def test_help_shows_what_to_type():
    shown = run("--help")[1]
    for part in ("mt-rerank --by mbr", "--reverse-model FOLDER --source", "Minimum Bayes risk"):
        assert part in shown
