"""Token embeddings that can also serve as the output layer."""

import torch
from torch import Tensor, nn

from mt.nn.dropout import WordDropout
from mt.text.symbols import PAD

__all__ = ["TokenEmbedding"]


class TokenEmbedding(nn.Embedding):
    """Rows of variance 1 / E, multiplied by sqrt(E) when they are read (Vaswani et al. 2017, section 3.4).

    As an output layer the rows give logits of order 1 at the start; as an input they have unit variance, without
    which the encoder's states, and with them the attention, start out too faint to learn fast.
    """

    def __init__(self, *, vocabulary: int, size: int, word_dropout: float = 0.0) -> None:
        super().__init__(vocabulary, size, padding_idx=PAD)
        self.word_dropout = WordDropout(word_dropout)
        nn.init.normal_(self.weight, std=size**-0.5)
        with torch.no_grad():
            self.weight[PAD].zero_()

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids: [...] to [..., E]."""
        embedded: Tensor = self.word_dropout(super().forward(ids) * self.embedding_dim**0.5)
        return embedded
