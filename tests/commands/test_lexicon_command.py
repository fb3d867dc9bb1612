"""`mt-lexicon`: a lexicon and a shortlist from what a model looked at, and their use."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mt.commands.lexicon import app
from mt.data.lexicon import Lexicon
from mt.search.shortlist import Shortlist
from mt.translator import Translator

SOURCE = ["The old dog sleeps in the garden.", "", "A young woman reads a book."]
TARGET = ["Der alte Hund schläft im Garten.", "", "Eine junge Frau liest ein Buch."]


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, lines in (("src", SOURCE), ("tgt", TARGET), ("empty", [""])):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_both_are_made_and_can_be_used(corpus, model_folder):
    code, output, errors = run("--model", str(model_folder), "src", "tgt", "--lexicon", "w.tsv", "--shortlist", "s.npz")
    assert (code, errors) == (0, "")
    lexicon = Lexicon.load("w.tsv")
    assert {target for source in lexicon for target, _ in lexicon.candidates(source, 99)} == {
        word for line in TARGET for word in line.removesuffix(".").split()
    }
    translator = Translator.from_folder(model_folder)
    translator.shortlist = Shortlist.load("s.npz", fingerprint=translator.tokenizers.fingerprint)
    pieces = {piece for hypothesis in translator.translate(SOURCE) for piece in hypothesis.pieces}
    seen = {
        piece
        for ids in translator.tokenizers.target.encode(TARGET)
        for piece in translator.tokenizers.target.pieces(ids)
    }
    assert pieces <= seen | {"<unk>"}
    assert f"{len(lexicon):,} words with their translations are in w.tsv" in output


def test_frequent_pieces_are_always_listed(corpus, model_folder):
    options = "--shortlist", "s.npz", "--frequent", "3", "--per-source", "1"
    assert run("--model", str(model_folder), "src", "tgt", *options)[0] == 0
    translator = Translator.from_folder(model_folder)
    shortlist = Shortlist.load("s.npz", fingerprint=translator.tokenizers.fingerprint)
    ids = [token for row in translator.tokenizers.target.encode(TARGET) for token in row]
    values, counts = np.unique(ids, return_counts=True)
    listed = shortlist.ids_for(np.zeros((1, 1), dtype=np.int64))
    assert len(listed) <= 4 + 3 + 1
    assert values[counts.argmax()] in listed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["src", "tgt"], "Nothing to write: give --lexicon FILE, --shortlist FILE, or both"),
        (["src", "empty", "--lexicon", "w"], "The numbers of lines differ: 3 in src, 1 in empty"),
        (["empty", "empty", "--lexicon", "w"], "There is nothing to count: empty and empty hold no sentence"),
        (["src", "nowhere", "--lexicon", "w"], "nowhere: there is no such file"),
        (["src", "tgt", "--lexicon", "missing/w"], "the folder"),
    ],
)
def test_mistakes_get_one_clear_error(corpus, model_folder, arguments, message):
    code, output, errors = run("--model", str(model_folder), *arguments)
    assert (code, output) == (2, "")
    assert message in errors
    assert not (corpus / "w").exists()
