"""`mt-evaluate` scores files and models, and says in one line what is wrong with its input."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import sacrebleu
from typer.testing import CliRunner

from mt.commands.evaluate import app

REFERENCES = ["Der alte Hund schläft im Garten.", "Gestern kaufte sie drei schöne Bücher.", "Kannst du mir helfen?"]
HYPOTHESES = ["Der alte Hund schläft in dem Garten.", "Gestern kaufte sie drei Bücher.", "Kannst du mir helfen?"]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with ref.txt, hyp.txt.gz and src.txt."""
    (tmp_path / "ref.txt").write_text("".join(line + "\n" for line in REFERENCES), encoding="utf-8")
    (tmp_path / "hyp.txt.gz").write_bytes(gzip.compress("".join(line + "\n" for line in HYPOTHESES).encode()))
    (tmp_path / "src.txt").write_text("One.\nTwo.\nThree.\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class FakeTranslator:
    """Knows three translations, and which options it was called with."""

    def __init__(self) -> None:
        self.calls: list[dict[str, object]] = []

    def from_folder(self, folder: str, *, device: str) -> "FakeTranslator":
        self.calls.append({"folder": folder, "device": device})
        return self

    def translate_stream(self, lines: Iterable[str], **options: object) -> Iterator[SimpleNamespace]:
        self.calls.append(options)
        for line in lines:
            yield SimpleNamespace(text=HYPOTHESES[["One.", "Two.", "Three."].index(line)])


@pytest.fixture
def translator(monkeypatch: pytest.MonkeyPatch) -> FakeTranslator:
    fake = FakeTranslator()
    monkeypatch.setattr("mt.translator.Translator", fake)
    return fake


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments, input=stdin)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("files")
def test_files_are_scored() -> None:
    code, output, errors = run("--hypotheses", "hyp.txt.gz", "--reference", "ref.txt")
    expected = sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score
    bleu, chrf, ter = output.splitlines()
    version = sacrebleu.__version__
    assert bleu == f"bleu\t{expected:.2f}\tnrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{version}"
    assert chrf.startswith("chrf\t")
    assert ter.startswith("ter\t")
    assert (code, errors) == (0, "")


@pytest.mark.usefixtures("files")
def test_json_is_one_object() -> None:
    code, output, _ = run("--hypotheses", "-", "--reference", "ref.txt", "--json", stdin="\n".join(HYPOTHESES))
    report = json.loads(output)
    assert list(report) == ["bleu", "chrf", "ter", "sentences"]
    assert report["sentences"] == 3
    assert report["bleu"]["score"] == pytest.approx(sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score, abs=1e-4)
    assert report["bleu"]["signature"].startswith("nrefs:1|case:mixed")
    assert code == 0


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("metrics", [["--metrics", "ter", "bleu"], ["--metrics", "ter", "--metrics", "bleu"]])
def test_metrics_are_chosen(metrics: list[str]) -> None:
    _, output, _ = run("--hypotheses", "hyp.txt.gz", "--reference", "ref.txt", *metrics)
    assert [line.split("\t")[0] for line in output.splitlines()] == ["ter", "bleu"]


def test_model_is_scored(files: Path, translator: FakeTranslator) -> None:
    arguments = ["--model", "folder", "--source", "src.txt", "--reference", "ref.txt", "--output", "out.txt", "--json"]
    code, output, errors = run(*arguments, "--beam-size", "3", "--length-penalty", "0.6", "--batch-tokens", "500")
    assert (code, errors) == (0, "")
    assert json.loads(output)["bleu"]["score"] == pytest.approx(
        sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score, abs=1e-4
    )
    assert (files / "out.txt").read_text(encoding="utf-8").splitlines() == HYPOTHESES
    assert translator.calls == [
        {"folder": "folder", "device": "cpu"},
        {"beam_size": 3, "length_penalty": 0.6, "batch_tokens": 500},
    ]


@pytest.mark.usefixtures("files")
def test_model_keeps_its_own_defaults(translator: FakeTranslator) -> None:
    run("--model", "folder", "--source", "src.txt", "--reference", "ref.txt", "--device", "auto")
    assert translator.calls == [
        {"folder": "folder", "device": "auto"},
        {"beam_size": None, "length_penalty": None, "batch_tokens": None},
    ]


@pytest.mark.usefixtures("files")
def test_warnings_go_to_the_standard_error() -> None:
    text = "\n".join(line.lower() for line in HYPOTHESES)
    code, output, errors = run("--hypotheses", "-", "--reference", "ref.txt", "--json", stdin=text)
    assert errors.startswith("warning: The hypotheses look lower-cased")
    assert json.loads(output)["sentences"] == 3
    assert code == 0


def test_word_alignments_are_scored(files: Path) -> None:
    (files / "out.align").write_text("0-0 1-1\n0-0 2-2\n", encoding="utf-8")
    (files / "gold.align").write_text("0-0 1?1\n0-0 1-1\n", encoding="utf-8")
    arguments = ["--alignments", "out.align", "--reference-alignments", "gold.align"]
    code, output, errors = run(*arguments)
    assert (code, output, errors) == (0, "precision\t75.00\nrecall\t66.67\naer\t28.57\n", "")
    code, output, _ = run("--alignments", "-", *arguments[2:], "--json", stdin="0-0\n0-0 1-1\n")
    assert json.loads(output) == {"precision": 100, "recall": 100, "aer": 0, "sentences": 2}
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--alignments", "out.align"], "scored in pairs: --alignments FILE --reference-alignments FILE"),
        (["--reference-alignments", "out.align"], "scored in pairs"),
        (["--alignments", "a", "--reference-alignments", "b", "--reference", "ref.txt"], "scored by themselves"),
        (["--alignments", "a", "--reference-alignments", "b", "--metrics", "ter"], "scored by themselves"),
        (["--alignments", "out.align", "--reference-alignments", "ref.txt"], "ref.txt, line 1: 'Der' is no link"),
        (["--alignments", "ref.txt", "--reference-alignments", "out.align"], "ref.txt, line 1: 'Der' is no link"),
        (["--alignments", "out.align", "--reference-alignments", "short.align"], "2 in out.align, 1 in short.align"),
        (["--alignments", "none.align", "--reference-alignments", "out.align"], "none.align: there is no such file"),
        (["--hypotheses", "hyp.txt.gz"], "Nothing to score against: give --reference FILE"),
    ],
)
def test_wrong_alignments(files: Path, arguments: list[str], message: str) -> None:
    (files / "out.align").write_text("0-0 1-1\n0-0 2-2\n", encoding="utf-8")
    (files / "short.align").write_text("0-0\n", encoding="utf-8")
    code, output, errors = run(*arguments)
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert message in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hypotheses", "short.txt", "--reference", "ref.txt"], "differ: 1 in short.txt, 3 in ref.txt"),
        (["--hypotheses", "-", "--reference", "ref.txt"], "differ: 0 in standard input, 3 in ref.txt"),
        (["--model", "m", "--source", "short.txt", "--reference", "ref.txt"], "differ: 1 in short.txt, 3 in ref.txt"),
        (["--hypotheses", "empty.txt", "--reference", "empty.txt"], "There is nothing to score"),
        (["--hypotheses", "missing.txt", "--reference", "ref.txt"], "missing.txt: there is no such file"),
        (["--hypotheses", "latin.txt", "--reference", "ref.txt"], "latin.txt, line 1: not UTF-8"),
        (["--hypotheses", "hyp.txt.gz", "--reference", "ref.txt", "--metrics", "blue"], "Did you mean 'bleu'?"),
        (["--hypotheses", "hyp.txt.gz", "--reference", "ref.txt", "stray"], "'stray' is no option"),
        (["--hypotheses", "hyp.txt.gz", "--reference", "ref.txt", "--beam-size", "2"], "without a model's options"),
        (["--reference", "ref.txt"], "Nothing to score: give --hypotheses FILE, or --model FOLDER and --source"),
        (["--model", "missing", "--source", "src.txt", "--reference", "ref.txt"], "missing is not a folder"),
    ],
)
def test_wrong_input(files: Path, arguments: list[str], message: str) -> None:
    (files / "short.txt").write_text("Ein Hund.\n", encoding="utf-8")
    (files / "empty.txt").write_text("", encoding="utf-8")
    (files / "latin.txt").write_bytes("schön\n".encode("latin-1"))
    before = sorted(files.iterdir())
    code, output, errors = run(*arguments, *(["--output", "out.txt"] if "--model" in arguments else []))
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert message in errors
    assert sorted(files.iterdir()) == before


def test_reference_is_required() -> None:
    code, _, errors = run("--hypotheses", "x")
    assert code == 2
    assert "--reference" in errors
