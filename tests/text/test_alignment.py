"""Alignments from attention against the rules applied one word at a time, and the Pharaoh format."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt.errors import DataError
from mt.text.alignment import format_pharaoh, parse_pharaoh, piece_alignment, read_pharaoh, word_alignment
from mt.text.words import word_of_piece

PIECES = st.lists(st.sampled_from(["▁old", "▁d", "og", ".", "▁", "▁(", "▁New▁York", "s"]), min_size=1, max_size=8)


def expected_links(attention, source_pieces, target_pieces):
    """Apply the rules of `word_alignment` word by word."""
    source_words, target_words = word_of_piece(source_pieces).tolist(), word_of_piece(target_pieces).tolist()
    links = []
    for target in sorted(set(target_words)):
        row = attention[target_words.index(target)]
        words = sorted(set(source_words))
        mass = [sum(row[i] for i, of in enumerate(source_words) if of == word) for word in words]
        links.append((words[int(np.argmax(mass))], target))
    return links


@given(source=PIECES, target=PIECES, seed=st.integers(0, 2**32 - 1), end=st.booleans())
def test_word_alignment_equals_the_rules_word_by_word(source, target, seed, end):
    attention = np.random.default_rng(seed).dirichlet(np.ones(len(source) + 1), size=len(target) + 1)
    if not end:
        attention = attention[:-1, :-1]
    assert word_alignment(attention, source, target) == expected_links(attention, source, target)


def test_the_first_piece_of_a_target_word_decides_and_source_pieces_are_summed():
    source, target = ["▁ever", "green", "▁tree", "."], ["▁Baum", "es", "."]
    attention = np.array(
        [
            [0.3, 0.3, 0.4, 0.0, 0.0],  # evergreen, although no piece of it is looked at most
            [0.0, 0.0, 0.9, 0.0, 0.1],
            [0.0, 0.0, 0.0, 1.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 1.0],
        ]
    )
    assert word_alignment(attention, source, target) == [(0, 0)]


def test_the_end_is_never_linked():
    attention = np.array([[0.1, 0.9], [0.0, 1.0]])
    assert word_alignment(attention, ["▁a"], ["▁b"]) == [(0, 0)]
    assert piece_alignment(attention, ["▁a"], ["▁b"]) == [(0, 0)]


def test_piece_alignment():
    attention = np.array([[0.1, 0.6, 0.3], [0.6, 0.1, 0.3]], dtype=np.float32)
    assert piece_alignment(attention, ["▁a", "b", "▁c"], ["▁x", "▁y"]) == [(1, 0), (0, 1)]


@pytest.mark.parametrize("align", [word_alignment, piece_alignment])
def test_nothing_to_align_and_wrong_shapes(align):
    assert align(np.empty((0, 0)), [], []) == []
    assert align(np.ones((1, 1)), [], []) == []
    assert align(np.ones((1, 3)), ["▁a", "▁b"], []) == []
    assert align(np.ones((3, 1)), [], ["▁a", "▁b"]) == []
    with pytest.raises(ValueError, match=r"attention is \(2, 2\), but there are 2 target and 1 source pieces"):
        align(np.ones((2, 2)), ["▁a"], ["▁b", "▁c"])


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99))))
def test_pharaoh_format_there_and_back(links):
    line = format_pharaoh(links)
    assert parse_pharaoh(line) == sorted(links)


def test_pharaoh_format():
    assert format_pharaoh([(1, 2), (0, 0)]) == "0-0 1-2"
    assert parse_pharaoh(" 0-0\t10-2 ") == [(0, 0), (10, 2)]
    assert [*read_pharaoh(["0-0", "", "1-0"], name="x")] == [[(0, 0)], [], [(1, 0)]]


@pytest.mark.parametrize("wrong", ["0", "0-", "-1-0", "0-1-2", "a-b", "0.5-1", "٣-٣", "1?2"])
def test_what_is_no_link_is_refused_with_its_line(wrong):
    with pytest.raises(DataError, match=r"^out\.align, line 2: '.*' is no link\. .* as in '0-0 1-2'$"):
        [*read_pharaoh(["0-0", f"0-0 {wrong}"], name="out.align")]
