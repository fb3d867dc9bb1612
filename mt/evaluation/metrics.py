"""Corpus scores with their sacrebleu signatures, and warnings about text that makes them incomparable."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from mt.errors import EvaluationError, did_you_mean

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

__all__ = [
    "METRICS",
    "VALIDATION_BLEU",
    "MetricScore",
    "check_metrics",
    "score_corpus",
    "sentence_bleu",
    "text_warnings",
]

METRICS = ("bleu", "chrf", "ter")
VALIDATION_BLEU = "validation/bleu"
"""The name under which a training logs what chooses checkpoints, steers the plateau schedule and stops early."""

SPACED_PUNCTUATION = re.compile(r"\S [.,](?= |$)")
ANY_PUNCTUATION = re.compile(r"[.,](?= |$)")
TRACES_OF_TOKENIZERS = {
    "'&apos;' or '&quot;'": re.compile("&(?:apos|quot);"),  # Moses
    "'@@'": re.compile(r"@@(?: |$)"),  # subword-nmt
    "'@-@'": re.compile(" @-@ "),  # Moses, aggressive hyphen splitting
    "'▁'": re.compile("▁"),  # SentencePiece
}
TRACE_SHARE = 0.01  # of the lines: raw text from the web holds a few by accident


@dataclass(frozen=True)
class MetricScore:
    """One corpus score: its metric, its value as sacrebleu prints it, and how it was computed."""

    name: str
    score: float
    signature: str


def check_metrics(metrics: Sequence[str]) -> None:
    """Raise an EvaluationError if a name is not one of `METRICS`."""
    for name in metrics:
        if name not in METRICS:
            raise EvaluationError(f"There is no metric {name!r}. {did_you_mean(name, METRICS)}")


def score_corpus(
    hypotheses: Sequence[str], references: Sequence[str], *, metrics: Sequence[str] = METRICS
) -> list[MetricScore]:
    """Score raw hypotheses against one raw reference each, with sacrebleu's default settings.

    Args:
        hypotheses: one translation per sentence
        references: as many lines, in the same order
        metrics: names out of `METRICS`; the scores come in this order

    Raises:
        EvaluationError: a metric is unknown, the two sides differ in length, or there is nothing to score.
    """
    check_metrics(metrics)
    if len(hypotheses) != len(references):
        raise EvaluationError(
            f"There are {len(hypotheses)} hypotheses but {len(references)} references; line n of one must belong to "
            "line n of the other."
        )
    if not hypotheses:
        raise EvaluationError("There is nothing to score: hypotheses and references are empty.")

    scores = []
    for name in metrics:
        metric = _new_metric(name)
        score = metric.corpus_score(hypotheses, [references]).score
        scores.append(MetricScore(name, float(score), str(metric.get_signature())))
    return scores


def sentence_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> list[float]:
    """Score each raw hypothesis against its reference, from 0 to 100, with the effective order that sacrebleu advises."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(effective_order=True)
    return [
        metric.sentence_score(hypothesis, [reference]).score
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    ]


def text_warnings(hypotheses: Sequence[str], references: Sequence[str]) -> list[str]:
    """Say for which side, and why, a score of these texts could not be compared with published ones."""
    warnings = []
    for side, lines in (("hypotheses", hypotheses), ("references", references)):
        if traces := _traces_of_tokenization(lines):
            warnings.append(
                f"The {side} look tokenised: {traces}. sacrebleu tokenises raw text itself, so that scores of "
                "tokenised text cannot be compared with other people's. Detokenise first."
            )
        if _looks_lowercased(lines):
            warnings.append(
                f"The {side} look lower-cased: they hold no upper-case letter. BLEU and chrF are case-sensitive, so that "
                "scores of lower-cased text cannot be compared with other people's. Restore the case first."
            )
    return warnings


def _new_metric(name: str) -> "Metric":
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.ter import TER

    match name:
        case "bleu":
            return BLEU(force=True)  # without sacrebleu's own remark on tokenised text: see `text_warnings`
        case "chrf":
            return CHRF()
        case _:
            return TER()


def _traces_of_tokenization(lines: Sequence[str]) -> str:
    """Name what gives tokenised text away and on how many lines, or return an empty string."""
    enough = max(1, ceil(TRACE_SHARE * len(lines)))
    for name, pattern in TRACES_OF_TOKENIZERS.items():
        count = sum(1 for line in lines if pattern.search(line))
        if count >= enough:
            return f"{name} on {count} of {len(lines)} lines"
    spaced = sum(1 for line in lines if SPACED_PUNCTUATION.search(line))
    punctuated = sum(1 for line in lines if ANY_PUNCTUATION.search(line))
    if 2 * spaced > punctuated:
        return f"a space before '.' or ',' on {spaced} of {len(lines)} lines"
    return ""


def _looks_lowercased(lines: Sequence[str]) -> bool:
    return all(line == line.lower() for line in lines) and any(line != line.upper() for line in lines)
