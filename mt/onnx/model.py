"""A model that ONNX Runtime computes: satisfies `mt.search.step.Stepper`, with NumPy arrays and without torch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mt.search.step import Ids

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["COVERAGE", "MEMORY", "OUTPUT_LAYER", "OnnxModel", "OnnxState", "OnnxStep"]

Arrays = Mapping[str, NDArray[Any]]

MEMORY = ("values", "keys", "mask")  # [B, S, ...]
OUTPUT_LAYER = ("output_weight", "output_bias")  # [F, V'] and [V'], of a shortlist
COVERAGE = "coverage"  # [N, S], the only part of a decoder's state that is as long as the memory


@dataclass(frozen=True)
class OnnxState:
    """B sentences in the middle of being translated, with K hypotheses each: N = B * K rows.

    Arrays go by the names that they have in the graphs.
    """

    memory: Arrays  # of B sentences
    decoder: Arrays  # of N rows
    output_layer: Arrays  # of the shortlist; empty if all of the vocabulary may be predicted

    def reorder(self, rows: Ids) -> "OnnxState":
        """Let hypotheses continue others of the same sentence, rows: [N']; K may change."""
        return replace(self, decoder={name: part[rows] for name, part in self.decoder.items()})

    def keep(self, sentences: Ids) -> "OnnxState":
        """Keep only the sentences at index sentences: [B'], each with all of its hypotheses."""
        mask = self.memory["mask"]
        longest = int(mask[sentences].sum(1).max(initial=0))
        N = len(next(iter(self.decoder.values())))
        decoder = self.reorder(np.arange(N).reshape(len(mask), -1)[sentences].reshape(-1)).decoder
        return replace(
            self,
            memory={name: part[:, :longest][sentences] for name, part in self.memory.items()},
            decoder={name: part[:, :longest] if name == COVERAGE else part for name, part in decoder.items()},
        )


class OnnxStep(NamedTuple):
    """What the model says about the next target token of N rows."""

    log_probs: NDArray[np.float32]  # [N, V], or [N, V'] of a shortlist, nats
    state: OnnxState
    attention: NDArray[np.float32]  # [N, S]


class OnnxModel:
    """The graphs of an ONNX model folder, each in a session; see `mt.onnx.graphs` for what they compute.

    Args:
        start: session of the graph that reads the source.
        step: of the step that predicts one token of the whole vocabulary.
        shortlist_step: of the one that takes its output layer as an input.
    """

    def __init__(
        self, *, start: "InferenceSession", step: "InferenceSession", shortlist_step: "InferenceSession"
    ) -> None:
        self._start = start
        self._step = step
        self._shortlist_step = shortlist_step
        self._started = [output.name for output in start.get_outputs()]
        self._stepped = [output.name for output in step.get_outputs()]

    def start(self, src: Ids, src_lengths: Ids, vocabulary: Ids | None = None) -> OnnxState:
        """Read the source and get ready to predict its first target token, K = 1.

        Args:
            src: token ids, [B, S], padded at the end.
            src_lengths: [B].
            vocabulary: the only target ids that may be predicted, ascending, [V']; None stands for all. The others
                then cost nothing.
        """
        shortlist = np.empty(0, np.int64) if vocabulary is None else vocabulary
        results = self._start.run(self._started, {"src": src, "lengths": src_lengths, "vocabulary": shortlist})
        parts = dict(zip(self._started, results, strict=True))
        memory = {name: parts.pop(name) for name in MEMORY}
        output_layer = {name: parts.pop(name) for name in OUTPUT_LAYER}
        return OnnxState(memory, parts, {} if vocabulary is None else output_layer)

    def step(self, prev: Ids, state: OnnxState) -> OnnxStep:
        """Predict the token after prev: [N], which are target ids, also with a shortlist."""
        session = self._shortlist_step if state.output_layer else self._step
        given = {"prev": prev, **state.memory, **state.decoder, **state.output_layer}
        log_probs, attention, *after = session.run(self._stepped, given)
        return OnnxStep(log_probs, replace(state, decoder=dict(zip(state.decoder, after, strict=True))), attention)
