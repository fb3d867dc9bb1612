"""SentencePiece models in use: text to token ids and back, one model per language or one for both."""

import hashlib
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mt.errors import ModelFolderError, TokenizerError
from mt.text.symbols import BOS, EOS, PAD, UNK

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

__all__ = ["Tokenizer", "TokenizerPair"]

JOINT, SOURCE, TARGET = "joint.spm", "source.spm", "target.spm"

FEW = 500  # texts

_sampling = threading.Lock()


class Tokenizer:
    """One SentencePiece model. Equal models are equal tokenizers; instances can be pickled.

    Args:
        processor: a loaded model with the reserved ids of `mt.text.symbols`
        origin: where the model is from, for the error

    Raises:
        TokenizerError: the model is empty or has other reserved ids
    """

    def __init__(self, processor: "SentencePieceProcessor", *, origin: str) -> None:
        ids = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        if ids != (PAD, UNK, BOS, EOS):
            raise TokenizerError(
                f"{origin} has other reserved ids than mt: pad, unk, bos, eos are {ids} and must be "
                f"{(PAD, UNK, BOS, EOS)} (-1 stands for absent); train it with --pad_id={PAD} --unk_id={UNK} "
                f"--bos_id={BOS} --eos_id={EOS}, or let mt-train train one"
            )
        self._processor = processor
        self.fingerprint: str = hashlib.sha256(processor.serialized_model_proto()).hexdigest()
        """SHA-256 of the model, in hexadecimal."""

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Tokenizer":
        """Load a model.

        Raises:
            TokenizerError: the file is missing, damaged, or a model with other reserved ids
        """
        try:
            model = Path(path).read_bytes()
        except OSError as error:
            raise TokenizerError(f"the tokenizer {path} cannot be read: {error.strerror}") from error
        return cls.from_bytes(model, origin=str(path))

    @classmethod
    def from_bytes(cls, model: bytes, *, origin: str = "the tokenizer") -> "Tokenizer":
        """Load a model from the content of its file; see `from_file`."""
        from sentencepiece import SentencePieceProcessor

        try:
            if not model:
                raise TokenizerError(f"{origin} is empty and not a SentencePiece model")
            processor = SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise TokenizerError(f"{origin} is damaged or not a SentencePiece model") from error
        return cls(processor, origin=origin)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, without BOS and EOS; the empty text has none."""
        ids: list[list[int]] = self._processor.encode(list(texts), num_threads=_threads(len(texts)))
        return ids

    def sample(self, texts: Sequence[str], *, strength: float, seed: int) -> list[list[int]]:
        """Return token ids of each text like `encode`, but cut at random; they decode to the same text.

        Equal arguments give equal ids, whatever was drawn before, and in whichever thread or process.

        Args:
            texts: for a BPE or unigram model; characters cannot be cut
            strength: in (0, 1]. BPE: the probability that a merge is left out, for good, so that less is needed than in
                the paper (BPE-dropout, Provilkov et al. 2020). Unigram: every cut is drawn with its probability to
                this power, renormalised, so that less is wilder (subword regularisation, Kudo 2018, section 3.2)
            seed: from 0 to 2**32 - 2; the next is SentencePiece's sign for none
        """
        from sentencepiece import set_random_generator_seed

        # Each thread has a generator, which takes the process's seed when it first draws and (before 0.2.3) never
        # again: only a new thread is sure to start from the seed just set, if no other sets its own meanwhile.
        # Of several threads inside SentencePiece (num_threads), chance would tell which one draws for which text.
        with _sampling, ThreadPoolExecutor(max_workers=1) as thread:
            set_random_generator_seed(seed)
            ids: list[list[int]] = thread.submit(
                self._processor.encode,
                list(texts),
                enable_sampling=True,
                nbest_size=-1,
                alpha=strength,
                num_threads=1,
            ).result()
        return ids

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Return the text of each sequence of token ids: PAD, BOS and EOS vanish, UNK shows as "⁇"."""
        dropped = {PAD, BOS, EOS}
        kept = [[token for token in row if token not in dropped] for row in ids]
        texts: list[str] = self._processor.decode(kept, num_threads=_threads(len(kept))) if kept else []
        return texts

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return the piece of each token id, where "▁" marks the start of a word."""
        return [self._processor.id_to_piece(token) for token in ids]

    def spelling(self, text: str) -> str:
        """Return a text as its pieces spell it: normalised, with "▁" for every space and before the first word."""
        pieces: list[str] = self._processor.encode(text, out_type=str)
        return "".join(pieces)

    def words(self, text: str) -> list[str]:
        """Return the words of a text, numbered as `mt.text.words.word_of_piece` numbers those of its pieces.

        They are what white space separates, to the letter. Only where normalisation makes or removes white space, and
        so the numbers would differ, they are the words of the normalised text.
        """
        words = text.split()
        normalised: list[str] = self._processor.normalize(text).replace("▁", " ").split()
        return words if len(words) == len(normalised) else normalised

    def ids(self, pieces: Sequence[str]) -> list[int]:
        """Return the token id of each piece: the inverse of `pieces`.

        Raises:
            TokenizerError: there is no such piece
        """
        ids: list[int] = [self._processor.piece_to_id(piece) for piece in pieces]
        for piece, token in zip(pieces, ids, strict=True):
            if token == UNK and piece != self._processor.id_to_piece(UNK):
                raise TokenizerError(f"{piece!r} is no piece of this vocabulary of {len(self)} pieces")
        return ids

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file, wholly or not at all."""
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            partial.write_bytes(self._processor.serialized_model_proto())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def __len__(self) -> int:
        """Return the size of the vocabulary, reserved ids included."""
        return self._processor.get_piece_size()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[object, ...]:
        return Tokenizer.from_bytes, (self._processor.serialized_model_proto(),)


def _threads(texts: int) -> int:
    """Return how many threads SentencePiece should start: -1 lets it choose, which takes milliseconds."""
    return 1 if texts < FEW else -1


@dataclass(frozen=True)
class TokenizerPair:
    """The tokenizers of both sides; the same one twice where the languages share a vocabulary."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        """Whether both sides share one vocabulary."""
        return self.source == self.target

    @property
    def fingerprint(self) -> str:
        """SHA-256 over both models, in hexadecimal."""
        return hashlib.sha256((self.source.fingerprint + self.target.fingerprint).encode()).hexdigest()

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write joint.spm, or source.spm and target.spm, into a folder, which is made if need be."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        models = {JOINT: self.source} if self.joint else {SOURCE: self.source, TARGET: self.target}
        for name, tokenizer in models.items():
            tokenizer.save(folder / name)

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str]) -> "TokenizerPair":
        """Load what `save` wrote.

        Raises:
            ModelFolderError: the folder or a model is missing, or joint and separate models are mixed
            TokenizerError: a model is damaged or has other reserved ids
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ModelFolderError(f"{folder} is not a folder; a folder with tokenizers is expected")
        found = [name for name in (JOINT, SOURCE, TARGET) if (folder / name).exists()]
        if found == [JOINT]:
            joint = Tokenizer.from_file(folder / JOINT)
            return cls(source=joint, target=joint)
        if found == [SOURCE, TARGET]:
            return cls(source=Tokenizer.from_file(folder / SOURCE), target=Tokenizer.from_file(folder / TARGET))
        raise ModelFolderError(
            f"{folder} holds {' and '.join(found) or 'no tokenizer'}; expected either {JOINT} alone, "
            f"or {SOURCE} and {TARGET}"
        )
