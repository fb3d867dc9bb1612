"""Training of SentencePiece models, with the result kept by a fingerprint of text and settings."""

import hashlib
import io
import json
import logging
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Protocol

from mt.errors import ConfigError, MTError, TokenizerError, did_you_mean
from mt.text.symbols import BOS, EOS, PAD, UNK
from mt.text.tokenizer import Tokenizer, TokenizerPair

__all__ = ["ParallelText", "TokenizerSettings", "load_or_train", "train_tokenizers"]

MODEL_TYPES = ("unigram", "bpe", "char")
NORMALIZATIONS = ("nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity")
RESERVED_PIECES = ("<pad>", "<unk>", "<s>", "</s>")

logger = logging.getLogger(__name__)


class ParallelText(Protocol):
    """What is needed of a corpus: its length, and batches of its columns "source" and "target"."""

    def __len__(self) -> int: ...

    def iter(self, batch_size: int) -> Iterator[dict[str, list[str]]]:
        """Yield the columns of `batch_size` pairs at a time."""


@dataclass(frozen=True)
class TokenizerSettings:
    """How to train SentencePiece, and how to cut text with it during training.

    Args:
        model_type: "unigram", "bpe" or "char"
        vocab_size: number of pieces, reserved ones included; for "char" the most there may be
        joint: one vocabulary for both languages, trained on both; otherwise one for each
        character_coverage: share of the characters of the text that get a piece, in (0, 1]; the rest is unknown
        byte_fallback: write characters without a piece as UTF-8 bytes, which takes 256 pieces
        user_defined_symbols: strings that are always one piece, such as tags
        normalization: SentencePiece's rule: "nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf" ("cf" also lower-cases),
            or "identity"
        max_training_sentences: a larger text is sampled down to this number of lines
        sampling: strength of the random cuts of training, see `Tokenizer.sample`; 0: always the best cut
        sample_target: whether the target side is cut at random, too

    Raises:
        ConfigError: settings are wrong; names all of them
    """

    model_type: str = "unigram"
    vocab_size: int = 8000
    joint: bool = True
    character_coverage: float = 1.0
    byte_fallback: bool = False
    user_defined_symbols: Sequence[str] = ()
    normalization: str = "nmt_nfkc"
    max_training_sentences: int = 1_000_000
    sampling: float = 0.0
    sample_target: bool = True

    def __post_init__(self) -> None:
        if wrong := list(self._problems()):
            raise ConfigError("\n".join(["tokenizer settings:", *wrong]))
        object.__setattr__(self, "user_defined_symbols", tuple(self.user_defined_symbols))  # a config gives a list

    def _problems(self) -> Iterator[str]:
        if self.model_type not in MODEL_TYPES:
            yield f"  model_type: unknown {self.model_type!r}. {did_you_mean(str(self.model_type), MODEL_TYPES)}"
        if self.normalization not in NORMALIZATIONS:
            yield f"  normalization: unknown {self.normalization!r}. {did_you_mean(str(self.normalization), NORMALIZATIONS)}"
        for name in ("joint", "byte_fallback", "sample_target"):
            if not isinstance(getattr(self, name), bool):
                yield f"  {name}: must be true or false, got {getattr(self, name)!r}"
        coverage = self.character_coverage
        if isinstance(coverage, bool) or not isinstance(coverage, int | float) or not 0 < coverage <= 1:
            yield f"  character_coverage: must be above 0 and at most 1, got {coverage!r}"
        sampling = self.sampling
        if isinstance(sampling, bool) or not isinstance(sampling, int | float) or not 0 <= sampling <= 1:
            yield f"  sampling: must be at least 0 (off) and at most 1, got {sampling!r}"
        elif sampling and self.model_type == "char":
            yield f"  sampling: must be 0 for char, got {sampling!r}: there is but one way to cut text into characters"
        symbols = self.user_defined_symbols
        if not isinstance(symbols, list | tuple) or not all(isinstance(s, str) and s.strip() for s in symbols):
            yield f"  user_defined_symbols: must be a list of non-empty strings, got {symbols!r}"
            symbols = ()
        elif unusable := sorted(
            {symbol for symbol in symbols if symbols.count(symbol) > 1 or symbol in RESERVED_PIECES}
        ):
            yield f"  user_defined_symbols: reserved or given twice: {', '.join(unusable)}"
        fixed = len(RESERVED_PIECES) + len(symbols) + 256 * bool(self.byte_fallback)
        for name, least in (("vocab_size", fixed + 1), ("max_training_sentences", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                yield f"  {name}: must be a whole number of at least {least:,}, got {value!r}"


def train_tokenizers(sources: Iterable[str], targets: Iterable[str], settings: TokenizerSettings) -> TokenizerPair:
    """Train one joint tokenizer, or one per side; the same text and settings give the same models.

    Raises:
        TokenizerError: there is no text, or it does not suit the size of the vocabulary
    """
    if settings.joint:
        joint = _train(chain(sources, targets), settings, text="the corpus")
        return TokenizerPair(source=joint, target=joint)
    return TokenizerPair(
        source=_train(sources, settings, text="the corpus's source side"),
        target=_train(targets, settings, text="the corpus's target side"),
    )


def load_or_train(corpus: ParallelText, settings: TokenizerSettings, cache: Path) -> TokenizerPair:
    """Return the tokenizers for this text and these settings, from `cache` if they are there, else trained.

    Each fingerprint of text, settings and SentencePiece's version has a folder in `cache`. Every file in it appears at
    once and training is deterministic, so neither an interruption nor a second process can leave a wrong one; what
    is incomplete or damaged is trained again.

    Raises:
        TokenizerError: training fails, see `train_tokenizers`
    """
    folder = Path(cache) / _fingerprint(corpus, settings)
    if folder.exists():
        try:
            tokenizers = TokenizerPair.from_folder(folder)
        except MTError as error:
            logger.warning("training the tokenizers again: %s", error)
        else:
            logger.info("reusing the tokenizers in %s", folder)
            return tokenizers
    kind = "a joint" if settings.joint else "a source and a target"
    size = f"{settings.vocab_size:,} pieces" if settings.joint else f"{settings.vocab_size:,} pieces each"
    logger.info(
        "training %s %s SentencePiece model of %s on %s lines", kind, settings.model_type, size, f"{2 * len(corpus):,}"
    )
    tokenizers = train_tokenizers(_column(corpus, "source"), _column(corpus, "target"), settings)
    tokenizers.save(folder)
    return tokenizers


def _column(corpus: ParallelText, name: str) -> Iterator[str]:
    for batch in corpus.iter(batch_size=10_000):
        yield from batch[name]


def _fingerprint(corpus: ParallelText, settings: TokenizerSettings) -> str:
    import sentencepiece

    of_use = "sampling", "sample_target"
    of_training = {name: value for name, value in asdict(settings).items() if name not in of_use}
    digest = hashlib.sha256(json.dumps([of_training, sentencepiece.__version__]).encode())
    for batch in corpus.iter(batch_size=10_000):
        digest.update(json.dumps([batch["source"], batch["target"]], ensure_ascii=False).encode())
    return digest.hexdigest()


def _train(lines: Iterable[str], settings: TokenizerSettings, *, text: str) -> Tokenizer:
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(_sample(lines, settings.max_training_sentences)),
            model_writer=model,
            model_type=settings.model_type,
            vocab_size=settings.vocab_size,
            hard_vocab_limit=settings.model_type != "char",
            character_coverage=settings.character_coverage,
            byte_fallback=settings.byte_fallback,
            user_defined_symbols=list(settings.user_defined_symbols),
            normalization_rule_name=settings.normalization,
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            unk_surface="⁇",  # SentencePiece's own has spaces around it, which would tear words apart
            shuffle_input_sentence=False,
            num_threads=16,  # sums are rounded by thread: a fixed number gives the same model on any machine
            minloglevel=2,  # errors only, and those are raised
        )
    except RuntimeError as error:
        raise TokenizerError(_explain(str(error), settings, text)) from error
    return Tokenizer.from_bytes(model.getvalue())


def _sample(lines: Iterable[str], size: int) -> list[str]:
    """Return all lines, or `size` of them chosen evenly and always the same (SentencePiece's choice is random)."""
    chosen: list[str] = []
    generator = random.Random(0)
    for count, line in enumerate(lines, start=1):  # reservoir sampling (Vitter 1985, algorithm R)
        if count <= size:
            chosen.append(line)
        elif (place := generator.randrange(count)) < size:
            chosen[place] = line
    return chosen


def _explain(message: str, settings: TokenizerSettings, text: str) -> str:
    """Turn SentencePiece's message into one that says what to do."""
    given = f"vocab_size={settings.vocab_size}"
    if limit := re.search(r"value <= (\d+)", message):
        return (
            f"{given} is too large: {text} gives a {settings.model_type} model of at most {limit[1]} pieces; "
            f"set the tokenizer's vocab_size to {limit[1]} or less"
        )
    if least := re.search(r"required_chars\. \d+ vs (\d+)", message):
        return (
            f"{given} is too small: the characters of {text} need {least[1]} pieces; set the tokenizer's vocab_size to "
            f"{least[1]} or more, or lower its character_coverage (now {settings.character_coverage})"
        )
    if "sentences_.empty()" in message or "all_chars_count" in message:
        return f"no tokenizer can be trained: {text} has no text"
    return f"SentencePiece cannot be trained on {text}: {message}"
