"""Minimum risk training: what search finds gets better, where likelihood makes references likelier."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mt.data.batching import Batch
from mt.errors import ConfigError
from mt.evaluation.metrics import sentence_bleu
from mt.model import Seq2Seq
from mt.search import Beam, Hypothesis, decode, length_limit
from mt.text.padding import padded_targets
from mt.text.tokenizer import Tokenizer
from mt.torch_model import TorchModel

__all__ = ["MinimumRisk"]


@dataclass(frozen=True, kw_only=True)
class MinimumRisk:
    """Expects the cost of a translation, 1 - BLEU / 100 of the sentence, over what a beam finds (Shen et al. 2016).

    A candidate's probability among the candidates grows with its mean log-probability per token, so that short ones are
    not favoured. The beam is found without dropout, as in use; its hypotheses are judged with dropout, as in training.

    Args:
        from_step: optimizer steps of training by likelihood alone, which come first.
        candidates: hypotheses of each sentence.
        sharpness: of the distribution over them; 0 would make all alike.
        likelihood: weight of the ordinary loss, per token, which stays beside the risk (as Edunov et al. 2018 advise).

    Raises:
        ConfigError: naming every wrong value at once.
    """

    from_step: int
    candidates: int = 5
    sharpness: float = 3.0
    likelihood: float = 0.1

    def __post_init__(self) -> None:
        """Check every field."""
        problems = []
        for name, least in (("from_step", 0), ("candidates", 2)):
            if type(value := getattr(self, name)) is not int or value < least:
                problems.append(f"{name} must be a whole number of at least {least}, not {value!r}")
        if not (type(self.sharpness) in (int, float) and 0 < self.sharpness < float("inf")):
            problems.append(f"sharpness must be above 0, not {self.sharpness!r}")
        if not (type(self.likelihood) in (int, float) and 0 <= self.likelihood < float("inf")):
            problems.append(f"likelihood must be at least 0, not {self.likelihood!r}")
        if problems:
            raise ConfigError("the risk cannot be trained: " + "; ".join(f"minimum_risk.{text}" for text in problems))

    def __call__(self, model: Seq2Seq, batch: Batch, tokenizer: Tokenizer) -> Tensor:
        """Return the expected costs of a batch's sentences, summed, []; carries the gradient."""
        found = self._search(model, batch)
        owners = [sentence for sentence, hypotheses in enumerate(found) for _ in hypotheses]
        ranks = [rank for hypotheses in found for rank, _ in enumerate(hypotheses)]
        ids = [list(hypothesis.ids) for hypotheses in found for hypothesis in hypotheses]
        bleu = sentence_bleu(tokenizer.decode(ids), [batch.references[owner] for owner in owners])
        log_probs = self._mean_log_probs(model, batch, owners, ids)
        shape = len(found), self.candidates
        costs = log_probs.new_zeros(shape)
        costs[owners, ranks] = 1 - log_probs.new_tensor(bleu) / 100
        energies = log_probs.new_full(shape, -torch.inf)
        energies[owners, ranks] = self.sharpness * log_probs
        return (energies.softmax(1) * costs).sum()

    def _search(self, model: Seq2Seq, batch: Batch) -> list[list[Hypothesis]]:
        src, src_lengths = batch.src.cpu().numpy(), batch.src_lengths.cpu().numpy()
        model.eval()
        try:
            return decode(
                TorchModel(model),
                src,
                src_lengths,
                strategy=Beam(beam_size=self.candidates),
                max_length=length_limit(src_lengths),
                n_best=self.candidates,
            )
        finally:
            model.train()

    def _mean_log_probs(self, model: Seq2Seq, batch: Batch, owners: Sequence[int], ids: list[list[int]]) -> Tensor:
        """Score N candidates, [N], nats per token."""
        device = batch.src.device
        tgt_in, tgt_out = (torch.from_numpy(part).to(device) for part in padded_targets(ids))
        index = torch.tensor(owners, device=device)
        log_probs = model.log_probs(batch.src, batch.src_lengths, tgt_in, tgt_out, sentences=index)
        return log_probs.sum(1) / torch.tensor([len(row) + 1 for row in ids], device=device)
