"""Paragraphs translated sentence by sentence."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

from mt.request import Request
from mt.search import Hypothesis
from mt.text.sentences import split_sentences

__all__ = ["StreamTranslator", "translate_paragraphs"]


class StreamTranslator(Protocol):
    """`mt.translator.Translator` and its like."""

    def translate_n_best(
        self, lines: Iterable[str | Request], *, n_best: int, **changes: Any
    ) -> Iterator[list[Hypothesis]]:
        """See `mt.translator.Translator.translate_n_best`."""
        ...


def translate_paragraphs(
    translator: StreamTranslator, paragraphs: Iterable[str], *, language: str, **changes: Any
) -> Iterator[list[Hypothesis]]:
    """Yield for each paragraph the best hypotheses of its sentences, in order and constant memory.

    Args:
        translator: of sentences.
        paragraphs: raw text, any number of sentences each.
        language: see `split_sentences`.
        changes: see `Translator.translate_n_best`.
    """
    counts: deque[int] = deque()

    def sentences() -> Iterator[str]:
        for paragraph in paragraphs:
            parts = split_sentences(paragraph, language) or [""]
            counts.append(len(parts))
            yield from parts

    best = (found[0] for found in translator.translate_n_best(sentences(), n_best=1, **changes))
    for first in best:
        yield [first, *islice(best, counts.popleft() - 1)]
