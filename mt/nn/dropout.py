"""Dropout that keeps its choice for a whole sequence, and dropout of whole words."""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SequenceDropout", "WordDropout"]


class SequenceDropout(nn.Dropout):
    """Drops the same units at every position of a row (variational dropout, Gal and Ghahramani 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of x: [B, T, D]."""
        if not self.training or self.p == 0:
            return x
        kept = functional.dropout(torch.ones_like(x[:, :1]), self.p)
        return x * kept


class WordDropout(nn.Dropout):
    """Drops the embeddings of whole tokens (Gal and Ghahramani 2016; Sennrich and Zhang 2019, section 3.3)."""

    def forward(self, embedded: Tensor) -> Tensor:
        """Drop positions of embedded: [..., E]."""
        if not self.training or self.p == 0:
            return embedded
        kept = functional.dropout(torch.ones_like(embedded[..., :1]), self.p)
        return embedded * kept
