"""The corpora of a training, encoded and batched, as Lightning asks for them."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytorch_lightning as pl
from datasets import Dataset
from numpy.typing import NDArray

from mt.data.batching import ResumableLoader, SubwordSampling, TokenBatches, TokenBatchLoader
from mt.data.cleaning import encode_and_clean
from mt.errors import ConfigError
from mt.text.tokenizer import TokenizerPair
from mt.text.tokenizer_training import TokenizerSettings, load_or_train

__all__ = ["TranslationDataModule"]

logger = logging.getLogger(__name__)


class TranslationDataModule(pl.LightningDataModule):
    """Loads the corpora, trains the tokenizers on the training part if need be, and serves batches by tokens.

    Args:
        train: returns the training corpus, see `mt.data.sources`.
        validation: returns the validation corpus.
        tokenizer: how to cut text into pieces; `sampling` concerns the training batches only.
        max_length: most pieces of either side; pairs with a longer one are dropped and counted.
        tokens_per_batch: most tokens of either side of a batch, padding included; with sampling, of the best cuts.
        bucket_width: lengths of training sentences that are mixed in a batch, see `mt.data.batching.TokenBatches`.
        seed: of the order of the batches, and of sampling.
        num_workers: processes that prepare batches beside the main one.
        cache: folder for trained tokenizers.
    """

    def __init__(
        self,
        *,
        train: Callable[[], Dataset],
        validation: Callable[[], Dataset],
        tokenizer: TokenizerSettings,
        max_length: int = 200,
        tokens_per_batch: int = 4096,
        bucket_width: int = 1,
        seed: int = 1,
        num_workers: int = 0,
        cache: str = "~/.cache/mt",
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("max_length", max_length, 1),
            ("tokens_per_batch", tokens_per_batch, 1),
            ("bucket_width", bucket_width, 1),
            ("num_workers", num_workers, 0),
        ):
            if type(value) is not int or value < least:
                raise ConfigError(f"data.{name} must be a whole number of at least {least}, not {value!r}")
        if max_length + 1 > tokens_per_batch:
            raise ConfigError(
                f"data.tokens_per_batch={tokens_per_batch} cannot hold a sentence of data.max_length={max_length} "
                f"pieces and its end: raise it to at least {max_length + 1}, or lower data.max_length"
            )
        self._load_train, self._load_validation = train, validation
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.tokens_per_batch = tokens_per_batch
        self.bucket_width = bucket_width
        self.seed = seed
        self.num_workers = num_workers
        self.cache = Path(cache).expanduser()
        self._corpora: tuple[Dataset, Dataset] | None = None
        self._sampling: SubwordSampling | None = None

    def load(self) -> TokenizerPair:
        """Load, tokenize and clean both corpora, and report what was dropped; then the loaders are ready."""
        train, validation = self._load_train(), self._load_validation()
        tokenizers = load_or_train(train, self.tokenizer, self.cache / "tokenizers")
        encoded = []
        for name, corpus in (("training", train), ("validation", validation)):
            corpus, report = encode_and_clean(corpus, tokenizers, max_length=self.max_length)
            logger.info("%s corpus: %s", name, report)
            encoded.append(corpus)
        self._corpora = encoded[0], encoded[1]
        if strength := self.tokenizer.sampling:
            self._sampling = SubwordSampling(
                tokenizers=tokenizers,
                strength=strength,
                target=self.tokenizer.sample_target,
                max_length=self.max_length,
            )
        return tokenizers

    @property
    def fingerprint(self) -> str:
        """Tells the text of this training corpus, as it was cleaned, from every other; SHA-256, hexadecimal."""
        digest = hashlib.sha256()
        for rows in self._loaded()[0].select_columns(["source", "target"]).iter(batch_size=10_000):
            for side in ("source", "target"):
                digest.update("\n".join(rows[side]).encode() + b"\0")
        return digest.hexdigest()

    def train_dataloader(self) -> ResumableLoader:
        """Return the training batches of this rank."""
        corpus = self._loaded()[0]
        return ResumableLoader(
            corpus=corpus,
            batches=self._batches(corpus, shuffle=True),
            num_workers=self.num_workers,
            sampling=self._sampling,
        )

    def val_dataloader(self) -> TokenBatchLoader:
        """Return the validation batches of this rank."""
        corpus = self._loaded()[1]
        return TokenBatchLoader(
            corpus=corpus, batches=self._batches(corpus, shuffle=False), num_workers=self.num_workers
        )

    def _loaded(self) -> tuple[Dataset, Dataset]:
        assert self._corpora is not None, "load() comes first"
        return self._corpora

    def _batches(self, corpus: Dataset, *, shuffle: bool) -> TokenBatches:
        return TokenBatches(
            src_lengths=_lengths(corpus, "src"),
            tgt_lengths=_lengths(corpus, "tgt"),
            tokens_per_batch=self.tokens_per_batch,
            bucket_width=self.bucket_width if shuffle else 1,
            seed=self.seed,
            rank=self.trainer.global_rank if self.trainer else 0,
            world_size=self.trainer.world_size if self.trainer else 1,
            shuffle=shuffle,
        )


def _lengths(corpus: Dataset, column: str) -> NDArray[np.int64]:
    """Return the tokens of each row with EOS, [rows]."""
    table = corpus.select_columns(column).with_format("arrow")[:]
    lengths: NDArray[np.int64] = pc.list_value_length(table[column]).to_numpy().astype(np.int64)
    return lengths + 1
