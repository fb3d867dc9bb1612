"""Scores of word alignments against gold ones: precision, recall and alignment error rate."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mt.errors import DataError, EvaluationError
from mt.text.alignment import Link

__all__ = ["AlignmentScore", "GoldAlignment", "alignment_error_rate", "read_gold_alignments"]

GOLD_PAIR = re.compile(r"([0-9]+)([-?p])([0-9]+)")


@dataclass(frozen=True)
class AlignmentScore:
    """How well links agree with gold ones, summed over a corpus, in percent."""

    precision: float
    """Share of the links that are possible ones; 0 where there are no links."""
    recall: float
    """Share of the sure links that were found; 0 where there are none to find."""
    aer: float
    """Alignment error rate: 0 where every sure link and nothing but possible ones was found."""


class GoldAlignment(NamedTuple):
    """Links that an annotator made in one sentence."""

    sure: list[Link]
    possible: list[Link]
    """Those that need not be found, but may: without the sure ones."""


def alignment_error_rate(
    hypotheses: Sequence[Iterable[Link]],
    sure: Sequence[Iterable[Link]],
    possible: Sequence[Iterable[Link]] | None = None,
) -> AlignmentScore:
    """Compare links A with sure links S and possible links P, which include the sure ones.

    precision = |A ∩ P| / |A|,  recall = |A ∩ S| / |S|,  AER = 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|)
    (Och and Ney 2003, section 5). Without possible links AER is 1 - F1.

    Args:
        hypotheses: the links of each sentence.
        sure: the gold links of each sentence.
        possible: the gold links of each sentence that need not be found; sure ones are added to them.

    Raises:
        EvaluationError: the numbers of sentences differ, or there are no links on either side.
    """
    possible = sure if possible is None else possible
    if not len(hypotheses) == len(sure) == len(possible):
        raise EvaluationError(
            f"There are alignments of {len(hypotheses)} sentences, but gold ones of {len(sure)} (sure) and "
            f"{len(possible)} (possible); item n of one must belong to item n of the other."
        )
    found = wanted = found_sure = found_possible = 0
    for links, sure_links, possible_links in zip(map(set, hypotheses), map(set, sure), map(set, possible), strict=True):
        found += len(links)
        wanted += len(sure_links)
        found_sure += len(links & sure_links)
        found_possible += len(links & (possible_links | sure_links))
    if not found + wanted:
        raise EvaluationError("There is nothing to score: neither the alignments nor the gold ones have any links.")
    return AlignmentScore(
        precision=100 * found_possible / max(found, 1),
        recall=100 * found_sure / max(wanted, 1),
        aer=100 * (1 - (found_sure + found_possible) / (found + wanted)),
    )


def read_gold_alignments(lines: Iterable[str], *, name: str) -> Iterator[GoldAlignment]:
    """Yield the gold links of each line: `0-0` is a sure one, `1?2` or `1p2` a possible one.

    Args:
        lines: in Pharaoh format with these marks.
        name: what the file is called in the error.

    Raises:
        DataError: something else is in a line, which is named.
    """
    for number, line in enumerate(lines, start=1):
        gold = GoldAlignment([], [])
        for text in line.split():
            pair = GOLD_PAIR.fullmatch(text)
            if not pair:
                raise DataError(
                    f"{name}, line {number}: {text!r} is no link. Expected pairs of word numbers from 0, "
                    "source-target, as in '0-0 1-2', or '1?2' where the link is only possible"
                )
            links = gold.sure if pair[2] == "-" else gold.possible
            links.append((int(pair[1]), int(pair[3])))
        yield gold
