"""Batches by tokens: which rows go together, in which order, and how they become tensors."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from datasets import Dataset as Corpus
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from mt.errors import DataError
from mt.text.padding import padded_sources, padded_targets
from mt.text.tokenizer import Tokenizer, TokenizerPair

__all__ = [
    "Batch",
    "BatchPlan",
    "EncodedPairs",
    "ResumableLoader",
    "SubwordSampling",
    "TokenBatchLoader",
    "TokenBatches",
]


class Batch(NamedTuple):
    """A batch of sentence pairs, padded."""

    src: Tensor  # token ids with EOS, [B, S]
    src_lengths: Tensor  # [B]
    tgt_in: Tensor  # BOS and the target, [B, T]
    tgt_out: Tensor  # the target and EOS, [B, T]
    lines: list[int]  # where each pair stands in the corpus
    sources: list[str]  # raw text
    references: list[str]  # raw text


class BatchPlan(NamedTuple):
    """What a batch is made from: all that the processes which prepare batches are told."""

    rows: list[int]  # of the corpus
    seed: int  # of the draws for this batch


@dataclass(frozen=True, kw_only=True)
class SubwordSampling:
    """Cuts the text of a batch at random (Kudo 2018; Provilkov et al. 2020).

    Args:
        tokenizers: of both sides.
        strength: see `Tokenizer.sample`.
        target: whether the target side, too.
        max_length: most pieces; a text that is cut into more keeps its best cut.
    """

    tokenizers: TokenizerPair
    strength: float
    target: bool
    max_length: int

    def __call__(self, columns: dict[str, Any], seed: int) -> dict[str, Any]:
        """Return the columns with `src`, and `tgt` if `target`, cut anew; they depend on the columns and the seed alone."""
        src_seed, tgt_seed = np.random.default_rng(seed).integers(2**32 - 1, size=2).tolist()
        src = self._draw(self.tokenizers.source, columns["source"], columns["src"], src_seed)
        drawn = {**columns, "src": src}
        if self.target:
            drawn["tgt"] = self._draw(self.tokenizers.target, columns["target"], columns["tgt"], tgt_seed)
        return drawn

    def _draw(self, tokenizer: Tokenizer, texts: list[str], best: list[list[int]], seed: int) -> list[list[int]]:
        drawn = tokenizer.sample(texts, strength=self.strength, seed=seed)
        return [new if len(new) <= self.max_length else old for new, old in zip(drawn, best, strict=True)]


class EncodedPairs(Dataset[Batch]):
    """Turns the plan of a batch into the batch.

    Args:
        corpus: columns `src`, `tgt` (token ids without BOS and EOS), `source`, `target` (raw text) and `line`.
        sampling: cuts the raw text anew each time; without, the ids are those of the corpus.
    """

    def __init__(self, corpus: Corpus, sampling: SubwordSampling | None = None) -> None:
        self.corpus = corpus
        self.sampling = sampling

    def __getitem__(self, plan: BatchPlan) -> Batch:
        """Collate the pairs of a plan."""
        columns: dict[str, Any] = self.corpus[plan.rows]
        if self.sampling is not None:
            columns = self.sampling(columns, plan.seed)
        src, src_lengths = padded_sources(columns["src"])
        tgt_in, tgt_out = padded_targets(columns["tgt"])
        return Batch(
            src=torch.from_numpy(src),
            src_lengths=torch.from_numpy(src_lengths),
            tgt_in=torch.from_numpy(tgt_in),
            tgt_out=torch.from_numpy(tgt_out),
            lines=columns["line"],
            sources=columns["source"],
            references=columns["target"],
        )


class TokenBatches(Sampler[BatchPlan]):
    """Rows of similar length, as many as fit into a token budget on either side; the batches in random order.

    The plans depend on (seed, epoch) alone, so that (epoch, position) is the whole state. Every epoch has the
    same number of batches, and so has every rank: rows are packed by the upper bounds of their length buckets, and
    only rows of the same bucket change places from epoch to epoch.

    Args:
        src_lengths: tokens of each row with EOS, [rows].
        tgt_lengths: likewise.
        tokens_per_batch: limit on B * S and on B * T, as far as the lengths hold: subword sampling cuts text into more
            pieces, and how many more is known only when it is drawn.
        bucket_width: lengths that fall into a bucket. With 1 a batch holds least padding; wider buckets mix lengths, so
            that a batch says more about the corpus (Morishita et al. 2017 compare such orders).
        seed: of the order, and of the seeds in the plans.
        rank: of this process.
        world_size: number of processes that share the batches.
        shuffle: False gives batches from short to long, the same in every epoch.

    Raises:
        DataError: if a row is longer than the budget, or there are fewer rows than processes.
    """

    def __init__(
        self,
        *,
        src_lengths: NDArray[np.int64],
        tgt_lengths: NDArray[np.int64],
        tokens_per_batch: int,
        bucket_width: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        shuffle: bool = True,
    ) -> None:
        longest = int(max(src_lengths.max(), tgt_lengths.max()))
        if longest > tokens_per_batch:
            raise DataError(
                f"a sentence of {longest} tokens does not fit into data.tokens_per_batch={tokens_per_batch}: "
                f"raise it to at least {longest}, or lower data.max_length so that the sentence is dropped"
            )
        if len(src_lengths) < world_size:
            raise DataError(f"{len(src_lengths)} sentence pairs cannot be shared by {world_size} processes")
        self.seed, self.rank, self.world_size, self.shuffle = seed, rank, world_size, shuffle
        self.epoch = 0
        self.position = 0
        """Batches of this epoch that were handed out."""
        src_bounds, tgt_bounds = (
            np.minimum(-(-side // bucket_width) * bucket_width, longest) for side in (src_lengths, tgt_lengths)
        )
        # serpentine: every other target bucket runs from long to short sources, so that neighbours stay alike
        self._src_key = np.where(-(-tgt_lengths // bucket_width) % 2 == 0, src_bounds, -src_bounds)
        self._tgt_key = tgt_bounds
        order = np.lexsort((self._src_key, self._tgt_key))
        self._sizes = _pack(np.maximum(src_bounds, tgt_bounds)[order], tokens_per_batch, divisible_by=world_size)

    def __len__(self) -> int:
        """Return the batches of an epoch on one rank."""
        return len(self._sizes) // self.world_size

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch, unless it is the one that is running (called by Lightning)."""
        if epoch != self.epoch:
            self.epoch, self.position = epoch, 0

    def __iter__(self) -> Iterator[BatchPlan]:
        """Yield the batches of this rank from the current position on."""
        random = np.random.default_rng([self.seed, self.epoch if self.shuffle else 0])
        order = np.lexsort((random.random(len(self._tgt_key)), self._src_key, self._tgt_key))
        batches = np.split(order, np.cumsum(self._sizes)[:-1])
        turns = random.permutation(len(batches)) if self.shuffle else np.arange(len(batches))
        seeds = random.integers(2**32, size=len(batches)).tolist()
        for turn in turns[self.rank :: self.world_size][self.position :]:
            yield BatchPlan(batches[turn].tolist(), seeds[turn])


def _pack(lengths: NDArray[np.int64], budget: int, *, divisible_by: int) -> list[int]:
    """Cut a sequence of row lengths into batches: as many rows as fit, then the largest batches halved until even."""
    sizes: list[int] = []
    rows = longest = 0
    for length in lengths.tolist():
        if (rows + 1) * max(longest, length) > budget:
            sizes.append(rows)
            rows = longest = 0
        rows += 1
        longest = max(longest, length)
    sizes.append(rows)
    while len(sizes) % divisible_by:
        largest = max(range(len(sizes)), key=sizes.__getitem__)
        half = sizes[largest] // 2
        if not half:
            raise DataError(f"{len(sizes)} sentence pairs, one a batch, cannot be shared by {divisible_by} processes")
        sizes[largest : largest + 1] = [half, sizes[largest] - half]
    return sizes


class TokenBatchLoader(DataLoader[Batch]):
    """Serves the batches that a sampler composes."""

    def __init__(
        self,
        *,
        corpus: Corpus,
        batches: TokenBatches,
        num_workers: int = 0,
        sampling: SubwordSampling | None = None,
    ) -> None:
        super().__init__(
            EncodedPairs(corpus, sampling),
            sampler=batches,
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=num_workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else every pass draws from, and so moves, the global one
        )
        self.batches = batches


def _as_it_is(batch: Any) -> Any:
    """Spare the text of a batch PyTorch's search for arrays in it."""
    return batch


class ResumableLoader(TokenBatchLoader):
    """Knows how many batches it has handed out, and goes on there after a restart.

    Lightning stores `state_dict` in its checkpoints and calls `load_state_dict` when it resumes. The position is
    counted where batches leave the loader, not in the sampler, which runs ahead of it when there are workers.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Yield the rest of the epoch."""
        # being a generator, this starts to run at the first batch, when Lightning has set the epoch
        for batch in super().__iter__():
            self.batches.position += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return where this loader stands."""
        return {"epoch": self.batches.epoch, "position": self.batches.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to where another loader over the same corpus stood."""
        self.batches.epoch, self.batches.position = state["epoch"], state["position"]
