"""Shortlists against sets, as files, and tied to their tokenizers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt.data.lexicon import Lexicon
from mt.errors import ModelFolderError
from mt.search.shortlist import Shortlist
from mt.text.tokenizer import TokenizerPair

LIKELIEST = np.array([[0, 0], [0, 0], [0, 0], [0, 0], [9, 5], [5, 0], [11, 9]])


def shortlist(**changes: object) -> Shortlist:
    settings = {"likeliest": LIKELIEST, "frequent": np.array([7, 4]), "target_vocabulary": 12, "fingerprint": "abc"}
    return Shortlist(**{**settings, **changes})


def test_ids_for_a_batch() -> None:
    assert shortlist().ids_for(np.array([[4, 3, 0], [5, 4, 3]])).tolist() == [0, 1, 2, 3, 4, 5, 7, 9]
    assert shortlist().ids_for(np.array([[6, 3]])).tolist() == [0, 1, 2, 3, 4, 7, 9, 11]
    assert shortlist().ids_for(np.empty((0, 0), dtype=np.int64)).tolist() == [0, 1, 2, 3, 4, 7]
    ids = shortlist().ids_for(np.array([[6]], dtype=np.int32))
    ids[:] = 0
    assert ids.dtype == np.int64
    assert shortlist().ids_for(np.array([[6]])).tolist() == [0, 1, 2, 3, 4, 7, 9, 11]


@given(st.integers(0, 2**32 - 1))
def test_ids_are_the_union_of_all_that_is_asked_for(seed: int) -> None:
    draw = np.random.default_rng(seed)
    likeliest, frequent = draw.integers(0, 50, (20, 3)), draw.integers(0, 50, 4)
    src = draw.integers(0, 20, (2, 5))
    short = shortlist(likeliest=likeliest, frequent=frequent, target_vocabulary=50)
    expected = {0, 1, 2, 3, *frequent.tolist()}.union(*(likeliest[i].tolist() for i in src.flat))
    assert short.ids_for(src).tolist() == sorted(expected)


def test_from_a_lexicon_of_pieces() -> None:
    reserved = ["<pad>", "<unk>", "<s>", "</s>"]
    entries = [
        ("▁dog", "▁Hund", 0.6),
        ("▁dog", "▁Katze", 0.3),
        ("▁dog", "e", 0.1),
        ("s", "▁gone", 0.9),
        ("s", "e", 0.1),
    ]
    short = Shortlist.from_lexicon(
        Lexicon(entries),
        source_pieces=[*reserved, "▁dog", "s", "x"],
        target_pieces=[*reserved, "e", "▁Hund", "▁Katze"],
        frequent=np.array([], dtype=np.int64),
        per_source=2,
        fingerprint="abc",
    )
    assert [short.ids_for(np.array([[i]])).tolist()[4:] for i in (4, 5, 6)] == [[5, 6], [4], []]


def test_save_and_load(tmp_path: Path, tokenizers: TokenizerPair) -> None:
    path = tmp_path / "shortlist.npz"
    short = shortlist(fingerprint=tokenizers.fingerprint)
    short.save(path)
    short.save(path)
    assert [*tmp_path.iterdir()] == [path]
    loaded = Shortlist.load(path, fingerprint=tokenizers.fingerprint)
    for i in range(len(LIKELIEST)):
        assert loaded.ids_for(np.array([[i]])).tolist() == short.ids_for(np.array([[i]])).tolist()
    with pytest.raises(ModelFolderError, match=r"shortlist\.npz was made for other tokenizers than this model's"):
        Shortlist.load(path, fingerprint="0" * 64)


def test_files_that_are_no_shortlists(tmp_path: Path) -> None:
    path = tmp_path / "shortlist.npz"

    def refused() -> None:
        with pytest.raises(
            ModelFolderError, match=r"shortlist\.npz is missing, damaged or no shortlist: .*make it again"
        ):
            Shortlist.load(path, fingerprint="abc")

    refused()
    path.write_bytes(b"")
    refused()
    path.write_text("dog\tHund\t1.0\n")
    refused()
    with path.open("wb") as stream:
        np.save(stream, LIKELIEST)
    refused()
    np.savez(path, likeliest=LIKELIEST)
    refused()
    np.savez(path, likeliest=np.array([{}]), frequent=np.array([4]), target_vocabulary=12, fingerprint="abc")
    refused()
    np.savez(path, likeliest=LIKELIEST, frequent=np.array([12]), target_vocabulary=12, fingerprint="abc")
    refused()
    np.savez(path, likeliest=LIKELIEST.astype(float), frequent=np.array([4]), target_vocabulary=12, fingerprint="abc")
    refused()
    shortlist().save(path)
    path.write_bytes(path.read_bytes()[:-200])
    refused()


def test_wrong_arrays() -> None:
    with pytest.raises(ValueError, match=r"ids must be at least 0 and below 11: 0 to 11"):
        shortlist(target_vocabulary=11)
    with pytest.raises(ValueError, match=r"below 12: -1 to 4"):
        shortlist(frequent=np.array([-1, 4]))
    with pytest.raises(ValueError, match=r"likeliest must be \[V_src, n\] and frequent \[F\], not \(7,\)"):
        shortlist(likeliest=LIKELIEST[:, 0])
