"""`mt-translate` with an untrained model: what goes in and out, and what is said about wrong use."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mt.commands.translate import app

LINES = ["The old dog sleeps.", "", "A book.", "A young woman reads."]


def run(*arguments: str, stdin: str = "\n".join(LINES) + "\n") -> tuple[int, list[str], str]:
    result = CliRunner().invoke(app, arguments, input=stdin)
    return result.exit_code, result.stdout.splitlines(), result.stderr


@pytest.fixture
def translate(model_folder: Path):
    def translate(*arguments: str, stdin: str = "\n".join(LINES) + "\n") -> list[str]:
        code, output, errors = run("--model", str(model_folder), *arguments, stdin=stdin)
        assert (code, errors) == (0, ""), errors
        return output

    return translate


def test_a_model_twice_translates_like_once(translate, model_folder):
    alone = translate()
    assert len(alone) == len(LINES)
    for combination in ("log_linear", "arithmetic"):
        more = "--model", str(model_folder), "--weights", "2,1", "--combination", combination
        assert translate(*more) == alone


def test_samples_depend_on_the_seed_and_the_line_alone(translate):
    once, again, other = (translate("--sample", "--seed", seed) for seed in ("1", "1", "2"))
    assert once == again != other
    assert translate("--sample", "--seed", "1", "--window", "1") == once
    assert translate("--sample", "--seed", "1", "--batch-tokens", "1") == once


def test_objects_bring_constraints(translate):
    line = {"text": "A book.", "prefix": "Eine", "include": ["Buch"], "exclude": ["Hund"]}
    (found,) = translate("--json-input", stdin=json.dumps(line) + "\n")
    assert found.startswith("Eine")
    assert "Buch" in found


def test_nothing_excluded_is_in_any_translation(translate):
    words = {word for line in translate() for word in line.split()}
    assert words
    options = [option for word in sorted(words) for option in ("--exclude", word)]
    assert not words & {word for line in translate(*options) for word in line.split()}


def test_what_must_be_kept_is_kept(translate):
    (found,) = translate("--keep", "placeholder", "--keep", "number", stdin="A <book> 12.\n")
    assert "12" not in found  # which the characters of this model cannot write
    words = translate("--json-input", stdin='{"text": "A dog.", "keep": ["book", "dog"]}\n')[0].split()
    assert {"book", "dog"} <= set(words)


def test_paragraphs_are_one_line_each(translate):
    stdin = "A book. The dog sleeps.\n\nA woman reads.\n"
    first, empty, last = translate("--split", "en", stdin=stdin)
    sentences = translate(stdin="A book.\nThe dog sleeps.\nA woman reads.\n")
    assert [first, empty, last] == [f"{sentences[0]} {sentences[1]}", "", sentences[2]]


def test_alignments_and_json_say_the_same(translate, tmp_path):
    found = [json.loads(line) for line in translate("--json", "--alignments", str(tmp_path / "links"))]
    links = (tmp_path / "links").read_text().splitlines()
    assert [one["hypotheses"][0]["alignment"] for one in found] == links
    for line, one in zip(links, found, strict=True):
        words = one["hypotheses"][0]["text"].split()
        assert all(int(link.split("-")[1]) < max(len(words), 1) for link in line.split())


def test_an_output_file_may_be_called_for_twice(translate, tmp_path):
    out = tmp_path / "out.de"
    assert translate("--output", str(out), "--resume") == []
    assert out.read_text().splitlines() == translate()
    assert [path.name for path in tmp_path.iterdir()] == ["out.de"]


def test_going_on_gives_the_same_as_going_through(model_folder, tmp_path):
    good, source, whole, broken = "\n".join(LINES) + "\n", *(tmp_path / name for name in ("source", "whole", "broken"))
    command = ["--model", str(model_folder), str(source), "--window", "2", "--sample", "--beam-size", "3", "--output"]
    source.write_text(good)
    assert run(*command, str(whole)) == (0, [], "")
    # the third line is not UTF-8 at first, so that the run ends after its first window
    source.write_bytes(good.encode().replace(b"A book.", b"A b\xffok."))
    code, _, errors = run(*command, str(broken))
    assert code == 2
    assert "line 3: not UTF-8" in errors
    assert "2 lines are kept in" in errors
    source.write_text(good)
    assert run(*command, str(broken), "--resume") == (0, [], "")
    assert broken.read_text() == whole.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--beam-size", "4", "--beam-groups", "3"], "beam_groups must divide beam_size"),
        (["--length-normalisation", "mean"], "length normalisation 'mean' is unknown"),
        (["--temperature", "0", "--sample"], "temperature must be above 0"),
        (["--weights", "1"], "needs several models"),
        (["--combination", "sum", "--weights", "1"], "needs several models"),
        (["--weights", "a,b"], "--weights takes numbers separated by commas"),
        (["--precision", "16"], "there is no precision '16'"),
        (["--backend", "tensorflow"], "there is no backend 'tensorflow'"),
        (["--int8", "--backend", "torch"], "weights of one byte take the backend onnx, not torch"),
        (["--backend", "onnx", "--precision", "bf16"], "the backend onnx runs on the processor, in 32 bits or int8"),
        (["--keep", "urls"], "Did you mean 'url'"),
        (["--json-input"], "line 1 is not JSON"),
        (["--split", "en", "--json"], "--split gives and takes plain text"),
        (["--resume"], "--resume goes on with a plain file"),
        (["--resume", "--alignments", "x", "--output", "y"], "--alignments cannot be gone on with"),
        (["--devices", "2", "--device", "cuda:1"], "--devices 2 shares the work among several"),
        (["--shortlist", "nowhere"], "nowhere is missing"),
        (["--lexicon", "nowhere"], "nowhere"),
        (["--n-best", "4"], "n-best must lie between 1 and the beam size 3, not 4"),
    ],
)
def test_mistakes_get_one_clear_error(model_folder, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, output, errors = run("--model", str(model_folder), *arguments)
    assert (code, output) == (2, [])
    assert message in " ".join(errors.split())
    assert "Traceback" not in errors
    assert not [*tmp_path.iterdir()]
