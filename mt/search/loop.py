"""The decoding loop: the only one, whatever the strategy and the model."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mt.search.hypothesis import Hypothesis
from mt.search.step import StateT, Stepper
from mt.search.strategies import Candidates, Strategy
from mt.text.symbols import BOS, EOS, PAD

__all__ = ["decode", "length_limit"]

NEVER = (PAD, BOS)  # tokens that no translation contains


def length_limit(src_lengths: Tensor) -> Tensor:
    """Return how many tokens a translation may have at most, [B], which is far more than any good one has."""
    return 20 + 2 * src_lengths


@dataclass
class _Live:
    """Unfinished hypotheses of the sentences that are still in the batch: B sentences, K each, t tokens."""

    sentences: Tensor  # [B]: their place in the caller's batch
    scores: Tensor  # [B, K]
    tokens: Tensor  # [B, K, t]
    token_scores: Tensor  # [B, K, t]
    attention: Tensor  # [B, K, t, S]

    def continued(self, chosen: Candidates, log_probs: Tensor, attention: Tensor) -> "_Live":
        """Append the chosen tokens. Args: log_probs: [B, K, V], attention: [B, K, S']."""
        rows = torch.arange(len(chosen.origins), device=chosen.origins.device).unsqueeze(1)
        origins, tokens = chosen.origins, chosen.tokens.unsqueeze(2)
        S = attention.shape[2]
        return _Live(
            sentences=self.sentences,
            scores=chosen.scores,
            tokens=torch.cat([self.tokens[rows, origins], tokens], dim=2),
            token_scores=torch.cat([self.token_scores[rows, origins], log_probs[rows, origins].gather(2, tokens)], 2),
            attention=torch.cat([self.attention[rows, origins, :, :S], attention[rows, origins].unsqueeze(2)], 2),
        )

    def keep(self, index: Tensor) -> "_Live":
        """Keep only the sentences at index: [B']."""
        return _Live(
            self.sentences[index],
            self.scores[index],
            self.tokens[index],
            self.token_scores[index],
            self.attention[index],
        )


@torch.inference_mode()
def decode(
    model: Stepper[StateT], src: Tensor, src_lengths: Tensor, *, strategy: Strategy, max_length: Tensor, n_best: int = 1
) -> list[list[Hypothesis]]:
    """Translate a batch.

    1. The model scores every next token of every live hypothesis.
    2. The strategy proposes continuations.
    3. Proposals that end a sentence, if among the best `beam_size`, are finished; the best others live on.
    4. A sentence leaves the batch when it has `beam_size` finished hypotheses, or when nothing that lives can
       still beat its n-best finished ones.

    Args:
        model: see `Stepper`.
        src: token ids, [B, S].
        src_lengths: [B].
        strategy: see `Strategy`.
        max_length: most tokens of each translation, EOS included, at least 1, [B]; the last one is EOS.
        n_best: hypotheses to return per sentence, at most `strategy.beam_size`.

    Returns:
        for each sentence its n-best hypotheses, best first.
    """
    B, device, K = len(src), src.device, strategy.beam_size
    finished: list[list[Hypothesis]] = [[] for _ in range(B)]
    state = model.start(src, src_lengths)
    live = _Live(
        sentences=torch.arange(B, device=device),
        scores=torch.zeros(B, 1, device=device),
        tokens=torch.full((B, 1, 0), BOS, device=device),
        token_scores=torch.zeros(B, 1, 0, device=device),
        attention=torch.zeros(B, 1, 0, src.shape[1], device=device),
    )
    prev = torch.full((B,), BOS, device=device)
    while len(live.sentences):
        length = live.tokens.shape[2] + 1
        limits = max_length[live.sentences]
        step = model.step(prev, state)
        log_probs = step.log_probs.view(*live.scores.shape, -1)  # [B, K, V]
        attention = step.attention.view(*live.scores.shape, -1)  # [B, K, S]
        candidates = strategy.propose(live.scores, _allowed(log_probs, last=limits <= length))
        ends = (candidates.tokens == EOS) & candidates.scores.isfinite()
        ends[:, K:] = False
        if ends.any():
            scores = strategy.normalise(candidates.scores, torch.tensor(length, device=device))
            _finish(finished, live.continued(candidates, log_probs, attention), ends, scores, src_lengths)
        going_on = _without_end(candidates, K)
        rows = torch.arange(len(limits), device=device).unsqueeze(1) * live.scores.shape[1] + going_on.origins
        state = step.state.reorder(rows.flatten())
        live = live.continued(going_on, log_probs, attention)
        bounds = strategy.normalise(live.scores.max(dim=1).values, limits)
        staying = [
            place
            for place, (sentence, bound) in enumerate(zip(live.sentences.tolist(), bounds.tolist(), strict=True))
            if _can_improve(finished[sentence], bound, K, n_best)
        ]
        if len(staying) < len(limits):
            index = torch.tensor(staying, dtype=torch.long, device=device)
            live, state = live.keep(index), state.keep(index)
        prev = live.tokens[:, :, -1].flatten()
    return [_ranked(found)[:n_best] for found in finished]


def _allowed(log_probs: Tensor, *, last: Tensor) -> Tensor:
    """Rule out what no translation contains, and everything but EOS where this token is the last, last: [B]."""
    allowed = log_probs.clone()
    allowed[:, :, NEVER] = -torch.inf
    end = allowed[:, :, EOS].clone()
    allowed[last] = -torch.inf
    allowed[:, :, EOS] = end
    return allowed


def _without_end(candidates: Candidates, beam_size: int) -> Candidates:
    """Keep the best candidates that go on; where there are fewer, ended ones fill up with a score of -inf."""
    scores = candidates.scores.masked_fill(candidates.tokens == EOS, -torch.inf)
    scores, best = scores.topk(min(beam_size, scores.shape[1]), dim=1)
    return Candidates(scores, candidates.origins.gather(1, best), candidates.tokens.gather(1, best))


def _finish(finished: list[list[Hypothesis]], grown: _Live, ends: Tensor, scores: Tensor, src_lengths: Tensor) -> None:
    """Turn the candidates where ends: [B, M] is set into hypotheses. Args: scores: normalised, [B, M]."""
    for place, rank in ends.nonzero().tolist():
        sentence = int(grown.sentences[place])
        finished[sentence].append(
            Hypothesis(
                ids=tuple(grown.tokens[place, rank, :-1].tolist()),
                score=float(scores[place, rank]),
                token_scores=tuple(grown.token_scores[place, rank].tolist()),
                # a copy, for a view would keep the whole batch alive
                attention=grown.attention[place, rank, :, : src_lengths[sentence]].to("cpu", copy=True),
            )
        )


def _can_improve(found: list[Hypothesis], bound: float, beam_size: int, n_best: int) -> bool:
    """Tell whether a live hypothesis, which can reach bound at best, may still enter the n-best ones."""
    if not bound > -torch.inf or len(found) >= beam_size:
        return False
    return len(found) < n_best or bound > _ranked(found)[n_best - 1].score


def _ranked(found: list[Hypothesis]) -> list[Hypothesis]:
    return sorted(found, key=lambda hypothesis: -hypothesis.score)
