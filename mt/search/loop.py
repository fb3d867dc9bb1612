"""The decoding loop: the only one, whatever the strategy, the rules and the model."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mt.search.hypothesis import Hypothesis
from mt.search.next_tokens import NextTokens
from mt.search.ranking import Ranking
from mt.search.rules import Rule, end_at, rows_of
from mt.search.step import Floats, Ids, StateT, Stepper, as_numpy
from mt.search.strategies import Candidates, Live, Strategy
from mt.text.symbols import BOS

__all__ = ["decode", "length_limit"]


def length_limit(src_lengths: Ids) -> Ids:
    """Return how many tokens a translation may have at most, [B], which is far more than any good one has."""
    return 20 + 2 * src_lengths


def decode(
    model: Stepper[StateT],
    src: Ids,
    src_lengths: Ids,
    *,
    strategy: Strategy,
    max_length: Ids,
    n_best: int = 1,
    ranking: Ranking | None = None,
    rules: Sequence[Rule] = (),
    vocabulary: Ids | None = None,
) -> list[list[Hypothesis]]:
    """Translate a batch.

    1. The model scores every next token of every live hypothesis, and the rules lower what must not come.
    2. The strategy proposes which hypotheses end and which go on.
    3. A sentence leaves the batch when it has `beam_size` finished hypotheses, or when nothing that lives can
       still beat its n-best finished ones.
    4. The n-best are read backwards from the records of the steps.

    Args:
        model: see `Stepper`.
        src: token ids, [B, S].
        src_lengths: [B].
        strategy: see `Strategy`.
        max_length: most tokens of each translation, EOS included, at least 1, [B]; the last one is EOS.
        n_best: hypotheses to return per sentence, at most `strategy.beam_size`.
        ranking: how finished hypotheses are compared; `Ranking()` unless given.
        rules: see `Rule`; applied in their order.
        vocabulary: the only target ids that may be predicted, ascending, [V'].

    Returns:
        for each sentence its n-best hypotheses, best first; none if the rules leave nothing.
    """
    book = _Book(len(src), src_lengths, ranking or Ranking(), beam_size=strategy.beam_size, n_best=n_best)
    state = model.start(src, src_lengths, vocabulary)
    B = len(src)
    live = Live(np.arange(B), np.zeros((B, 1)), np.zeros((B, 1)), np.zeros((B, 0), dtype=np.int64))
    prev = np.full(B, BOS)
    while len(live.sentences):
        step = model.step(prev, state)
        tokens = NextTokens(step.log_probs, vocabulary)
        for rule in rules:
            rule.apply(live, tokens)
        end_at(max_length[rows_of(live)], live, tokens)
        ended, going_on = strategy.propose(live, tokens)
        book.write(as_numpy(step.attention))
        book.finish(live, ended, tokens)
        live = book.go_on(live, going_on, tokens)
        state = step.state.reorder(book.origins)
        staying = book.staying(live, max_length)
        if len(staying) < len(live.sentences):
            state = state.keep(staying)
            live = book.keep(live, staying)
        prev = live.tokens[:, -1]
    return book.best()


class _Step(NamedTuple):
    """What was chosen after a step: N rows, from those of the step before."""

    origins: Ids  # [N]: rows of the step before
    tokens: Ids  # [N]
    log_probs: Floats  # [N]


class _Finished(NamedTuple):
    """A hypothesis that has ended, to be read backwards from its last row."""

    score: float
    row: int  # of the last step that it was live in
    steps: int  # tokens without EOS
    end_log_prob: float  # of EOS


class _Book:
    """Records what was chosen, so that hypotheses need not be carried along; knows what has finished."""

    def __init__(self, sentences: int, src_lengths: Ids, ranking: Ranking, *, beam_size: int, n_best: int) -> None:
        self.src_lengths = src_lengths
        self.ranking = ranking
        self.beam_size = beam_size
        self.n_best = n_best
        self.finished: list[list[_Finished]] = [[] for _ in range(sentences)]
        self.steps: list[_Step] = []
        self.attention: list[Floats] = []  # of each step, [rows before it, S]

    @property
    def origins(self) -> Ids:
        """Which rows the live ones continue, [N]."""
        return self.steps[-1].origins

    def write(self, attention: Floats) -> None:
        """Record where the model has just looked from every live hypothesis."""
        self.attention.append(attention)

    def finish(self, live: Live, ended: Candidates, tokens: NextTokens) -> None:
        """Note the hypotheses that have ended."""
        K, length = live.scores.shape[1], live.tokens.shape[1] + 1
        places, ranks = np.nonzero(np.isfinite(ended.scores))
        if not len(places):
            return
        rows = places * K + ended.origins[places, ranks]
        log_probs = tokens.given(rows, ended.tokens[places, ranks])
        totals = live.totals.ravel()[rows] + log_probs
        for sentence, row, log_prob, total in zip(
            live.sentences[places].tolist(), rows.tolist(), log_probs.tolist(), totals.tolist(), strict=True
        ):
            coverage = self._attention(sentence, row, length - 1).sum(0) if self.ranking.coverage_penalty else None
            score = self.ranking.score(total, length, coverage)
            self.finished[sentence].append(_Finished(score, row, length - 1, log_prob))

    def go_on(self, live: Live, chosen: Candidates, tokens: NextTokens) -> Live:
        """Record the tokens that hypotheses go on with."""
        B, K = live.scores.shape
        rows = (np.arange(B)[:, None] * K + chosen.origins).ravel()
        ids = chosen.tokens.ravel()
        log_probs = tokens.given(rows, ids)
        self.steps.append(_Step(rows, ids, log_probs))
        totals = (live.totals.ravel()[rows] + log_probs).reshape(chosen.scores.shape)
        so_far = np.concatenate([live.tokens[rows], ids[:, None]], axis=1)
        return Live(live.sentences, chosen.scores, np.where(np.isfinite(chosen.scores), totals, -np.inf), so_far)

    def staying(self, live: Live, max_length: Ids) -> Ids:
        """Return which of the sentences may still find a hypothesis among their n-best, [B']."""
        bounds = self.ranking.bound(live.totals.max(axis=1), max_length[live.sentences])
        found = [self.finished[sentence] for sentence in live.sentences.tolist()]
        return np.array(
            [
                place
                for place, (bound, ended) in enumerate(zip(bounds.tolist(), found, strict=True))
                if self._open(bound, ended)
            ],
            dtype=np.int64,
        )

    def _open(self, bound: float, ended: list[_Finished]) -> bool:
        """Tell whether a live hypothesis, which can reach bound at best, may still enter the n-best ones."""
        if not bound > -np.inf or len(ended) >= self.beam_size:
            return False
        return len(ended) < self.n_best or bound > self._ranked(ended)[-1].score

    def keep(self, live: Live, staying: Ids) -> Live:
        """Leave sentences behind, in the last record too."""
        K = live.scores.shape[1]
        rows = (staying[:, None] * K + np.arange(K)).ravel()
        self.steps[-1] = _Step(*(part[rows] for part in self.steps[-1]))
        return Live(live.sentences[staying], live.scores[staying], live.totals[staying], live.tokens[rows])

    def best(self) -> list[list[Hypothesis]]:
        """Return the n-best hypotheses of every sentence."""
        return [
            [self._hypothesis(sentence, ended) for ended in self._ranked(found)]
            for sentence, found in enumerate(self.finished)
        ]

    def _ranked(self, found: list[_Finished]) -> list[_Finished]:
        return sorted(found, key=lambda ended: -ended.score)[: self.n_best]

    def _hypothesis(self, sentence: int, ended: _Finished) -> Hypothesis:
        path = self._path(ended.row, ended.steps)
        return Hypothesis(
            ids=tuple(int(self.steps[step].tokens[row]) for step, row in enumerate(path[1:])),
            score=ended.score,
            token_scores=(
                *(float(self.steps[step].log_probs[row]) for step, row in enumerate(path[1:])),
                ended.end_log_prob,
            ),
            attention=self._attention(sentence, ended.row, ended.steps),
        )

    def _path(self, row: int, steps: int) -> list[int]:
        """Return the rows that a hypothesis was in before each step, the last included: [steps + 1]."""
        path = [row]
        for step in reversed(self.steps[:steps]):
            path.append(int(step.origins[path[-1]]))
        return path[::-1]

    def _attention(self, sentence: int, row: int, steps: int) -> Floats:
        """Return where the model looked at each step, [steps + 1, S of the sentence], in memory of its own."""
        S = self.src_lengths[sentence]
        return np.stack([self.attention[step][at, :S] for step, at in enumerate(self._path(row, steps))])
