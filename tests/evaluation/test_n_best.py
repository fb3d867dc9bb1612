"""N-best lists survive reading and writing, and what is wrong with one is said with the number of its line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt.errors import DataError
from mt.evaluation.n_best import Candidate, NBest, format_n_best, read_n_best

PLAIN = ["1 ||| Ein Hund. ||| -0.5000", "1 ||| Der Hund. ||| -0.7500", "2 |||  ||| 0.0000", "3 ||| Ja. ||| -1.0000"]
JSON = [
    '{"line": 1, "hypotheses": [{"text": "Ein Hund.", "score": -0.5, "pieces": ["▁Ein", "▁Hund."], '
    '"token_scores": [-0.25, -0.5, -0.25]}, {"text": "Der Hund.", "score": -0.75}]}',
    '{"line": 2, "hypotheses": [{"text": "", "score": 0.0, "pieces": [], "token_scores": []}]}',
]


def read(lines):
    return [*read_n_best(lines, origin="list.txt")]


def written(lists):
    return [line for one in lists for line in format_n_best(one)]


def test_plain():
    first, second, third = read(PLAIN)
    assert (first.line, first.is_json) == (1, False)
    assert [(one.text, one.score) for one in first.candidates] == [("Ein Hund.", -0.5), ("Der Hund.", -0.75)]
    assert [one.text for one in second.candidates] == [""]
    assert third.line == 3
    assert written([first, second, third]) == PLAIN


def test_json():
    first, second = read(JSON)
    assert (first.line, first.is_json) == (1, True)
    best, other = first.candidates
    assert (best.text, best.pieces, best.token_scores) == ("Ein Hund.", ("▁Ein", "▁Hund."), (-0.25, -0.5, -0.25))
    assert (other.pieces, other.token_scores, other.further_scores) == (None, None, ())
    assert second.candidates[0].pieces == ()
    assert [json.loads(line) for line in written([first, second])] == [json.loads(line) for line in JSON]


def test_further_scores_are_told_from_the_translation_by_the_first_line():
    lines = ["1 ||| a ||| -0.5000 ||| -7.0000", "2 ||| b ||| 3 ||| -0.5000 ||| -7.0000", "3 |||  ||| 0.0000 ||| 0.0000"]
    candidates = [found.candidates[0] for found in read(lines)]
    assert [(one.text, one.score, one.further_scores) for one in candidates] == [
        ("a", -0.5, (-7.0,)),
        ("b ||| 3", -0.5, (-7.0,)),
        ("", 0.0, (0.0,)),
    ]
    assert written(read(lines)) == lines
    (found,) = read(['{"line": 1, "hypotheses": [{"text": "a", "score": -1, "further_scores": [-2, -3.5]}]}'])
    assert found.candidates[0].further_scores == (-2.0, -3.5)


scores = st.integers(-(10**6), 10**6).map(lambda number: number / 10**4)
texts = st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=12)


@given(st.lists(st.lists(st.tuples(texts, scores), min_size=1, max_size=4), min_size=1, max_size=5), st.booleans())
def test_what_is_written_is_read_again(lists, is_json):
    """Any translations, as long as the first one does not end like a score."""
    lists[0].insert(0, ("Ja.", -1.0))
    expected = [
        NBest(line=line, candidates=tuple(Candidate(text=text, score=score) for text, score in found), is_json=is_json)
        for line, found in enumerate(lists, start=1)
    ]
    assert read(written(expected)) == expected


def test_one_list_after_the_other_is_read():
    lines = iter([*PLAIN[:3], "broken"])
    found = read_n_best(lines, origin="x")
    assert next(found).line == 1
    assert list(lines) == ["broken"]  # only the line that shows where the first list ends was read


def test_an_empty_list_is_empty():
    assert read([]) == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["Ein Hund."], "list.txt, line 1: 'Ein Hund.' is not LINE ||| TRANSLATION ||| SCORE. mt-translate --n-best N"),
        ([PLAIN[0], ""], "list.txt, line 2: '' is not LINE"),
        ([PLAIN[0], "1 ||| x"], "list.txt, line 2: '1 ||| x' is not LINE"),
        (["one ||| x ||| -1"], "line 1: 'one ||| x ||| -1' is not"),
        (["1 ||| x ||| good"], "line 1: '1 ||| x ||| good' is not"),
        (["1 ||| x ||| nan"], "line 1: '1 ||| x ||| nan' is not"),
        (
            ["1 ||| a ||| -1 ||| -2", "1 ||| b ||| -1"],
            "line 2: '1 ||| b ||| -1' is not LINE ||| TRANSLATION ||| SCORE ||| F",
        ),
        (["9" * 90], f"'{'9' * 60}...' is not"),
        (
            PLAIN[2:],
            "list.txt, line 1: the hypotheses of line 2 of the source come first, and those of line 1 are missing",
        ),
        (["0 ||| x ||| -1"], "the hypotheses of line 0 of the source come first"),
        (
            [*PLAIN[:2], PLAIN[3]],
            "line 3: the hypotheses of line 3 of the source follow those of line 1, and those of line 2",
        ),
        ([PLAIN[0], PLAIN[2], PLAIN[1]], "line 3: the hypotheses of line 1 of the source follow those of line 2"),
        ([JSON[0], "{"], "list.txt, line 2 is not JSON: Expecting property name"),
        ([JSON[0], PLAIN[2]], "list.txt, line 2 is not JSON"),
        (
            ["{}"],
            'list.txt, line 1 is not {"line": ..., "hypotheses": [{"text": ..., "score": ...}, ...]}. mt-translate',
        ),
        (['{"line": 1, "hypotheses": [{"text": "x"}]}'], "line 1 is not {"),
        (['{"line": 1, "hypotheses": 3}'], "line 1 is not {"),
        (['{"line": 1, "hypotheses": ["x"]}'], "line 1 is not {"),
        (['{"line": "1", "hypotheses": [{"text": "x", "score": 1}]}'], "\"line\" must be a whole number, not '1'"),
        (['{"line": 1, "hypotheses": []}'], "line 1: there are no hypotheses of line 1 of the source"),
        (['{"line": 1, "hypotheses": [{"text": "x", "score": NaN}]}'], "scores must be finite numbers, not nan"),
        (['{"line": 1, "hypotheses": [{"text": "x", "score": true}]}'], "scores must be finite numbers, not True"),
        (['{"line": 1, "hypotheses": [{"text": 5, "score": 1}]}'], "texts and pieces must be strings, not 5"),
        ([JSON[1]], "line 1: the hypotheses of line 2 of the source come first"),
    ],
)
def test_what_is_wrong(lines, message):
    with pytest.raises(DataError) as caught:
        read(lines)
    assert message in str(caught.value)
