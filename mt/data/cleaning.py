"""Encoding a corpus and dropping the pairs that nothing can be learnt from: an empty side, or too many pieces."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mt.data.cache import cache_key, quiet_unless_terminal
from mt.errors import ConfigError, DataError
from mt.text.symbols import UNK
from mt.text.tokenizer import Tokenizer, TokenizerPair

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["CleaningReport", "encode_and_clean"]

KEPT, EMPTY_SOURCE, EMPTY_TARGET, TOO_LONG = range(4)
VERDICT = "verdict"  # a column while cleaning: kept in the cached file, so that a report can be made from it again

# A text of more characters than this for each allowed piece is too long without being encoded: one line of a megabyte,
# as broken corpora have them, would cost more than a thousand others.
MAX_CHARACTERS_PER_PIECE = 100


@dataclass(frozen=True)
class CleaningReport:
    """How many pairs there were, and how many were dropped for which reason; each pair is counted once.

    `str()` gives it as one line for people.
    """

    pairs: int
    empty_source: int
    empty_target: int
    too_long: int
    max_length: int
    """Most pieces that either side may have, EOS not counted."""

    @property
    def kept(self) -> int:
        """Number of pairs that are left."""
        return self.pairs - self.empty_source - self.empty_target - self.too_long

    def __str__(self) -> str:
        reasons = (
            (self.empty_source, "with an empty source"),
            (self.empty_target, "with an empty target"),
            (self.too_long, f"longer than {self.max_length:,} pieces"),
        )
        dropped = ", ".join(f"{count:,} {reason}" for count, reason in reasons if count)
        return f"{self.pairs:,} pairs: " + (f"kept {self.kept:,}; dropped {dropped}" if dropped else "kept all")


def encode_and_clean(
    corpus: "Dataset", tokenizers: TokenizerPair, *, max_length: int
) -> tuple["Dataset", CleaningReport]:
    """Add the token ids of both sides, without BOS and EOS, and drop pairs that are empty or too long.

    Args:
        corpus: columns `source`, `target` and `line`, see `mt.data.sources`
        tokenizers: SentencePiece for both sides
        max_length: most pieces of either side, EOS not counted

    Returns:
        the pairs that are left, with the columns `src` and `tgt` (lists of int32) added, stored in one piece (no index
        mapping); and what was dropped. Both come out of the cache when nothing has changed.

    Raises:
        ConfigError: `max_length` is below 1
        DataError: nothing is left
    """
    if max_length < 1:
        raise ConfigError(f"max_length: must be at least 1 piece, got {max_length}")
    from datasets import Features, List, Value

    # Our own fingerprints: those of `datasets` would pickle and hash both SentencePiece models.
    key = cache_key(corpus._fingerprint, tokenizers.fingerprint, max_length, files=[Path(__file__)])
    ids = List(Value("int32"))
    with quiet_unless_terminal():
        encoded = corpus.map(
            _encode_batch,
            batched=True,
            features=Features({**corpus.features, "src": ids, "tgt": ids, VERDICT: Value("int8")}),
            fn_kwargs={"tokenizers": tokenizers, "max_length": max_length},
            new_fingerprint=key,
            desc="encoding",
        )
        verdicts = encoded.data.column(VERDICT).to_numpy()
        counts = np.bincount(verdicts, minlength=4).tolist()
        report = CleaningReport(
            pairs=len(encoded),
            empty_source=counts[EMPTY_SOURCE],
            empty_target=counts[EMPTY_TARGET],
            too_long=counts[TOO_LONG],
            max_length=max_length,
        )
        if not report.kept:
            raise DataError(f"nothing of the corpus is left to use: {report}")
        if report.kept < report.pairs:
            chosen = encoded.select(np.flatnonzero(verdicts == KEPT))
            encoded = chosen.flatten_indices(new_fingerprint=cache_key(key, "kept", files=[]))
    return encoded.remove_columns(VERDICT), report


def _encode_batch(
    batch: dict[str, list[str]], tokenizers: TokenizerPair, max_length: int
) -> dict[str, list[int] | list[list[int]]]:
    src = _encode(batch["source"], tokenizers.source, max_length)
    tgt = _encode(batch["target"], tokenizers.target, max_length)
    return {"src": src, "tgt": tgt, VERDICT: [_judge(*ids, max_length) for ids in zip(src, tgt, strict=True)]}


def _encode(texts: list[str], tokenizer: Tokenizer, max_length: int) -> list[list[int]]:
    most_characters = MAX_CHARACTERS_PER_PIECE * max_length
    too_long = [UNK] * (max_length + 1)  # stands for a text that is not worth encoding; its pair is dropped
    ids = tokenizer.encode([text if len(text) <= most_characters else "" for text in texts])
    return [
        too_long if len(text) > most_characters and not text.isspace() else row
        for text, row in zip(texts, ids, strict=True)
    ]


def _judge(src: list[int], tgt: list[int], max_length: int) -> int:
    if not src:
        return EMPTY_SOURCE
    if not tgt:
        return EMPTY_TARGET
    return TOO_LONG if max(len(src), len(tgt)) > max_length else KEPT
