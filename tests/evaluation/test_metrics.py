"""The scores are sacrebleu's own, and incomparable text is called so."""

import re

import pytest
import sacrebleu

from mt.errors import EvaluationError
from mt.evaluation.metrics import METRICS, score_corpus, sentence_bleu, text_warnings

REFERENCES = [
    "Der alte Hund schläft im Garten.",
    "Gestern kaufte die Lehrerin drei Bücher, weil sie gern liest.",
    "Kannst du mir helfen?",
]
HYPOTHESES = [
    "Der alte Hund schläft in dem Garten.",
    "Gestern hat die Lehrerin drei Bücher gekauft, weil sie gern liest.",
    "Kannst du mir helfen?",
]


def test_scores_equal_sacrebleu() -> None:
    bleu, chrf, ter = score_corpus(HYPOTHESES, REFERENCES)
    assert bleu.score == sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES]).score
    assert chrf.score == sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score
    assert ter.score == sacrebleu.corpus_ter(HYPOTHESES, [REFERENCES]).score
    assert 30 < bleu.score < 99  # far from the ends, so that the equalities above mean something


def test_signatures_say_how() -> None:
    bleu, chrf, ter = score_corpus(HYPOTHESES, REFERENCES)
    version = f"version:{sacrebleu.__version__}"
    assert bleu.signature == f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|{version}"
    assert chrf.signature == f"nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|{version}"
    assert ter.signature == f"nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|{version}"


def test_scores_come_in_the_order_asked_for() -> None:
    assert [score.name for score in score_corpus(HYPOTHESES, REFERENCES)] == list(METRICS)
    assert [score.name for score in score_corpus(HYPOTHESES, REFERENCES, metrics=["ter", "bleu"])] == ["ter", "bleu"]


def test_sentences_equal_sacrebleu() -> None:
    expected = [
        sacrebleu.sentence_bleu(hypothesis, [reference]).score
        for hypothesis, reference in zip(HYPOTHESES, REFERENCES, strict=True)
    ]
    assert sentence_bleu(HYPOTHESES, REFERENCES) == expected
    assert expected[2] == pytest.approx(100)
    assert sentence_bleu([""], REFERENCES[:1]) == [0]


def test_perfect_translations() -> None:
    assert [score.score for score in score_corpus(REFERENCES, REFERENCES)] == pytest.approx([100, 100, 0])


def test_empty_hypotheses_are_scored() -> None:
    assert [score.score for score in score_corpus(["", "", ""], REFERENCES)] == [0, 0, 100]


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(EvaluationError, match=r"no metric 'blue'\. Did you mean 'bleu'\? Valid: bleu, chrf, ter"):
        score_corpus(HYPOTHESES, REFERENCES, metrics=["blue"])


def test_different_lengths_name_both_counts() -> None:
    with pytest.raises(EvaluationError, match="There are 2 hypotheses but 3 references"):
        score_corpus(HYPOTHESES[:2], REFERENCES)


def test_nothing_to_score() -> None:
    with pytest.raises(EvaluationError, match="nothing to score"):
        score_corpus([], [])


def test_sacrebleu_does_not_warn_a_second_time(caplog: pytest.LogCaptureFixture) -> None:
    tokenized = ["Der Hund schläft ."] * 200
    score_corpus(tokenized, tokenized, metrics=["bleu"])
    assert caplog.text == ""


def test_raw_text_gives_no_warning() -> None:
    assert text_warnings(HYPOTHESES, REFERENCES) == []


@pytest.mark.parametrize(
    ("line", "trace"),
    [
        ("Der alte Hund schläft , glaube ich .", "a space before '.' or ','"),
        ("Das ist Annas &apos;Hund&apos;.", "'&apos;'"),
        ("Der Hund schlä@@ ft im Gar@@ ten.", "'@@'"),
        ("Der Nord @-@ Süd @-@ Weg ist lang.", "'@-@'"),
        ("▁Der ▁Hund ▁schläft.", "'▁'"),
    ],
)
def test_tokenized_text_is_noticed(line: str, trace: str) -> None:
    (warning,) = text_warnings([line, "Kannst du mir helfen?"], ["Ein Satz.", "Noch einer."])
    assert re.match(f"The hypotheses look tokenised: {re.escape(trace)}.* on 1 of 2 lines", warning)
    assert "cannot be compared" in warning
    (warning,) = text_warnings(["Ein Satz.", "Noch einer."], [line, "Kannst du mir helfen?"])
    assert warning.startswith("The references look tokenised")


def test_an_accident_among_many_lines_is_no_tokenization() -> None:
    lines = ["Der Hund schläft."] * 500
    assert text_warnings([*lines, "Der Hund schläft ."], [*lines, "A &quot;dog&quot;."]) == []


def test_french_spacing_is_no_tokenization() -> None:
    lines = ["Où vas-tu ?", "Attention : un chien !", "Attendez ... il dort."]
    assert text_warnings(lines, lines) == []


def test_lowercased_text_is_noticed() -> None:
    (warning,) = text_warnings([line.lower() for line in HYPOTHESES], REFERENCES)
    assert warning.startswith("The hypotheses look lower-cased")
    (warning,) = text_warnings(HYPOTHESES, [line.lower() for line in REFERENCES])
    assert warning.startswith("The references look lower-cased")


def test_a_script_without_case_is_not_lowercased() -> None:
    assert text_warnings(["猫は眠る。"], ["犬は眠る。"]) == []
