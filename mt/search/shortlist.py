"""Shortlists: the few target pieces that a translation of given source pieces may need, in place of the vocabulary."""

import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mt.errors import ModelFolderError
from mt.text.symbols import BOS, EOS, PAD, UNK

__all__ = ["Candidates", "Shortlist"]

UNREADABLE = (OSError, EOFError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile, zlib.error)


class Candidates(Protocol):
    """What is needed of a lexicon of pieces (`mt.data.lexicon.Lexicon`)."""

    def candidates(self, source: str, n: int) -> list[tuple[str, float]]:
        """Return the n likeliest targets of a source, the likeliest first."""
        ...


class Shortlist:
    """Target ids by source ids: the most frequent ones, the likeliest of each source id, and the four reserved ones.

    So the output layer has some hundred rows in place of the vocabulary's (Jean et al. 2015, who call it a candidate
    list; Junczys-Dowmunt et al. 2018, Marian, lexical shortlists).

    Args:
        likeliest: target ids of each source id, padded with PAD, [V_src, n].
        frequent: target ids that are always in, [F].
        target_vocabulary: number of target ids.
        fingerprint: of the tokenizers that the ids belong to, `TokenizerPair.fingerprint`.

    Raises:
        ValueError: an array has another shape or type, or ids that are no target ids.
    """

    def __init__(
        self,
        *,
        likeliest: NDArray[np.integer[Any]],
        frequent: NDArray[np.integer[Any]],
        target_vocabulary: int,
        fingerprint: str,
    ) -> None:
        if likeliest.ndim != 2 or frequent.ndim != 1:
            raise ValueError(f"likeliest must be [V_src, n] and frequent [F], not {likeliest.shape}, {frequent.shape}")
        for ids in (likeliest, frequent):
            if ids.dtype.kind not in "iu":
                raise ValueError(f"ids must be whole numbers, not {ids.dtype}")
            if ids.size and not 0 <= ids.min() <= ids.max() < target_vocabulary:
                raise ValueError(f"ids must be at least 0 and below {target_vocabulary}: {ids.min()} to {ids.max()}")
        self.fingerprint = fingerprint
        self._likeliest = likeliest.astype(np.intp)
        self._always = np.zeros(target_vocabulary, dtype=np.bool_)
        self._always[[PAD, UNK, BOS, EOS]] = True
        self._always[frequent] = True

    @classmethod
    def from_lexicon(
        cls,
        lexicon: Candidates,
        *,
        source_pieces: Sequence[str],
        target_pieces: Sequence[str],
        frequent: NDArray[np.integer[Any]],
        per_source: int,
        fingerprint: str,
    ) -> "Shortlist":
        """Look up the targets of each source piece.

        Args:
            lexicon: of pieces; targets that are no pieces of this vocabulary are passed over.
            source_pieces: the piece of each source id, V_src of them.
            target_pieces: the piece of each target id.
            frequent: target ids that are always in, [F].
            per_source: how many targets to take of each source piece, the likeliest.
            fingerprint: see `Shortlist`.
        """
        ids = {piece: number for number, piece in enumerate(target_pieces)}
        likeliest = np.full((len(source_pieces), per_source), PAD, dtype=np.int32)
        for row, piece in zip(likeliest, source_pieces, strict=True):
            found = [ids[target] for target, _ in lexicon.candidates(piece, per_source) if target in ids]
            row[: len(found)] = found
        return cls(
            likeliest=likeliest, frequent=frequent, target_vocabulary=len(target_pieces), fingerprint=fingerprint
        )

    def ids_for(self, src: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return the target ids for a batch, sorted, each once.

        Args:
            src: source ids, [B, S], PAD allowed.
        """
        listed = self._always.copy()
        listed[self._likeliest[src.ravel()]] = True
        return np.flatnonzero(listed)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an .npz file of plain arrays, wholly or not at all."""
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with partial.open("wb") as stream:
                np.savez_compressed(
                    stream,
                    likeliest=self._likeliest.astype(np.int32),
                    frequent=np.flatnonzero(self._always).astype(np.int32),
                    target_vocabulary=np.array(len(self._always)),
                    fingerprint=np.array(self.fingerprint),
                )
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, fingerprint: str) -> "Shortlist":
        """Read what `save` wrote; nothing in the file is run.

        Args:
            path: the file.
            fingerprint: of the tokenizers in use, `TokenizerPair.fingerprint`.

        Raises:
            ModelFolderError: it cannot be read, is no shortlist, or was made for other tokenizers.
        """
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                shortlist = cls(
                    likeliest=arrays["likeliest"],
                    frequent=arrays["frequent"],
                    target_vocabulary=int(arrays["target_vocabulary"]),
                    fingerprint=str(arrays["fingerprint"]),
                )
        except UNREADABLE as error:
            raise ModelFolderError(f"{path} is missing, damaged or no shortlist: {error}; make it again") from error
        if shortlist.fingerprint != fingerprint:
            raise ModelFolderError(
                f"{path} was made for other tokenizers than this model's, so that its ids mean other pieces: "
                "make a shortlist with this model"
            )
        return shortlist
