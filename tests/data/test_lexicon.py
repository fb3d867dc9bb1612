"""Lexicons: counted by hand, written and read, and refused with the line that is wrong."""

import gzip
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt.data.lexicon import AttendedPair, Lexicon, LinkCounts
from mt.errors import DataError

ENTRIES = [("dog", "Hund", 0.75), ("dog", "Köter", 0.125), ("the", "der", 0.5), ("dog", "Dogge", 0.125)]
UNITS = st.lists(st.sampled_from("abc"), min_size=2, max_size=2)
PAIRS = st.lists(st.tuples(UNITS, UNITS, st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)))))


def test_look_up() -> None:
    lexicon = Lexicon(ENTRIES)
    assert (lexicon.best("dog"), lexicon.best("the"), lexicon.best("cat")) == ("Hund", "der", None)
    assert lexicon.candidates("dog", 2) == [("Hund", 0.75), ("Dogge", 0.125)]
    assert lexicon.candidates("dog", 9)[2:] == [("Köter", 0.125)]
    assert lexicon.candidates("cat", 9) == []
    assert [*lexicon] == ["dog", "the"]
    assert len(lexicon) == 2


@pytest.mark.parametrize("name", ["table.tsv", "table.tsv.gz", "table.tsv.xz", "table.tsv.zst"])
def test_save_and_load(tmp_path: Path, name: str) -> None:
    Lexicon(ENTRIES).save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    loaded = Lexicon.load(tmp_path / name)
    assert {source: loaded.candidates(source, 9) for source in loaded} == {
        "dog": [("Hund", 0.75), ("Dogge", 0.125), ("Köter", 0.125)],
        "the": [("der", 0.5)],
    }


def test_the_file_is_plain(tmp_path: Path) -> None:
    Lexicon(ENTRIES).save(tmp_path / "table.tsv.gz")
    text = gzip.decompress((tmp_path / "table.tsv.gz").read_bytes()).decode()
    assert text == "dog\tHund\t0.75\ndog\tDogge\t0.125\ndog\tKöter\t0.125\nthe\tder\t0.5\n"


def test_a_failed_save_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    Lexicon(ENTRIES).save(path)
    with pytest.raises(UnicodeEncodeError):
        Lexicon([("\ud800", "x", 1.0)]).save(path)
    assert Lexicon.load(path).best("dog") == "Hund"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "'' is no entry of a lexicon: expected SOURCE, TARGET and a probability above 0"),
        ("# a comment", "'# a comment' is no entry of a lexicon: .* separated by tabs; no comments, no blank lines"),
        ("dog Hund 0.5", ".* is no entry"),
        ("dog\tHund", ".* is no entry"),
        ("dog\tHund\t0.5\t7", ".* is no entry"),
        ("\tHund\t0.5", ".* is no entry"),
        ("dog\t \t0.5", ".* is no entry"),
        ("dog\tHund\thalf", "'half' is no probability: expected"),
        ("dog\tHund\t0", "'0' is no probability"),
        ("dog\tHund\t1.5", "'1.5' is no probability"),
        ("dog\tHund\t-0.7", "'-0.7' is no probability"),
        ("dog\tHund\tnan", "'nan' is no probability"),
        ("the\tder\t0.2", "'the' and 'der' are there already: give each pair once"),
    ],
)
def test_what_is_no_entry_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(f"the\tder\t0.5\n{line}\nthe\tdie\t0.5\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"^{path}, line 2: {message}"):
        Lexicon.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.tsv does not exist"):
        Lexicon.load(tmp_path / "none.tsv")


def counted(pairs) -> LinkCounts:
    counts = LinkCounts()
    for source, target, links in pairs:
        counts.add(source, target, links)
    return counts


def test_relative_frequencies() -> None:
    pairs = [
        (["the", "dog"], ["der", "Hund"], [(0, 0), (1, 1)]),
        (["the", "dogs"], ["die", "Hunde"], [(0, 0), (1, 1)]),
        (["the", "the"], ["der", "x"], [(0, 0), (1, 0)]),
    ]
    lexicon = counted(pairs).lexicon()
    assert lexicon.candidates("the", 9) == [("der", 0.75), ("die", 0.25)]
    assert lexicon.candidates("dog", 9) == [("Hund", 1.0)]
    assert "x" not in [*lexicon]
    often = counted(pairs).lexicon(min_count=2)
    assert [*often] == ["the"]
    assert often.candidates("the", 9) == [("der", 0.75)]
    assert counted(pairs).lexicon(top=1).candidates("the", 9) == [("der", 0.75)]


@given(PAIRS)
def test_counted_probabilities_sum_to_one(pairs) -> None:
    lexicon = counted(pairs).lexicon()
    links = Counter((source[i], target[j]) for source, target, found in pairs for i, j in found)
    assert {*lexicon} == {source for source, _ in links}
    for source in lexicon:
        found = dict(lexicon.candidates(source, 9))
        assert sum(found.values()) == pytest.approx(1)
        total = sum(count for (left, _), count in links.items() if left == source)
        assert found == {target: count / total for (left, target), count in links.items() if left == source}


# --- from attention ---------------------------------------------------------------------------------------------------

PAIR = AttendedPair(
    source_words=["Old", "dogs,"],
    target_words=["Alte", "Hunde,"],
    source_pieces=["▁Old", "▁dog", "s", ","],
    target_pieces=["▁Alt", "e", "▁", "<unk>", ","],
    attention=np.array(
        [
            [0.9, 0.1, 0.0, 0.0, 0.0],
            [0.1, 0.2, 0.7, 0.0, 0.0],
            [0.1, 0.8, 0.1, 0.0, 0.0],
            [0.4, 0.3, 0.3, 0.0, 0.0],
            [0.1, 0.0, 0.0, 0.9, 0.0],
            [0.0, 0.0, 0.0, 0.0, 1.0],
        ]
    ),
)


def test_words_from_attention() -> None:
    lexicon = counted([PAIR.linked_words(), PAIR.linked_words()]).lexicon(min_count=2)
    assert {source: lexicon.candidates(source, 9) for source in lexicon} == {
        "Old": [("Alte", 1.0)],
        "dogs": [("Hunde", 1.0)],
    }


def test_pieces_from_attention() -> None:
    lexicon = counted([PAIR.linked_pieces()]).lexicon()
    assert {source: lexicon.candidates(source, 9) for source in lexicon} == {
        "▁Old": [("▁Alt", 1.0)],
        "▁dog": [("▁", 1.0)],
        "s": [("e", 1.0)],
        ",": [(",", 1.0)],
    }
