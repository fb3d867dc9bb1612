"""Hypotheses as the lines of output that answer a line of input."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mt.search import Hypothesis

__all__ = ["alignment", "formatted"]


def formatted(number: int, hypotheses: "list[Hypothesis]", *, as_json: bool, n_best: int) -> Iterator[str]:
    """Yield the lines of output for one line of input; several hypotheses without n_best are those of sentences."""
    if as_json:
        yield json.dumps({"line": number, "hypotheses": [_plain(one) for one in hypotheses]}, ensure_ascii=False)
    elif n_best == 1:
        yield " ".join(one.text for one in hypotheses)
    else:
        for one in hypotheses:
            yield f"{number} ||| {one.text} ||| {one.score:.4f}"


def _plain(hypothesis: "Hypothesis") -> dict[str, Any]:
    return {
        "text": hypothesis.text,
        "score": round(hypothesis.score, 6),
        "pieces": hypothesis.pieces,
        "token_scores": [round(score, 6) for score in hypothesis.token_scores],
        "alignment": alignment(hypothesis),
    }


def alignment(hypothesis: "Hypothesis") -> str:
    """Return which words come from which, in Pharaoh format."""
    from mt.text.alignment import format_pharaoh, word_alignment

    if not hypothesis.pieces:
        return ""
    return format_pharaoh(word_alignment(hypothesis.attention, hypothesis.source_pieces, hypothesis.pieces))
