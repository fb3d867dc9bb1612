"""Translates with mt in turns: python -m mtbench.mt_decode VARIANT FOLDER SHORTLIST."""

import sys
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from mt.search.shortlist import Shortlist
from mt.translator import Translator
from mtbench.translating import by_length, take_turns

__all__ = ["VARIANTS", "Counting", "Variant", "mt_decode"]

EVERYTHING = 10**9  # source tokens: the sentences of a call are one batch


@dataclass(frozen=True)
class Variant:
    """A way to run a model of mt."""

    backend: str = "torch"
    precision: str = "32"
    int8: bool = False
    shortlist: bool = False

    def load(self, folder: str, shortlist: str) -> Translator:
        translator = Translator.from_folder(folder, backend=self.backend, precision=self.precision, int8=self.int8)
        if self.shortlist:
            translator.shortlist = Shortlist.load(shortlist, fingerprint=translator.tokenizers.fingerprint)
        return translator


VARIANTS = {
    "float32": Variant(),
    "bf16": Variant(precision="bf16"),
    "onnx": Variant(backend="onnx"),
    "onnx+shortlist": Variant(backend="onnx", shortlist=True),
    "int8": Variant(backend="onnx", int8=True),
    "int8+shortlist": Variant(backend="onnx", int8=True, shortlist=True),
}


class Counting:
    """Counts what search asks of a model, in whole numbers beside the model's own work.

    Args:
        model: of the shape of `mt.search.Stepper`; its `start` and `step` are replaced.
    """

    def __init__(self, model: Any) -> None:
        self._start, self._step = model.start, model.step
        self._counted = _nothing()
        model.start, model.step = self.start, self.step

    def start(self, src: Any, src_lengths: Any, *more: Any) -> Any:
        """See `Stepper`."""
        self._counted["sentences"] += len(src)
        self._counted["source_tokens"] += int(src_lengths.sum())
        return self._start(src, src_lengths, *more)

    def step(self, prev: Any, state: Any) -> Any:
        """See `Stepper`."""
        step = self._step(prev, state)
        self._counted["rows"] += len(prev)
        self._counted["looks"] += prod(step.attention.shape)  # at padding too: some thousandths of the whole
        self._counted["logits"] += prod(step.log_probs.shape)
        return step

    def take(self) -> dict[str, int]:
        """Return what `DecodingMultiplyAdds.of` wants to know, since the last call."""
        counted, self._counted = self._counted, _nothing()
        return counted


def _nothing() -> dict[str, int]:
    return dict.fromkeys(("sentences", "source_tokens", "rows", "looks", "logits"), 0)


def mt_decode(variant: str, folder: Path, shortlist: Path) -> list[str]:
    """Return the command that translates with a variant of the model in a folder."""
    return [sys.executable, "-m", "mtbench.mt_decode", variant, str(folder.resolve()), str(shortlist)]


def main(variant: str, folder: str, shortlist: str) -> None:
    translator = VARIANTS[variant].load(folder, shortlist)
    counting = Counting(translator.model)

    def translate(texts: list[str], beam: int) -> list[str]:
        return [found.text for found in translator.translate(texts, beam_size=beam, batch_tokens=EVERYTHING)]

    take_turns(by_length(translate), counts=counting.take)


if __name__ == "__main__":
    main(*sys.argv[1:])
