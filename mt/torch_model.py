"""A `Seq2Seq` as search sees models: NumPy in, one step at a time."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mt.errors import ConfigError, did_you_mean
from mt.model import Seq2Seq
from mt.model_folder import load_model
from mt.nn.attention import Memory
from mt.nn.decoder import DecoderState
from mt.search import DecodingOptions
from mt.search.step import Ids
from mt.text.tokenizer import TokenizerPair

__all__ = ["TorchModel", "load_torch_model", "pick_device"]


PRECISIONS = {"32": torch.float32, "bf16": torch.bfloat16}


class TorchState(NamedTuple):
    """A batch of B sentences in the middle of being translated, K hypotheses each (N = B * K rows)."""

    memory: Memory  # of B sentences
    decoder: DecoderState  # of N rows
    weight: Tensor  # of the output layer, [V, F] or, with a vocabulary, [V', F]
    bias: Tensor  # likewise, [V] or [V']

    def reorder(self, rows: Ids) -> "TorchState":
        """See `mt.search.step.SearchState`."""
        return self._replace(decoder=self.decoder.reorder(self._index(rows)))

    def keep(self, sentences: Ids) -> "TorchState":
        """See `mt.search.step.SearchState`."""
        index = self._index(sentences)
        B = len(self.memory.mask)
        rows = torch.arange(len(self.decoder[0]), device=index.device).view(B, -1)[index].flatten()
        return self._replace(memory=self.memory.select(index), decoder=self.decoder.reorder(rows))

    def _index(self, index: Ids) -> Tensor:
        return torch.from_numpy(index).to(self.memory.mask.device)


class TorchStep(NamedTuple):
    """What the model says about the next target token of N rows."""

    log_probs: Tensor  # [N, V], in float32 at least
    state: TorchState
    attention: Tensor  # [N, S]


class TorchModel:
    """A model of PyTorch, on whatever device and in whatever precision it is (see `mt.search.step.Stepper`).

    Args:
        model: in evaluation mode.
        precision: a name in `PRECISIONS`; the model's weights become of this type.

    Raises:
        ConfigError: if there is no such precision.
    """

    def __init__(self, model: Seq2Seq, *, precision: str | None = None) -> None:
        if precision is not None and precision not in PRECISIONS:
            raise ConfigError(f"there is no precision {precision!r}. {did_you_mean(precision, PRECISIONS)}")
        self.model = model if precision is None else model.to(PRECISIONS[precision])

    @torch.no_grad()
    def start(self, src: Ids, src_lengths: Ids, vocabulary: Ids | None = None) -> TorchState:
        """See `mt.search.step.Stepper`."""
        model, output = self.model, self.model.output
        device = output.weight.device
        encoded = model.encoder(torch.from_numpy(src).to(device), torch.from_numpy(src_lengths).to(device))
        memory = model.decoder.memory(encoded.values, encoded.mask)
        columns = slice(None) if vocabulary is None else torch.from_numpy(vocabulary).to(device)
        decoder = model.decoder.start(memory, encoded.summary)
        return TorchState(memory, decoder, output.weight[columns], output.bias[columns])

    @torch.no_grad()
    def step(self, prev: Ids, state: TorchState) -> TorchStep:
        """See `mt.search.step.Stepper`."""
        ids = torch.from_numpy(prev).to(state.weight.device)
        features, decoder_state, attention = self.model.decoder.step(ids, state.memory, state.decoder)
        logits = functional.linear(features, state.weight, state.bias)
        log_probs = logits.log_softmax(dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))
        return TorchStep(log_probs, state._replace(decoder=decoder_state), attention)


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


def load_torch_model(
    folder: str | Path, *, device: str, precision: str, threads: int | None
) -> tuple[TorchModel, TokenizerPair, DecodingOptions]:
    """Load a model folder for search, with its tokenizers and decoding defaults; see `Translator.from_folder`."""
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = load_model(folder, device=pick_device(device))
    return TorchModel(loaded.model, precision=precision), loaded.tokenizers, loaded.decoding
