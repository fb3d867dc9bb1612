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
    summary: Tensor  # [B, 2 * hidden size]: final states of both directions of the last layer
    mask: Tensor  # [B, S] bool, True = real token


class RecurrentEncoder(nn.Module):
    """A stack of bidirectional recurrent layers over embedded tokens (Bahdanau et al. 2015, section 3.2).

    With residual connections, every layer but the first adds to what it reads (Wu et al. 2016, section 3.1). With
    bridging, the memory holds each token's embedding beside its contextual vector, so that what a word means is a matter
    of one projection (source-side bridging, Kuang et al. 2018, section 3.1).
    """

    def __init__(
        self,
        *,
        embedding: nn.Embedding,
        layers: Sequence[Bidirectional],
        dropout: nn.Module,
        residual: bool,
        bridging: bool,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.layers = nn.ModuleList(layers)
        self.dropout = dropout
        self.residual = residual
        self.bridging = bridging

    def forward(self, src: Tensor, lengths: Tensor) -> Encoded:
        """Encode a padded batch.

        Args:
            src: token ids, [B, S].
            lengths: real tokens of each row, at least 1, [B].
        """
        x = embedded = self.dropout(self.embedding(src))
        for depth, layer in enumerate(self.layers):
            outputs, summary = layer(x, lengths)
            x = self.dropout(x + outputs if self.residual and depth else outputs)
        if self.bridging:
            x = torch.cat([x, embedded], dim=2)
        mask = torch.arange(src.shape[1], device=src.device) < lengths.unsqueeze(1)
        return Encoded(x, summary, mask)
