import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet
import pytest

from mt.data import readers, sources
from mt.errors import ConfigError, DataError

ENGLISH = ["A dog runs.", "Two cats sleep.", "It rains."]
GERMAN = ["Ein Hund läuft.", "Zwei Katzen schlafen.", "Es regnet."]
ROWS = [
    {"source": source, "target": target, "line": line}
    for line, (source, target) in enumerate(zip(ENGLISH, GERMAN, strict=True), start=1)
]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write_zstandard(path: Path, content: bytes) -> None:
    with pa.output_stream(str(path), compression="zstd") as file:
        file.write(content)


WRITERS: dict[str, Callable[[Path, bytes], Any]] = {
    "": Path.write_bytes,
    ".gz": lambda path, content: path.write_bytes(gzip.compress(content)),
    ".xz": lambda path, content: path.write_bytes(lzma.compress(content)),
    ".zst": write_zstandard,
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def write(name: str, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        suffix = Path(name).suffix
        WRITERS.get(suffix, Path.write_bytes)(tmp_path / name, data)
        return str(tmp_path / name)

    return write


def lines(texts: list[str]) -> str:
    return "".join(text + "\n" for text in texts)


# --- two text files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", WRITERS)
def test_text_files_plain_and_compressed(write, suffix):
    corpus = sources.text_files(source=write("a.en" + suffix, lines(ENGLISH)), target=write("a.de", lines(GERMAN)))
    assert corpus.to_list() == ROWS
    assert corpus.features == datasets.Features(
        {"source": datasets.Value("string"), "target": datasets.Value("string"), "line": datasets.Value("int64")}
    )
    assert corpus.cache_files, "the corpus is memory-mapped"


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
def test_compressed_files_of_several_parts_are_read_to_the_end(write, tmp_path, suffix):
    parts = [Path(write(f"part{number}{suffix}", text + "\n")).read_bytes() for number, text in enumerate(ENGLISH)]
    whole = tmp_path / f"whole{suffix}"
    whole.write_bytes(b"".join(parts))
    corpus = sources.text_files(source=str(whole), target=write("a.de", lines(GERMAN)))
    assert corpus["source"][:] == ENGLISH


def test_only_newlines_end_a_line(write):
    odd = "one\u2028two\x0bthree\x85four\x0cfive\u2029six\rseven\x1c"
    corpus = sources.text_files(source=write("a", f"{odd}\r\nlast"), target=write("b", "eins\nzwei\n"))
    assert corpus["source"][:] == [odd, "last"]


def test_byte_order_mark_is_dropped_at_the_start_only(write):
    corpus = sources.text_files(source=write("a", "\ufeffone\n\ufefftwo\n"), target=write("b", "eins\nzwei\n"))
    assert corpus["source"][:] == ["one", "\ufefftwo"]


def test_empty_lines_are_kept_for_the_cleaning_to_count(write):
    corpus = sources.text_files(source=write("a", "one\n\nthree\n"), target=write("b", "\n\n\n"))
    assert corpus["source"][:] == ["one", "", "three"]
    assert corpus["target"][:] == ["", "", ""]


def test_misaligned_files_name_both_counts(write):
    source, target = write("a.en", lines(ENGLISH)), write("a.de", lines([*GERMAN, "Mehr.", "Noch mehr."]))
    with pytest.raises(DataError) as caught:
        sources.text_files(source=source, target=target)
    assert f"{source} has 3 lines, {target} has 5" in str(caught.value)
    with pytest.raises(DataError) as caught:
        sources.text_files(source=target, target=source)
    assert f"{target} has 5 lines, {source} has 3" in str(caught.value)


def test_broken_utf8_names_file_and_line(write):
    broken = write("a.de.gz", "gut\nschön\n".encode() + "schön\n".encode("latin-1"))
    with pytest.raises(DataError) as caught:
        sources.text_files(source=write("a.en", lines(ENGLISH)), target=broken)
    assert f"{broken}, line 3: not UTF-8 (byte 0xf6 at byte 4 of the line)" in str(caught.value)


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
@pytest.mark.parametrize("damage", ["truncated", "another format"])
def test_damaged_compressed_file(write, suffix, damage):
    text = "".join(f"{number * 7919 % 10007} and some more text\n" for number in range(20_000))
    path = Path(write("a.en" + suffix, text))
    path.write_bytes(path.read_bytes()[:-200] if damage == "truncated" else text.encode())
    with pytest.raises(DataError, match="cannot be read") as caught:
        sources.text_files(source=str(path), target=write("a.de", text))
    assert str(path) in str(caught.value)


def test_missing_file_gives_the_absolute_path_and_the_nearest_name(write, tmp_path, monkeypatch):
    write("train.en.gz", "one\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        sources.text_files(source="train.en", target="train.de")
    message = str(caught.value)
    assert (
        f"{tmp_path / 'train.en'} does not exist: did you mean train.en.gz? check the settings that make up the path of `source`"
        in message
    )
    assert f"relative paths start at {tmp_path}" in message


def test_missing_folder(tmp_path):
    with pytest.raises(
        DataError, match=r"nowhere/a\.en does not exist: check the settings that make up the path of `source`"
    ):
        sources.text_files(source=str(tmp_path / "nowhere" / "a.en"), target="b")


def test_folder_and_empty_file(write, tmp_path):
    with pytest.raises(DataError, match="is a folder: set `source` to a file"):
        sources.text_files(source=str(tmp_path), target="b")
    with pytest.raises(DataError, match="is empty: `target`"):
        sources.text_files(source=write("a", "one\n"), target=write("b", ""))
    with pytest.raises(DataError, match=r"no sentence pairs in .*a\.gz and .*b\.gz"):
        sources.text_files(source=write("a.gz", ""), target=write("b.gz", ""))


def test_home_folder_is_expanded(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write("a", "one\n")
    assert len(sources.text_files(source="~/a", target=write("b", "eins\n"))) == 1


def test_unchanged_files_come_from_the_cache_and_changed_ones_do_not(write, monkeypatch):
    source, target = write("a", "one\n"), write("b", "eins\n")
    first = sources.text_files(source=source, target=target)
    monkeypatch.setattr(readers, "read_lines", lambda file: pytest.fail("read again"))
    second = sources.text_files(source=source, target=target)
    assert second.cache_files == first.cache_files
    assert second._fingerprint == first._fingerprint
    monkeypatch.undo()
    modified = os.stat(source).st_mtime_ns
    write("a", "two\n")  # as long as before
    os.utime(source, ns=(modified + 1, modified + 1))
    changed = sources.text_files(source=source, target=target)
    assert changed["source"][:] == ["two"]
    assert changed._fingerprint != first._fingerprint


def test_unwritable_cache_says_how_to_move_it(write, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", blocked / "cache")
    with pytest.raises(DataError, match=r"cannot be cached under .*HF_HOME"):
        sources.text_files(source=write("a", "one\n"), target=write("b", "eins\n"))


def test_progress_bars_stay_out_of_log_files(write, capfd):
    sources.text_files(source=write("a", "one\n"), target=write("b", "eins\n"))
    assert capfd.readouterr().err == ""
    assert not datasets.are_progress_bars_disabled()


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.csv.xz", "t.csv.zst"])
def test_csv_with_quotes_line_breaks_and_words_that_look_like_missing_values(write, name):
    path = write(name, 'id,en,de\r\n1,"A ""dog"", there",NA\r\n2,"over\ntwo lines",null\r\n\r\n3,,nan\r\n')
    assert sources.table(path=path, source="en", target="de").to_list() == [
        {"source": 'A "dog", there', "target": "NA", "line": 2},
        {"source": "over\ntwo lines", "target": "null", "line": 3},
        {"source": "", "target": "nan", "line": 6},
    ]


def test_tsv_takes_quotes_to_the_letter(write):
    path = write("t.tsv", 'de\ten\n"Ja\t"Yes" he said\nNein\tNo\n')
    assert sources.table(path=path, source="en", target="de").to_list() == [
        {"source": '"Yes" he said', "target": '"Ja', "line": 2},
        {"source": "No", "target": "Nein", "line": 3},
    ]


def test_table_with_another_delimiter(write):
    corpus = sources.table(path=write("t.txt", 'en;de\n"a;b";c\n'), source="en", target="de", delimiter=";")
    assert corpus.to_list() == [{"source": "a;b", "target": "c", "line": 2}]


def test_table_delimiter_cannot_be_guessed_or_is_impossible(write):
    with pytest.raises(DataError, match=r"neither in \.csv nor in \.tsv: set `delimiter`"):
        sources.table(path=write("t.txt.gz", "en;de\n"), source="en", target="de")
    with pytest.raises(ConfigError, match=r"delimiter: must be one character .* got '::'"):
        sources.table(path=write("t.csv", "en,de\n"), source="en", target="de", delimiter="::")


def test_table_without_the_column_names_the_nearest(write):
    with pytest.raises(DataError, match=r"t\.tsv, header: no column 'german'. Did you mean 'German'\? Valid: English"):
        sources.table(path=write("t.tsv", "English\tGerman\na\tb\n"), source="English", target="german")


def test_malformed_rows_are_named(write):
    with pytest.raises(DataError, match=r"t\.tsv, line 3: 3 cells, but the header names 2 columns"):
        sources.table(path=write("t.tsv", "en\tde\na\tb\na\tb\tc\n"), source="en", target="de")
    with pytest.raises(DataError, match=r"t\.csv, line 2: unexpected end of data; check the quotation marks"):
        sources.table(path=write("t.csv", 'en,de\n"a,b\nc,d\n'), source="en", target="de")
    with pytest.raises(DataError, match=r"no sentence pairs in .*h\.csv"):
        sources.table(path=write("h.csv", "en,de\n"), source="en", target="de")


# --- JSON Lines and Parquet -------------------------------------------------------------------------------------------


def json_lines(records: list[Any]) -> str:
    return lines([json.dumps(record) for record in records])


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz"])
def test_jsonl_flat_and_nested(write, name):
    path = write(
        name,
        json_lines([{"id": 1, "en": "2024-01-01", "de": "ä\u2028"}])
        + "\n"
        + json_lines([{"translation": {"en": "b", "de": None, "fr": "x"}}]),
    )
    assert sources.jsonl(path=path, source="en", target="de").to_list() == [
        {"source": "2024-01-01", "target": "ä\u2028", "line": 1},
        {"source": "b", "target": "", "line": 3},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"en": "a", "de"', r"line 2: not JSON \(Expecting ':' delimiter at column 17\)"),
        ('["a", "b"]', "line 2: a JSON list and not an object"),
        ('{"en": "a", "ge": "b"}', "line 2: no column 'de'. Did you mean 'ge'"),
        ('{"translation": {"en": "a", "dee": "b"}}', "line 2: no 'de' in 'translation'. Did you mean 'dee'"),
        ('{"en": 5, "de": "b"}', "line 2: 'en' holds 5 where text is expected"),
        ('{"en": "a", "de": "\\ud800"}', "line 2: 'de' holds half a surrogate pair"),
    ],
)
def test_jsonl_errors_name_the_line(write, line, message):
    path = write("t.jsonl", '{"en": "a", "de": "b"}\n' + line + "\n")
    with pytest.raises(DataError, match=message):
        sources.jsonl(path=path, source="en", target="de")


def parquet_table(nested: bool) -> pa.Table:
    if nested:
        return pa.table({"translation": [{"en": en, "de": de} for en, de in zip(ENGLISH, GERMAN, strict=True)]})
    return pa.table({"id": range(3), "en": ENGLISH, "de": GERMAN})


@pytest.mark.parametrize("nested", [False, True])
def test_parquet(tmp_path, nested):
    path = tmp_path / "data[1].parquet"
    pyarrow.parquet.write_table(parquet_table(nested), path)
    assert sources.parquet(path=str(path), source="en", target="de").to_list() == ROWS


def test_parquet_errors(write, tmp_path):
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(parquet_table(False), path)
    with pytest.raises(DataError, match=r"t\.parquet: no column 'dee'. Did you mean 'de'\? Valid: de, en, id"):
        sources.parquet(path=str(path), source="en", target="dee")
    with pytest.raises(DataError, match=r"t\.parquet, row 1: 'id' holds 0 where text is expected"):
        sources.parquet(path=str(path), source="id", target="de")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as Parquet"):
        sources.parquet(path=str(path), source="en", target="de")


# --- the Hub ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[False, True], ids=["columns", "translation"])
def hub_folder(request, tmp_path: Path) -> Path:
    """A data set as the Hub lays it out, with named columns or with a `translation` column."""
    folder = tmp_path / "corpus"
    (folder / "data").mkdir(parents=True)
    pyarrow.parquet.write_table(parquet_table(request.param), folder / "data" / "train-00000-of-00001.parquet")
    pyarrow.parquet.write_table(parquet_table(request.param)[:1], folder / "data" / "validation-00000-of-00001.parquet")
    (folder / "README.md").write_text(
        "---\nlanguage:\n- en\n- de\nconfigs:\n- config_name: en-de\n  data_files:\n"
        "  - split: train\n    path: data/train-*\n  - split: validation\n    path: data/validation-*\n---\n# Corpus\n"
    )
    return folder


def test_hub(hub_folder):
    corpus = sources.hub(name=str(hub_folder), config="en-de", split="train", source="en", target="de")
    assert corpus.to_list() == ROWS
    assert len(sources.hub(name=str(hub_folder), split="validation", source="en", target="de")) == 1
    sliced = sources.hub(name=str(hub_folder), split="train[:2]", source="de", target="en")
    assert sliced["source"][:] == GERMAN[:2]


def test_hub_errors(hub_folder):
    name = str(hub_folder)
    with pytest.raises(DataError, match=r"cannot be loaded: Unknown split .test.\. Should be one of"):
        sources.hub(name=name, split="test", source="en", target="de")
    with pytest.raises(DataError, match=r"split 'train'.*: no .*'dee'.*Did you mean 'de'\?"):
        sources.hub(name=name, split="train", source="en", target="dee")
    with pytest.raises(DataError, match=r"cannot be loaded: .*en-fr.*Available: \['en-de'\]"):
        sources.hub(name=name, config="en-fr", split="train", source="en", target="de")
    with pytest.raises(DataError, match=r"the data set '.*nowhere' cannot be loaded"):
        sources.hub(name=str(hub_folder / "nowhere"), split="train", source="en", target="de")


def test_hub_out_of_reach_says_what_to_do(monkeypatch):
    def unreachable(*args: object, **kwargs: object) -> None:
        raise ConnectionError("Couldn't reach 'owner/name' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(DataError, match=r"the Hub cannot be reached for the data set 'owner/name'.*two files"):
        sources.hub(name="owner/name", split="train", source="en", target="de")


# --- the grammar ------------------------------------------------------------------------------------------------------


def test_grammar():
    corpus = sources.grammar(pairs=50, seed=3, split="validation")
    assert corpus["line"][:] == list(range(1, 51))
    assert corpus.cache_files, "memory-mapped like every other corpus"
    assert all(corpus["source"][:])
    assert all(corpus["target"][:])
    assert corpus.to_list() == sources.grammar(pairs=50, seed=3, split="validation").to_list()
    assert corpus["source"][:] != sources.grammar(pairs=50, seed=4, split="validation")["source"][:]
