"""Beam search for hypotheses that must contain given phrases."""

import numpy as np

from mt.search.constraints import Include
from mt.search.next_tokens import NextTokens
from mt.search.step import Floats, Ids
from mt.search.strategies import Candidates, Live, Proposals, best_of_sentence, proposals

__all__ = ["ConstrainedBeam"]


class ConstrainedBeam:
    """A beam that is shared out among hypotheses with few and with many of the phrases (Post and Vilar 2018).

    Beside the best continuations of a sentence, every hypothesis may go on with its own best token, and with every
    token that brings it closer to its phrases. All these are put into banks by the number of tokens of the phrases that
    they have, and the beam takes in turns from each bank the best that is left: so that hypotheses which have begun with
    an unlikely phrase are compared with their like.

    Args:
        beam_size: hypotheses followed at a time.
        include: what the sentences must contain; those for which that is nothing have an ordinary beam.
    """

    def __init__(self, *, beam_size: int, include: Include) -> None:
        self.beam_size = beam_size
        self.include = include

    def propose(self, live: Live, tokens: NextTokens) -> Proposals:
        """See `mt.search.strategies.Strategy`."""
        K = live.scores.shape[1]
        best, ids = tokens.best(self.beam_size + 1)
        ordinary = best_of_sentence(live.scores, best, ids, 2 * self.beam_size)
        lists: list[list[tuple[float, int, int]]] = []
        for place, sentence in enumerate(live.sentences.tolist()):
            found = list(zip(*(part[place].tolist() for part in ordinary), strict=True))
            if self.include.phrases[sentence]:
                own = slice(place * K, place * K + K)
                found = self._in_turns(sentence, live, own, {*found, *self._further(place, live, tokens, ids[own, :1])})
            lists.append(found)
        width = max(map(len, lists))
        filled = np.array([one + [(-np.inf, 0, 0)] * (width - len(one)) for one in lists])
        scores, origins, chosen = np.moveaxis(filled, 2, 0)
        return proposals(Candidates(scores, origins.astype(np.int64), chosen.astype(np.int64)), self.beam_size)

    def _further(self, place: int, live: Live, tokens: NextTokens, best: Ids) -> set[tuple[float, int, int]]:
        """Return the continuations by each hypothesis' best token, best: [K, 1], and by what the phrases ask for."""
        found = set()
        K = live.scores.shape[1]
        for origin in range(K):
            row = place * K + origin
            progress = self.include.progress(int(live.sentences[place]), live.tokens[row])
            ids = np.concatenate([best[origin], self.include.advancing(int(live.sentences[place]), progress)])
            scores: Floats = live.scores[place, origin] + tokens.now(np.full_like(ids, row), ids)
            found |= {(score, origin, token) for score, token in zip(scores.tolist(), ids.tolist(), strict=True)}
        return found

    def _in_turns(
        self, sentence: int, live: Live, rows: slice, candidates: set[tuple[float, int, int]]
    ) -> list[tuple[float, int, int]]:
        """Order candidates: the best of each bank, the fullest bank first, then the second best of each, and so on."""
        banks: dict[int, int] = {}
        ordered = []
        so_far = live.tokens[rows]
        for score, origin, token in sorted(candidates, key=lambda one: (-one[0], one[1:])):
            before = self.include.progress(sentence, so_far[origin])
            bank = self.include.count(sentence, self.include.after(sentence, before, token))
            banks[bank] = banks.get(bank, 0) + np.isfinite(score)
            ordered.append(((not np.isfinite(score), banks[bank], -bank), (score, origin, token)))
        return [candidate for _, candidate in sorted(ordered, key=lambda one: one[0])]
