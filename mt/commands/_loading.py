"""Translators as the options of a command line describe them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mt.errors import ConfigError

if TYPE_CHECKING:
    from mt.translator import Translator

__all__ = ["Loading", "devices_of", "numbers_of"]


@dataclass(frozen=True, kw_only=True)
class Loading:
    """What to load; can be sent to other processes, where it is called with a device.

    Args:
        models: model folders; several translate together.
        weights: of the models, for several; equal unless given.
        combination: see `mt.search.ensemble.COMBINATIONS`.
        backend: see `Translator.from_folder`.
        int8: likewise.
        precision: likewise.
        shortlist: a file, see `mt.search.shortlist`.
        lexicon: a file, see `mt.data.lexicon`.
        processes: that share the processor's cores.
    """

    models: Sequence[str]
    weights: Sequence[float] | None = None
    combination: str = "log_linear"
    backend: str | None = None
    int8: bool = False
    precision: str = "32"
    shortlist: str | None = None
    lexicon: str | None = None
    processes: int = 1

    def __call__(self, device: str) -> "Translator":
        """Load a translator onto a device.

        Raises:
            MTError: if something cannot be loaded.
        """
        from mt.translator import Translator

        if self.weights is not None and len(self.models) == 1:
            raise ConfigError("--weights needs several models: give --model several times")
        threads = None if self.processes == 1 else max(1, (os.cpu_count() or 1) // self.processes)
        loaded = [
            Translator.from_folder(
                model,
                backend=self.backend,
                int8=self.int8,
                device=device,
                precision=self.precision,
                threads=threads,
            )
            for model in self.models
        ]
        translator = loaded[0]
        if len(loaded) > 1:
            translator = Translator.ensemble(loaded, weights=self.weights, combination=self.combination)
        if self.shortlist is not None:
            from mt.search.shortlist import Shortlist

            translator.shortlist = Shortlist.load(self.shortlist, fingerprint=translator.tokenizers.fingerprint)
        if self.lexicon is not None:
            from mt.data.lexicon import Lexicon

            translator.lexicon = Lexicon.load(self.lexicon)
        return translator

    def prepare(self) -> None:
        """Do once what every process would otherwise do for itself."""
        if self.int8 or self.backend == "onnx":
            from mt.onnx import exported_folder

            for model in self.models:
                exported_folder(model, int8=self.int8)


def devices_of(device: str, processes: int) -> list[str]:
    """Return the device of each process: the processor for all, or cuda:0, cuda:1 and so on."""
    if processes == 1 or device == "cpu":
        return [device] * processes
    if device in ("auto", "cuda"):
        return [f"cuda:{number}" for number in range(processes)]
    raise ConfigError(f"--devices {processes} shares the work among several, but --device {device} is one")


def numbers_of(text: str | None, option: str) -> list[float] | None:
    """Read numbers that are separated by commas."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"{option} takes numbers separated by commas, not {text!r}") from error
