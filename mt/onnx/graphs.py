"""What is exported: reading a source, and one step of decoding, as functions of tensors alone."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mt.model import Seq2Seq
from mt.nn.attention import Memory
from mt.nn.decoder import DecoderState

__all__ = ["StartGraph", "StepGraph"]


class StartGraph(nn.Module):
    """Reads the source and gets ready to predict; picks what a shortlist needs of the output layer.

    Args:
        model: see `mt.onnx.layers.exportable`.
        output_rows: maps token ids [V'] to the rows of the output layer's matrix, [V', F].
    """

    def __init__(self, model: Seq2Seq, output_rows: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.output_rows = output_rows

    def forward(self, src: Tensor, lengths: Tensor, vocabulary: Tensor) -> tuple[Tensor, ...]:
        """Encode src: [B, S], lengths: [B].

        Args:
            src: token ids, [B, S].
            lengths: [B].
            vocabulary: target ids, [V'], none of them if there is no shortlist.

        Returns:
            values, keys and mask of the memory, the parts of the decoder's state, and of the output layer weight
            [F, V'] and bias [V'].
        """
        encoded = self.model.encoder(src, lengths)
        memory = self.model.decoder.memory(encoded.values, encoded.mask)
        state = self.model.decoder.start(memory, encoded.summary)
        bias = self.model.output.bias.index_select(0, vocabulary)
        return (*memory, *state, self.output_rows(vocabulary).t(), bias)


class StepGraph(nn.Module):
    """Predicts the token after prev: [N], among those whose part of the output layer is given."""

    def __init__(self, model: Seq2Seq) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(
        self, prev: Tensor, memory: Sequence[Tensor], state: Sequence[Tensor], weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, ...]:
        """Return log-probabilities [N, V'], attention [N, S], and the parts of the state after prev was read."""
        torch._check(prev.shape[0] % memory[0].shape[0] == 0)  # type: ignore[no-untyped-call]  # N = B * K
        features, after, attention = self.decoder.step(prev, Memory(*memory), DecoderState(state))
        return (torch.addmm(bias, features, weight).log_softmax(dim=1), attention, *after)
