"""From raw text to hypotheses: cuts, batches, searches, and gives everything back in order."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mt.errors import ConfigError, ModelFolderError, did_you_mean
from mt.folder import is_onnx_folder
from mt.request import Request, constraints_of
from mt.search import DecodingOptions, Hypothesis
from mt.search.constraints import Constraints
from mt.search.ensemble import Ensemble
from mt.search.searcher import Searcher
from mt.search.shortlist import Shortlist
from mt.search.spelling import Spelling
from mt.search.step import Ids, Stepper
from mt.text.alignment import word_alignment
from mt.text.padding import padded_sources
from mt.text.symbols import UNK
from mt.text.tokenizer import TokenizerPair
from mt.text.unknown import Translations, replace_unknown
from mt.windows import WINDOW, token_batches, windows

__all__ = ["MAX_SOURCE_PIECES", "Translator"]

MAX_SOURCE_PIECES = 1000
BACKENDS = ("onnx", "torch")
NOTHING = Hypothesis(ids=(), score=0.0, token_scores=(), attention=np.empty((0, 0)))

logger = logging.getLogger(__name__)


class Translator:
    """A trained model that translates raw text.

    ```python
    translator = Translator.from_folder("runs/quickstart/model")
    for hypothesis in translator.translate(["The old dog sleeps."]):
        print(hypothesis.text, hypothesis.score)
    ```

    Args:
        model: whatever predicts one token after the other.
        tokenizers: of both languages.
        decoding: how to translate unless told otherwise.
        shortlist: the target tokens that a batch may need; all of them unless given.
        lexicon: of words, for the option replace_unknown; source words are copied unless given.
    """

    def __init__(
        self,
        model: Stepper[Any],
        tokenizers: TokenizerPair,
        decoding: DecodingOptions,
        *,
        shortlist: Shortlist | None = None,
        lexicon: Translations | None = None,
    ) -> None:
        self.model = model
        self.tokenizers = tokenizers
        self.decoding = decoding
        self.shortlist = shortlist
        self.lexicon = lexicon
        self.spelling = Spelling(tokenizers.target.pieces(range(len(tokenizers.target))))

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        backend: str | None = None,
        int8: bool = False,
        device: str = "cpu",
        precision: str = "32",
        threads: int | None = None,
    ) -> "Translator":
        """Load a model folder, or an ONNX model folder.

        Args:
            folder: as mt-train leaves in runs/NAME/model, or as mt-export makes.
            backend: torch, or onnx: ONNX Runtime, which is faster on a CPU and needs no torch. For it a model folder is
                exported once, and the export kept in ~/.cache/mt/onnx. Unless given, what the folder is made for.
            int8: whether weights have one byte, which is faster and nearly as good; takes the backend onnx.
            device: cpu, cuda, cuda:1, mps, or auto for the best there is; of the backend torch.
            precision: 32, or bf16, which is faster where the processor knows it; of the backend torch.
            threads: of operations on the processor; as many as there are cores unless given.

        Raises:
            ModelFolderError: if the folder is missing, incomplete or damaged.
            ConfigError: if there is no such backend, device or precision, or these do not go together.
        """
        backend = backend or ("onnx" if int8 or is_onnx_folder(folder) else "torch")
        if backend not in BACKENDS:
            raise ConfigError(f"there is no backend {backend!r}. {did_you_mean(backend, BACKENDS)}")
        if find_spec("torch") is None and not is_onnx_folder(folder):
            raise ConfigError(
                f"{folder} needs PyTorch, which is not installed here: give a folder that mt-export has made"
            )
        if backend == "torch":
            if int8:
                raise ConfigError("weights of one byte take the backend onnx, not torch")
            from mt.torch_model import load_torch_model

            return cls(*load_torch_model(folder, device=device, precision=precision, threads=threads))
        if precision != "32" or device not in ("cpu", "auto"):
            raise ConfigError(
                f"the backend onnx runs on the processor, in 32 bits or int8: not with device {device}, precision {precision}"
            )
        from mt.onnx import load_or_export

        return cls(*load_or_export(folder, int8=int8, threads=threads or 0))

    @classmethod
    def ensemble(
        cls,
        translators: Sequence["Translator"],
        *,
        weights: Sequence[float] | None = None,
        combination: str = "log_linear",
    ) -> "Translator":
        """Let several models translate together; decoding defaults, shortlist and lexicon are those of the first.

        Args:
            translators: with equal tokenizers.
            weights: see `mt.search.ensemble.Ensemble`.
            combination: likewise.

        Raises:
            ConfigError: if they do not go together.
        """
        first = translators[0]
        if any(other.tokenizers != first.tokenizers for other in translators):
            raise ConfigError(
                "models translate together only if they have the same tokenizers: train them on one corpus"
            )
        model = Ensemble([one.model for one in translators], weights=weights, combination=combination)
        return cls(
            model,
            tokenizers=first.tokenizers,
            decoding=first.decoding,
            shortlist=first.shortlist,
            lexicon=first.lexicon,
        )

    def translate(self, texts: Sequence[str | Request], **changes: Any) -> list[Hypothesis]:
        """Return the best hypothesis for each text; see `translate_n_best`."""
        return list(self.translate_stream(texts, **changes))

    def translate_stream(self, lines: Iterable[str | Request], **changes: Any) -> Iterator[Hypothesis]:
        """Yield the best hypothesis for each of any number of lines; see `translate_n_best`."""
        for hypotheses in self.translate_n_best(lines, n_best=1, **changes):
            yield hypotheses[0]

    def translate_n_best(
        self, lines: Iterable[str | Request], *, n_best: int, window: int = WINDOW, first: int = 1, **changes: Any
    ) -> Iterator[list[Hypothesis]]:
        """Yield the n-best hypotheses for each line, in the order of the lines, in constant memory.

        An empty line gives one empty hypothesis. A line of more than `MAX_SOURCE_PIECES` pieces is cut there, and a
        warning names it.

        Args:
            lines: raw text, one sentence each, or requests; read `window` at a time.
            n_best: hypotheses per line, at most beam_size; of sampling, the number of samples.
            window: lines that are sorted by length together.
            first: number of the first line, for messages and for the seeds of sampling.
            changes: of the model's own decoding options, by name; see `mt.search.DecodingOptions`.

        Raises:
            ConfigError: if an option is unknown or out of range, or a request cannot be fulfilled.
        """
        searcher = self._searcher(n_best, changes)
        return (
            found
            for number, requests in windows(lines, window, first)
            for found in self._translate_window(requests, number, searcher)
        )

    def translate_window(
        self, requests: list[Request], *, first: int, n_best: int, **changes: Any
    ) -> list[list[Hypothesis]]:
        """Return the n-best hypotheses of lines that are sorted by length together; see `translate_n_best`."""
        return self._translate_window(requests, first, self._searcher(n_best, changes))

    def _searcher(self, n_best: int, changes: dict[str, Any]) -> Searcher:
        options = self.decoding.changed(changes)
        if n_best < 1 or (n_best > options.beam_size and not options.sample):
            raise ConfigError(f"n-best must lie between 1 and the beam size {options.beam_size}, not {n_best}")
        return Searcher(self.model, options=options, n_best=n_best, spelling=self.spelling)

    def _translate_window(self, requests: list[Request], first: int, searcher: Searcher) -> list[list[Hypothesis]]:
        sources = self._encode([request.text for request in requests], first)
        constraints = [self._constraints(request, number) for number, request in enumerate(requests, start=first)]
        found = [[NOTHING]] * len(sources)
        for places in token_batches([len(ids) for ids in sources], searcher.options.batch_tokens):
            src, src_lengths = padded_sources([sources[place] for place in places])
            hypotheses = searcher.search(
                src,
                src_lengths,
                numbers=[first + place for place in places],
                constraints=[constraints[place] for place in places],
                vocabulary=self._vocabulary(src, [constraints[place] for place in places]),
            )
            texts = iter(self.tokenizers.target.decode([one.ids for some in hypotheses for one in some]))
            for place, some in zip(places, hypotheses, strict=True):
                if not some:
                    self._explain_nothing(requests[place], first + place)
                found[place] = [self._with_text(one, sources[place], next(texts)) for one in some]
                if searcher.options.replace_unknown:
                    found[place] = [self._without_unknown(one, requests[place].text) for one in found[place]]
        return found

    def _encode(self, texts: list[str], first: int) -> list[list[int]]:
        sources = self.tokenizers.source.encode(texts)
        for number, ids in enumerate(sources, start=first):
            if len(ids) > MAX_SOURCE_PIECES:
                logger.warning(
                    "line %d has %d pieces: only the first %d are translated; split it into sentences",
                    *(number, len(ids), MAX_SOURCE_PIECES),
                )
                del ids[MAX_SOURCE_PIECES:]
        return sources

    def _constraints(self, request: Request, number: int) -> Constraints:
        if not request.is_constrained:
            return Constraints()
        try:
            return constraints_of(request, self.tokenizers.target, self.spelling)
        except ConfigError as error:
            raise ConfigError(f"line {number}: {error}") from error

    def _vocabulary(self, src: Ids, constraints: Sequence[Constraints]) -> Ids | None:
        """Return the target ids that a batch may need; None for all of them."""
        if self.shortlist is None:
            return None
        wanted = [token for constraint in constraints for phrase in constraint.include for token in phrase]
        wanted += [self.spelling.ids[letter] for constraint in constraints for letter in constraint.prefix]
        listed = self.shortlist.ids_for(src)
        return np.union1d(listed, np.array(wanted, dtype=np.int64)) if wanted else listed

    def _without_unknown(self, hypothesis: Hypothesis, source: str) -> Hypothesis:
        if UNK not in hypothesis.ids:
            return hypothesis
        text = replace_unknown(
            hypothesis.ids,
            tokenizer=self.tokenizers.target,
            source_words=self.tokenizers.source.words(source),
            links=word_alignment(hypothesis.attention, hypothesis.source_pieces, hypothesis.pieces),
            lexicon=self.lexicon,
        )
        return replace(hypothesis, text=text)

    def _explain_nothing(self, request: Request, number: int) -> None:
        """Raise the error for a line that has no translation."""
        if request.is_constrained:
            raise ConfigError(
                f"line {number} has no translation that begins with {request.prefix!r}, contains {[*request.include, *request.keep]} and "
                f"does not contain {[*request.exclude]}: these contradict each other, or the length allowed"
            )
        raise ModelFolderError("the model's weights are not finite numbers: its training has failed")

    def _with_text(self, hypothesis: Hypothesis, source: list[int], text: str) -> Hypothesis:
        return replace(
            hypothesis,
            text=text,
            pieces=tuple(self.tokenizers.target.pieces(hypothesis.ids)),
            source_pieces=tuple(self.tokenizers.source.pieces(source)),
        )
