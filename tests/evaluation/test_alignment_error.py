"""Precision, recall and alignment error rate against counts by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt.errors import DataError, EvaluationError
from mt.evaluation.alignment_error import AlignmentScore, GoldAlignment, alignment_error_rate, read_gold_alignments

LINKS = st.lists(st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3))), min_size=4, max_size=4)


def test_counts_are_summed_over_the_corpus() -> None:
    score = alignment_error_rate(
        [[(0, 0), (1, 1), (2, 2)], [(0, 0)]],
        [[(0, 0)], [(0, 0), (1, 1), (1, 2)]],
        [[(1, 1)], []],
    )
    # links 4, sure 4; sure ones found 1 + 1, possible ones found 2 + 1
    assert score == AlignmentScore(precision=75.0, recall=50.0, aer=pytest.approx(100 * (1 - 5 / 8)))


def test_without_possible_links() -> None:
    score = alignment_error_rate([[(0, 0), (1, 1), (2, 0)]], [[(0, 0), (1, 1), (1, 2), (2, 2)]])
    assert score.precision == pytest.approx(100 * 2 / 3)
    assert score.recall == 50
    assert score.aer == pytest.approx(100 * (1 - 4 / 7))


@given(LINKS, LINKS, LINKS)
def test_the_equations(links, sure, possible) -> None:
    a = {(n, *link) for n, row in enumerate(links) for link in row}
    s = {(n, *link) for n, row in enumerate(sure) for link in row}
    p = s | {(n, *link) for n, row in enumerate(possible) for link in row}
    if not a | s:
        return
    score = alignment_error_rate(links, sure, possible)
    assert score.aer == pytest.approx(100 - 100 * (len(a & s) + len(a & p)) / (len(a) + len(s)))
    assert score.precision == pytest.approx(100 * len(a & p) / len(a) if a else 0)
    assert score.recall == pytest.approx(100 * len(a & s) / len(s) if s else 0)


def test_a_link_that_is_given_twice_counts_once() -> None:
    assert alignment_error_rate([[(0, 0), (0, 0)]], [[(0, 0)]]) == AlignmentScore(100.0, 100.0, 0.0)


def test_no_links_on_one_side() -> None:
    assert alignment_error_rate([[]], [[(0, 0)]]) == AlignmentScore(0.0, 0.0, 100.0)
    assert alignment_error_rate([[(0, 0)]], [[]]) == AlignmentScore(0.0, 0.0, 100.0)


def test_what_cannot_be_compared() -> None:
    with pytest.raises(
        EvaluationError, match=r"alignments of 1 sentences, but gold ones of 2 \(sure\) and 2 \(possible"
    ):
        alignment_error_rate([[]], [[], []])
    with pytest.raises(EvaluationError, match="nothing to score"):
        alignment_error_rate([[]], [[]])
    with pytest.raises(EvaluationError, match="nothing to score"):
        alignment_error_rate([], [])


def test_gold_alignments() -> None:
    gold = [*read_gold_alignments(["0-0 1?2 10p3", ""], name="gold")]
    assert gold == [GoldAlignment([(0, 0)], [(1, 2), (10, 3)]), GoldAlignment([], [])]


@pytest.mark.parametrize("wrong", ["0", "0!1", "1-2-3", "0-0S", "-1?0"])
def test_what_is_no_gold_link_is_refused_with_its_line(wrong: str) -> None:
    with pytest.raises(DataError, match=r"^test\.align, line 3: '.*' is no link\. .* '1\?2' where the link is only"):
        [*read_gold_alignments(["0-0", "", f"0-0 {wrong}"], name="test.align")]
