"""From decoding options to a search: the strategy and the rules for each batch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mt.errors import ConfigError
from mt.search.constrained import ConstrainedBeam
from mt.search.constraints import Avoid, Constraints, Include, Prefix
from mt.search.hypothesis import Hypothesis
from mt.search.loop import decode
from mt.search.options import DecodingOptions
from mt.search.rules import MinLength, NoRepeatNgrams, RepetitionPenalty, Rule, SuppressUnknown
from mt.search.spelling import Spelling
from mt.search.step import Ids, Stepper
from mt.search.strategies import Beam, DiverseBeam, Greedy, Sample, Strategy

__all__ = ["Searcher"]


class Searcher:
    """Translates batches of token ids as options say.

    Args:
        model: see `Stepper`.
        options: see `DecodingOptions`.
        n_best: hypotheses of each sentence: at most the beam, or the number of samples.
        spelling: of the target vocabulary, for constraints.
    """

    def __init__(self, model: Stepper[Any], *, options: DecodingOptions, n_best: int, spelling: Spelling) -> None:
        self.model = model
        self.options = options
        self.n_best = n_best
        self.spelling = spelling
        self.ranking = options.ranking()

    def search(
        self,
        src: Ids,
        src_lengths: Ids,
        *,
        numbers: Sequence[int],
        constraints: Sequence[Constraints],
        vocabulary: Ids | None = None,
    ) -> list[list[Hypothesis]]:
        """Return the n-best hypotheses of each sentence of a batch, best first; none where constraints leave nothing.

        Args:
            src: token ids, [B, S].
            src_lengths: [B].
            numbers: of the sentences, for the seeds of sampling, [B].
            constraints: of the sentences, [B].
            vocabulary: the only target ids that may be predicted, ascending, [V'].

        Raises:
            ConfigError: if phrases are to be included by a diverse beam.
        """
        least, most = self.options.limits(src_lengths)
        wanted = np.array([constraint.tokens for constraint in constraints])
        most = np.where(wanted, np.maximum(most, 2 * wanted + 2), most)
        rules = [*self._general_rules(least), *self._constraint_rules(constraints)]
        strategy = self._strategy(numbers)
        if any(constraint.include for constraint in constraints):
            include = Include([constraint.include for constraint in constraints], most, self.spelling)
            rules.append(include)
            if self.options.beam_groups > 1:
                raise ConfigError("phrases cannot be included by a diverse beam: leave beam_groups at 1")
            if not self.options.sample:
                strategy = ConstrainedBeam(beam_size=self.options.beam_size, include=include)
        return decode(
            self.model,
            src,
            src_lengths,
            strategy=strategy,
            max_length=most,
            n_best=self.n_best,
            ranking=self.ranking,
            rules=rules,
            vocabulary=vocabulary,
        )

    def _strategy(self, numbers: Sequence[int]) -> Strategy:
        options = self.options
        if options.sample:
            return Sample(
                samples=self.n_best,
                generators=[np.random.default_rng([options.seed, number]) for number in numbers],
                temperature=options.temperature,
                top_k=options.top_k,
                top_p=options.top_p,
            )
        if options.beam_groups > 1:
            return DiverseBeam(beam_size=options.beam_size, groups=options.beam_groups, diversity=options.diversity)
        return Beam(beam_size=options.beam_size) if options.beam_size > 1 else Greedy()

    def _general_rules(self, least: Ids) -> list[Rule]:
        options = self.options
        rules: list[Rule] = []
        if options.repetition_penalty > 1:
            rules.append(RepetitionPenalty(options.repetition_penalty))
        if options.suppress_unknown:
            rules.append(SuppressUnknown())
        if options.no_repeat_ngram:
            rules.append(NoRepeatNgrams(options.no_repeat_ngram))
        if least.any():
            rules.append(MinLength(least))
        return rules

    def _constraint_rules(self, constraints: Sequence[Constraints]) -> list[Rule]:
        rules: list[Rule] = []
        if any(constraint.exclude for constraint in constraints):
            rules.append(Avoid([constraint.exclude for constraint in constraints], self.spelling))
        if any(constraint.prefix for constraint in constraints):
            rules.append(Prefix([constraint.prefix for constraint in constraints], self.spelling))
        return rules
