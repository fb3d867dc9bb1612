"""Trains a model on made-up tokens, in turns: python -m mtbench.synthetic_train '{"spec": ..., "length": 25, ...}'."""

import json
import sys

import torch
from torch import Tensor

from mt.model import ModelSpec, build_model
from mt.text.symbols import BOS, EOS
from mtbench.multiply_adds import count_multiply_adds
from mtbench.turns import Turns


def main(*, spec: dict[str, object], length: int, batch_tokens: int) -> None:
    """Train until the turns end.

    Args:
        spec: of the model, see `ModelSpec`.
        length: tokens of every sentence on either side, EOS included.
        batch_tokens: of either side.
    """
    torch.manual_seed(1)
    model = build_model(ModelSpec.from_dict(spec)).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    B = max(1, batch_tokens // length)
    lengths = torch.full((B,), length)
    multiply_adds = count_multiply_adds(model).of(lengths, lengths)
    turns = Turns()
    while True:
        src, tgt = (_sentences(B, length, model.output.out_features) for _ in range(2))
        turns.before_step(model, tokens=tgt.numel(), multiply_adds=multiply_adds)
        tgt_in = torch.cat([torch.full((B, 1), BOS), tgt[:, :-1]], dim=1)
        objective, _ = model.loss(src, lengths, tgt_in, tgt, label_smoothing=0.1)
        optimizer.zero_grad()
        (objective / tgt.numel()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()


def _sentences(rows: int, length: int, vocabulary: int) -> Tensor:
    """Return random token ids with EOS at the end, [rows, length]."""
    ids = torch.randint(EOS + 1, vocabulary, (rows, length))
    ids[:, -1] = EOS
    return ids


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
