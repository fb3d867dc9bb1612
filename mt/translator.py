"""From raw text to hypotheses: cuts, batches, searches, and gives everything back in order."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from mt.errors import ConfigError, ModelFolderError
from mt.model_folder import LoadedModel, load_model
from mt.search import Beam, Greedy, Hypothesis, Strategy, decode, length_limit
from mt.text.symbols import EOS, PAD

__all__ = ["Translator", "pick_device"]

MAX_SOURCE_PIECES = 1000
WINDOW = 1000  # lines that are read ahead to find others of similar length

logger = logging.getLogger(__name__)


def pick_device(name: str) -> torch.device:
    """Return the device called name: cpu, cuda, cuda:1, mps, or auto for the best there is.

    Raises:
        ConfigError: if this machine has no such device.
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split("\n")[0]
        raise ConfigError(f"device {name!r} cannot be used here ({reason}): try --device cpu") from error
    return device


class Translator:
    """A trained model that translates raw text.

    ```python
    translator = Translator.from_folder("runs/quickstart/model")
    for hypothesis in translator.translate(["The old dog sleeps."]):
        print(hypothesis.text, hypothesis.score)
    ```

    Args:
        loaded: what `load_model` returned.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.model = loaded.model
        self.tokenizers = loaded.tokenizers
        self.decoding = loaded.decoding
        """What this model takes for beam_size, length_penalty and batch_tokens unless told otherwise."""

    @classmethod
    def from_folder(cls, folder: str | Path, *, device: str = "cpu") -> "Translator":
        """Load a model folder.

        Raises:
            ModelFolderError: if the folder is missing, incomplete or damaged.
            ConfigError: if there is no such device.
        """
        return cls(load_model(folder, device=pick_device(device)))

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        batch_tokens: int | None = None,
    ) -> list[Hypothesis]:
        """Return the best hypothesis for each text; see `translate_n_best`."""
        return list(
            self.translate_stream(texts, beam_size=beam_size, length_penalty=length_penalty, batch_tokens=batch_tokens)
        )

    def translate_stream(
        self,
        lines: Iterable[str],
        *,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        batch_tokens: int | None = None,
    ) -> Iterator[Hypothesis]:
        """Yield the best hypothesis for each of any number of lines; see `translate_n_best`."""
        for hypotheses in self.translate_n_best(
            lines, n_best=1, beam_size=beam_size, length_penalty=length_penalty, batch_tokens=batch_tokens
        ):
            yield hypotheses[0]

    def translate_n_best(
        self,
        lines: Iterable[str],
        *,
        n_best: int,
        beam_size: int | None = None,
        length_penalty: float | None = None,
        batch_tokens: int | None = None,
        window: int = WINDOW,
    ) -> Iterator[list[Hypothesis]]:
        """Yield the n-best hypotheses for each line, in the order of the lines, in constant memory.

        What is None takes the model's own default. An empty line gives one empty hypothesis. A line of more
        than `MAX_SOURCE_PIECES` pieces is cut there, and a warning names it.

        Args:
            lines: raw text, one sentence each; read `window` at a time.
            n_best: hypotheses per line, at most beam_size.
            beam_size: 1 searches greedily.
            length_penalty: alpha, see `Beam`.
            batch_tokens: most source tokens, padding included, that are translated at once.
            window: lines that are sorted by length together.

        Raises:
            ConfigError: if an option is out of range.
        """
        given: dict[str, Any] = {"beam_size": beam_size, "length_penalty": length_penalty, "batch_tokens": batch_tokens}
        options = replace(self.decoding, **{name: value for name, value in given.items() if value is not None})
        strategy: Strategy = Beam(beam_size=options.beam_size, length_penalty=options.length_penalty)
        if options.beam_size == 1:
            strategy = Greedy()
        if not 1 <= n_best <= options.beam_size:
            raise ConfigError(f"n-best must lie between 1 and the beam size {options.beam_size}, not {n_best}")
        return self._stream(iter(lines), strategy, n_best, options.batch_tokens, window)

    def _stream(
        self, lines: Iterator[str], strategy: Strategy, n_best: int, batch_tokens: int, window: int
    ) -> Iterator[list[Hypothesis]]:
        first = 1
        while texts := list(islice(lines, window)):
            sources = self.tokenizers.source.encode(texts)
            for place, ids in enumerate(sources):
                if len(ids) > MAX_SOURCE_PIECES:
                    logger.warning(
                        "line %d has %d pieces: only the first %d are translated; split it into sentences",
                        *(first + place, len(ids), MAX_SOURCE_PIECES),
                    )
                    del ids[MAX_SOURCE_PIECES:]
            yield from self._translate_window(sources, strategy, n_best, batch_tokens)
            first += len(texts)

    def _translate_window(
        self, sources: list[list[int]], strategy: Strategy, n_best: int, batch_tokens: int
    ) -> list[list[Hypothesis]]:
        nothing = Hypothesis(ids=(), score=0.0, token_scores=(), attention=torch.empty(0, 0))
        found = [[nothing]] * len(sources)
        for rows in _batches([len(ids) for ids in sources], batch_tokens):
            for row, hypotheses in zip(
                rows, self._decode([sources[row] for row in rows], strategy, n_best), strict=True
            ):
                found[row] = hypotheses
        return found

    def _decode(self, sources: list[list[int]], strategy: Strategy, n_best: int) -> list[list[Hypothesis]]:
        """Translate one batch of piece ids, none of them empty."""
        device = self.model.output.weight.device
        rows = [torch.tensor([*ids, EOS]) for ids in sources]
        lengths = torch.tensor([len(row) for row in rows], device=device)
        found = decode(
            self.model,
            pad_sequence(rows, batch_first=True, padding_value=PAD).to(device),
            lengths,
            strategy=strategy,
            max_length=length_limit(lengths),
            n_best=n_best,
        )
        if not all(found):
            raise ModelFolderError("the model's weights are not finite numbers: its training has failed")
        return [
            [self._with_text(hypothesis, ids) for hypothesis in hypotheses]
            for ids, hypotheses in zip(sources, found, strict=True)
        ]

    def _with_text(self, hypothesis: Hypothesis, source: list[int]) -> Hypothesis:
        ids = list(hypothesis.ids)
        return replace(
            hypothesis,
            text=self.tokenizers.target.decode([ids])[0],
            pieces=tuple(self.tokenizers.target.pieces(ids)),
            source_pieces=tuple(self.tokenizers.source.pieces(source)),
        )


def _batches(lengths: list[int], batch_tokens: int) -> Iterator[list[int]]:
    """Group the places of non-empty sentences, longest first, so that each group padded fits into batch_tokens."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if not lengths[place]:
            continue
        if batch and (len(batch) + 1) * (lengths[batch[0]] + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
