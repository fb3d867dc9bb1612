"""Dropout whose random numbers cost little, that keeps its choice for a whole sequence, or drops whole words."""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Dropout", "SequenceDropout", "WordDropout"]


class Dropout(nn.Dropout):
    """Drops each unit by itself (Srivastava et al. 2014).

    On a CPU, where PyTorch draws number by number, one draw of 64 bits decides on four units: p is rounded to a
    multiple of 2^-16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Drop units of x: [...]."""
        if not self.training or not self.p:
            return x
        if not x.is_cpu:
            return functional.dropout(x, self.p)
        draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        lowest_kept = round(self.p * 2**16) - 2**15
        kept = draws.view(torch.int16)[: x.numel()].view_as(x) >= lowest_kept
        return x * kept.to(x.dtype).mul_(1 / (1 - self.p))


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
