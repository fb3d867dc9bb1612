"""Dropout that keeps its choice for a whole sequence, and dropout of whole words."""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SequenceDropout", "WordDropout"]


class SequenceDropout(nn.Dropout):
    """Drops the same units at every position of a row (variational dropout, Gal and Ghahramani 2016)."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of x: [B, T, D]."""
        return _drop_together(x, x[:, :1], self.p) if self.training else x


class WordDropout(nn.Dropout):
    """Drops the embeddings of whole tokens (Gal and Ghahramani 2016; Sennrich and Zhang 2019, section 3.3)."""

    def forward(self, embedded: Tensor) -> Tensor:
        """Drop positions of embedded: [..., E]."""
        return _drop_together(embedded, embedded[..., :1], self.p) if self.training else embedded


def _drop_together(x: Tensor, drawn: Tensor, p: float) -> Tensor:
    """Draw once for each element of `drawn`, which is a slice of x; what else there is shares the draw."""
    return x * functional.dropout(torch.ones_like(drawn), p) if p else x
