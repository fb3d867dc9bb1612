"""What contenders translated in their turns, and the figures of it."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mt.evaluation.metrics import score_corpus
from mtbench.results import PEERS, Columns, Record

__all__ = ["COLUMNS", "Turn", "length_warnings", "summarise"]

UNLIKE = 0.25  # of the references' length, by which translations may be longer or shorter

COLUMNS: Columns = {
    "contender": ("", 1, ""),
    "beam": ("beam", 1, ".0f"),
    "batch": ("batch", 1, ".0f"),
    "sentences_per_second": ("sentences/s", 1, ",.1f"),
    "tokens_per_second": ("tokens/s", 1, ",.0f"),
    "ratio_to_joeynmt": ("/ Joey NMT", 1, ".2f"),
    "ratio_to_opennmt": ("/ Open NMT", 1, ".2f"),
    "p50_ms": ("p50 ms", 1, ".1f"),
    "p95_ms": ("p95 ms", 1, ".1f"),
    "bleu": ("BLEU", 1, ".2f"),
    "mean_tokens": ("tokens /sentence", 1, ".1f"),
    "matmul_share": ("matmul share", 1, ".1%"),
}


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a contender translated in one turn: its share of the sentences, one or more times over."""

    translations: Mapping[int, str]
    """By the place of the sentence in the whole."""
    tokens: int
    """Of these translations, EOS of each counted."""
    passes: int
    """How many times over."""
    seconds: float
    """For all passes."""
    latencies: Sequence[float]
    """Seconds for each sentence in each pass; empty where they are translated together."""
    multiply_adds: float
    """For all passes; 0 where they are not counted."""
    matmul_rate: float
    """Multiply-adds per second of large float32 matrix products, just before and just after."""
    peak_memory: int
    """Bytes, since the process began."""
    parameters: int
    threads: int

    @property
    def sentences_per_second(self) -> float:
        """Return the speed."""
        return self.passes * len(self.translations) / self.seconds

    @property
    def tokens_per_second(self) -> float:
        """Return the speed in tokens that were written."""
        return self.passes * self.tokens / self.seconds

    @property
    def matmul_share(self) -> float:
        """Return the multiply-adds per second as a share of those of large float32 matrix products."""
        return self.multiply_adds / self.seconds / self.matmul_rate


def summarise(
    name: str, turns: Sequence[Turn], rivals: Mapping[str, Sequence[Turn]], references: Sequence[str], **more: Any
) -> Record:
    """Return medians over the rounds, ratios within each of them, and BLEU and percentiles over all sentences together.

    Args:
        name: of contender and setting.
        turns: one a round, each with another share of the sentences.
        rivals: the turns of the peers by name, with the same shares in the same rounds.
        references: of all sentences.
        more: entries of the record.
    """
    translations = {place: text for turn in turns for place, text in turn.translations.items()}
    places = sorted(translations)
    (bleu,) = score_corpus(
        [translations[place] for place in places], [references[place] for place in places], metrics=["bleu"]
    )
    latencies = [1000 * seconds for turn in turns for seconds in turn.latencies]
    p50, p95 = np.percentile(latencies, [50, 95]).tolist() if latencies else (None, None)
    multiply_adds = sum(turn.multiply_adds for turn in turns)
    return {
        "name": name,
        "sentences_per_second": statistics.median(turn.sentences_per_second for turn in turns),
        "p50_ms": p50,
        "p95_ms": p95,
        **{f"ratio_to_{peer}": _ratio(turns, rivals.get(peer, ()), "sentences_per_second") for peer in PEERS},
        "bleu": bleu.score,
        **more,
        "tokens_per_second": statistics.median(turn.tokens_per_second for turn in turns),
        **{f"token_ratio_to_{peer}": _ratio(turns, rivals.get(peer, ()), "tokens_per_second") for peer in PEERS},
        "mean_tokens": sum(turn.tokens for turn in turns) / len(places),
        "matmul_share": statistics.median(turn.matmul_share for turn in turns) if multiply_adds else None,
        "macs_per_token": multiply_adds / sum(turn.passes * turn.tokens for turn in turns) if multiply_adds else None,
        "matmul_rate": statistics.median(turn.matmul_rate for turn in turns),
        "parameters": turns[-1].parameters,
        "peak_memory_mb": max(turn.peak_memory for turn in turns) / 1e6,
        "sentences": len(places),
        "sentences_per_second_by_round": [turn.sentences_per_second for turn in turns],
        "bleu_signature": bleu.signature,
        "threads": turns[-1].threads,
    }


def length_warnings(records: Sequence[Record], reference_tokens: float) -> list[str]:
    """Say whose sentences per second compare other work. Args: reference_tokens: of a sentence on average."""
    return [
        f"{record['name']} writes {record['mean_tokens']:.1f} tokens a sentence, the references have "
        f"{reference_tokens:.1f}: compare tokens per second (token_ratio_to_*), or train it longer"
        for record in records
        if abs(record["mean_tokens"] / reference_tokens - 1) > UNLIKE
    ]


def _ratio(turns: Sequence[Turn], theirs: Sequence[Turn], speed: str) -> float | None:
    """Return the median of the ratios within each round, since the machine's speed drifts."""
    pairs = zip(turns, theirs, strict=False)  # the last round may have been broken off
    ratios = [getattr(ours, speed) / getattr(other, speed) for ours, other in pairs]
    return statistics.median(ratios) if ratios else None
