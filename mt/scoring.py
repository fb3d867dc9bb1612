"""How likely a model holds given translations to be: forced decoding of sentence pairs, in order, in constant memory."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from mt.errors import DataError, ModelFolderError
from mt.model_folder import LoadedModel, load_model
from mt.search import Ranking
from mt.text.padding import padded_sources, padded_targets
from mt.text.symbols import BOS, EOS, PAD
from mt.torch_model import pick_device
from mt.translator import MAX_SOURCE_PIECES
from mt.windows import WINDOW, token_batches

__all__ = ["MAX_TARGET_PIECES", "Score", "Scorer"]

MAX_TARGET_PIECES = 2 * MAX_SOURCE_PIECES + 21  # the longest that search can find

logger = logging.getLogger(__name__)

Target = TypeVar("Target")
Ids = list[int]


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a model says about one translation of one sentence."""

    ids: tuple[int, ...]
    """Target token ids without BOS and EOS."""
    token_scores: tuple[float, ...]
    """Log-probability of each token and of EOS, given the source and the tokens before it, nats."""
    pieces: tuple[str, ...]
    """One SentencePiece piece per id."""
    source_pieces: tuple[str, ...]
    """Pieces of the source sentence."""
    attention: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    """[len(ids) + 1, source tokens + 1], if asked for: where the model looked; the last of both is EOS."""

    @property
    def total(self) -> float:
        """Log-probability of the translation, nats."""
        return math.fsum(self.token_scores)

    @property
    def tokens(self) -> int:
        """How many tokens were scored, EOS included."""
        return len(self.token_scores)

    def normalised(self, ranking: Ranking) -> float:
        """Return what search ranks the translation by; a coverage penalty counts only where attention was kept."""
        coverage = None if self.attention is None else self.attention.sum(0)
        return ranking.score(self.total, self.tokens, coverage) if self.tokens else 0.0


class Scorer:
    """A trained model that judges translations.

    ```python
    scorer = Scorer.from_folder("runs/quickstart/model")
    (score,) = scorer.score([("The old dog sleeps.", "Der alte Hund schläft.")])
    print(score.total, score.token_scores)
    ```

    Args:
        loaded: what `load_model` returned.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.model = loaded.model
        self.tokenizers = loaded.tokenizers
        self.decoding = loaded.decoding
        """How this model translates unless told otherwise: the length penalty of its own scores, and batch_tokens."""

    @classmethod
    def from_folder(cls, folder: str | Path, *, device: str = "cpu") -> "Scorer":
        """Load a model folder.

        Raises:
            ModelFolderError: if the folder is missing, incomplete or damaged.
            ConfigError: if there is no such device.
        """
        return cls(load_model(folder, device=pick_device(device)))

    def score(self, pairs: Iterable[tuple[str, str]], *, with_attention: bool = False) -> list[Score]:
        """Score pairs of a sentence and its translation; see `score_stream`."""
        return [*self.score_stream(pairs, with_attention=with_attention)]

    def score_stream(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        batch_tokens: int | None = None,
        window: int = WINDOW,
        with_attention: bool = False,
    ) -> Iterator[Score]:
        """Yield the score of each of any number of pairs of a sentence and its translation, in their order.

        A text is cut by its tokenizer, which need not give the pieces that search found: see `score_ids_stream`. Two
        empty texts have the score that the translator gives to them: 0, without any token. Of a source of more than
        `MAX_SOURCE_PIECES` pieces, and a translation of more than `MAX_TARGET_PIECES`, the rest is cut off, and a
        warning names the line.

        Args:
            pairs: raw text, read `window` at a time.
            batch_tokens: most tokens of either side, padding included, that are scored at once; the model's default
                is what it translates at once.
            window: pairs that are sorted by length together.
            with_attention: whether to keep where the model looked.

        Raises:
            ConfigError: if batch_tokens is out of range.
            ModelFolderError: while scoring, if the model's weights are not finite.
        """
        encode = self.tokenizers.target.encode
        return self._windows(iter(pairs), encode, self._batch_tokens(batch_tokens), window, with_attention)

    def score_ids_stream(
        self,
        pairs: Iterable[tuple[str, Sequence[int]]],
        *,
        batch_tokens: int | None = None,
        window: int = WINDOW,
        with_attention: bool = False,
    ) -> Iterator[Score]:
        """Score translations given as target token ids, such as `Hypothesis.ids`; see `score_stream`.

        Raises:
            DataError: while scoring, if an id is not in the target vocabulary, or is PAD, BOS or EOS.
        """
        return self._windows(iter(pairs), self._checked, self._batch_tokens(batch_tokens), window, with_attention)

    def _checked(self, targets: list[Sequence[int]]) -> list[Ids]:
        for ids in targets:
            for token in ids:
                if not 0 <= token < len(self.tokenizers.target) or token in (PAD, BOS, EOS):
                    raise DataError(
                        f"token id {token} cannot be scored: give ids of the target vocabulary, from 0 to "
                        f"{len(self.tokenizers.target) - 1}, without PAD, BOS and EOS"
                    )
        return [list(ids) for ids in targets]

    def _batch_tokens(self, given: int | None) -> int:
        return self.decoding.batch_tokens if given is None else replace(self.decoding, batch_tokens=given).batch_tokens

    def _windows(
        self,
        pairs: Iterator[tuple[str, Target]],
        encode_targets: Callable[[list[Target]], list[Ids]],
        batch_tokens: int,
        window: int,
        with_attention: bool,
    ) -> Iterator[Score]:
        first = 1
        while part := list(islice(pairs, window)):
            sources = self.tokenizers.source.encode([source for source, _ in part])
            targets = encode_targets([target for _, target in part])
            _cut(sources, MAX_SOURCE_PIECES, "source", first)
            _cut(targets, MAX_TARGET_PIECES, "translation", first)
            yield from self._score_window(sources, targets, batch_tokens, with_attention)
            first += len(part)

    def _score_window(
        self, sources: list[Ids], targets: list[Ids], batch_tokens: int, with_attention: bool
    ) -> list[Score]:
        found = [Score(ids=(), token_scores=(), pieces=(), source_pieces=())] * len(sources)
        longer = [max(len(source), len(target)) for source, target in zip(sources, targets, strict=True)]
        for rows in token_batches(longer, batch_tokens):
            scores = self._score_batch([sources[row] for row in rows], [targets[row] for row in rows], with_attention)
            for row, score in zip(rows, scores, strict=True):
                found[row] = score
        return found

    @torch.inference_mode()
    def _score_batch(self, sources: list[Ids], targets: list[Ids], with_attention: bool) -> list[Score]:
        device = self.model.output.weight.device
        parts = *padded_sources(sources), *padded_targets(targets)
        forced = self.model.forced(*(torch.from_numpy(part).to(device) for part in parts))
        if not forced.log_probs.isfinite().all():
            raise ModelFolderError("the model's weights are not finite numbers: its training has failed")
        log_probs = forced.log_probs.tolist()
        looked = forced.attention.float().cpu().numpy() if with_attention else None
        return [
            Score(
                ids=tuple(target),
                token_scores=tuple(log_probs[row][: len(target) + 1]),
                pieces=tuple(self.tokenizers.target.pieces(target)),
                source_pieces=tuple(self.tokenizers.source.pieces(source)),
                # a copy, for a view would keep the whole batch alive
                attention=None if looked is None else looked[row, : len(target) + 1, : len(source) + 1].copy(),
            )
            for row, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]


def _cut(rows: list[Ids], longest: int, side: str, first: int) -> None:
    """Cut rows to the longest allowed, and warn; first is the number of the line of the first row."""
    for place, ids in enumerate(rows):
        if len(ids) > longest:
            logger.warning(
                "line %d: the %s has %d pieces, and only the first %d are scored",
                first + place,
                side,
                len(ids),
                longest,
            )
            del ids[longest:]
