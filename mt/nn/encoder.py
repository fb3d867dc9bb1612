"""The encoder: source tokens to a memory of contextual vectors."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mt.nn.rnn import Bidirectional

__all__ = ["Encoded", "RecurrentEncoder"]


class Encoded(NamedTuple):
    """A batch of encoded source sentences."""

    values: Tensor  # [B, S, C]
    summary: Tensor  # [B, C]: final states of both directions of the last layer
    mask: Tensor  # [B, S] bool, True = real token


class RecurrentEncoder(nn.Module):
    """A stack of bidirectional recurrent layers over embedded tokens (Bahdanau et al. 2015, section 3.2)."""

    def __init__(self, *, embedding: nn.Embedding, layers: Sequence[Bidirectional], dropout: float) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(dropout)

    def forward(self, src: Tensor, lengths: Tensor) -> Encoded:
        """Encode a padded batch.

        Args:
            src: token ids, [B, S].
            lengths: real tokens of each row, at least 1, [B].
        """
        x = self.dropout(self.embedding(src))
        for layer in self.layers:
            x, summary = layer(x, lengths)
            x = self.dropout(x)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.unsqueeze(1)
        return Encoded(x, summary, mask)
