"""Choosing among the hypotheses of a sentence by something other than the score that search gave them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mt.errors import EvaluationError, did_you_mean
from mt.evaluation.n_best import Candidate

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

__all__ = [
    "POSTERIORS",
    "UTILITIES",
    "check_names",
    "expected_utilities",
    "pairwise_utilities",
    "posteriors",
    "reranked",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

POSTERIORS = ("softmax", "uniform")


def reranked(candidates: Sequence[Candidate], scores: Sequence[float]) -> list[Candidate]:
    """Return candidates with new scores in the place of all old ones, best first; with equal scores, in the old order."""
    judged = [replace(one, score=score, further_scores=()) for one, score in zip(candidates, scores, strict=True)]
    return sorted(judged, key=lambda one: -one.score)


def check_names(*, utility: str = "chrf", posterior: str = "softmax") -> None:
    """Raise an EvaluationError if one of them is no name of `UTILITIES` or `POSTERIORS`."""
    if utility not in UTILITIES:
        raise EvaluationError(f"There is no utility {utility!r}. {did_you_mean(utility, UTILITIES)}")
    if posterior not in POSTERIORS:
        raise EvaluationError(f"There is no posterior {posterior!r}. {did_you_mean(posterior, POSTERIORS)}")


def expected_utilities(
    texts: Sequence[str], scores: Sequence[float], *, utility: str = "chrf", posterior: str = "softmax"
) -> list[float]:
    """Return what minimum Bayes risk decoding ranks the hypotheses of one sentence by (Kumar and Byrne 2004, equation 5).

    The hypotheses are also the pseudo-references: sum over r of p(r) * utility(hypothesis, r).

    Args:
        texts: hypotheses; equal ones count as often as they occur.
        scores: log-probabilities or what stands for them, nats.
        utility: a name in `UTILITIES`.
        posterior: a name in `POSTERIORS`; "softmax" weighs pseudo-references by their scores, as for n-best lists of a
            beam search (Kumar and Byrne 2004), "uniform" equally, as for samples (Eikema and Aziz 2020).

    Returns:
        Expected utilities, from 0 to 100.

    Raises:
        EvaluationError: if there is no such utility or posterior.
    """
    expected: list[float] = (pairwise_utilities(texts, utility=utility) @ posteriors(scores, posterior)).tolist()
    return expected


def posteriors(scores: Sequence[float], posterior: str) -> Floats:
    """Return the probability of each of N hypotheses given that it is one of them, [N]; see `expected_utilities`."""
    check_names(posterior=posterior)
    if posterior == "uniform":
        return np.full(len(scores), 1 / len(scores))
    odds = np.exp(np.asarray(scores) - max(scores))
    return np.asarray(odds / odds.sum())


def pairwise_utilities(texts: Sequence[str], *, utility: str = "chrf") -> Floats:
    """Compare each of N hypotheses, as row, with each as reference, [N, N], as sacrebleu's `sentence_score` does.

    sacrebleu would cut both sides of every pair into n-grams: here each hypothesis is cut once, and the n-grams that
    two have in common are counted for all pairs in one operation.

    Args:
        texts: hypotheses.
        utility: chrf, or bleu with effective order, which sacrebleu advises for sentences; both from 0 to 100.

    Raises:
        EvaluationError: if there is no such utility.
    """
    check_names(utility=utility)
    return UTILITIES[utility](texts)


def _pairwise_chrf(texts: Sequence[str]) -> Floats:
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.metrics.helpers import extract_all_char_ngrams

    metric = CHRF()
    matches, totals = _counted([[*extract_all_char_ngrams(text, metric.char_order)] for text in texts])

    def statistics(hypothesis: int, reference: int) -> list[int]:
        real = totals[reference] > 0  # as sacrebleu has it, an order counts only where the reference has n-grams of it
        counts = [totals[hypothesis] * real, totals[reference], matches[hypothesis, reference]]
        return [int(count) for order in zip(*counts, strict=True) for count in order]

    return _scored(metric, len(texts), statistics)


def _pairwise_bleu(texts: Sequence[str]) -> Floats:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.helpers import extract_all_word_ngrams

    metric = BLEU(effective_order=True)
    orders = range(1, metric.max_ngram_order + 1)
    tokenized = [metric.tokenizer(text.rstrip()) for text in texts]
    matches, totals = _counted([[extract_all_word_ngrams(text, n, n)[0] for n in orders] for text in tokenized])

    def statistics(hypothesis: int, reference: int) -> list[int]:
        lengths = totals[[hypothesis, reference], 0]
        return [int(x) for part in (lengths, matches[hypothesis, reference], totals[hypothesis]) for x in part]

    return _scored(metric, len(texts), statistics)


def _counted(ngrams: list[list[Mapping[Any, int]]]) -> tuple[Counts, Counts]:
    """Count n-grams, given with their frequencies for each of N texts and each order.

    Returns:
        how many each two texts have in common, [N, N, orders]; how many each text has, [N, orders].
    """
    matches, totals = [], []
    for order in zip(*ngrams, strict=True):
        places: dict[Any, int] = {}
        rows = [[places.setdefault(ngram, len(places)) for ngram in counts] for counts in order]
        table = np.zeros((len(order), len(places)), dtype=np.int64)
        for row, (columns, counts) in enumerate(zip(rows, order, strict=True)):
            table[row, columns] = list(counts.values())
        matches.append([np.minimum(row, table).sum(axis=1) for row in table])
        totals.append(table.sum(axis=1))
    return np.stack(matches, axis=-1), np.stack(totals, axis=-1)


def _scored(metric: "Metric", count: int, statistics: Callable[[int, int], list[int]]) -> Floats:
    pairs = [[statistics(hypothesis, reference) for reference in range(count)] for hypothesis in range(count)]
    # what sacrebleu's own significance tests call on the statistics of their samples
    return np.array([[metric._compute_score_from_stats(one).score for one in row] for row in pairs])


UTILITIES: dict[str, Callable[[Sequence[str]], Floats]] = {"chrf": _pairwise_chrf, "bleu": _pairwise_bleu}
"""What `pairwise_utilities` can compare by."""
