"""The built-in corpus: a synchronous English-German grammar that yields sentence pairs with gold word alignments.

The language is in three files that a linguist can edit: lexicon.yaml (words), morphology.yaml (endings, determiners,
pronouns) and rules.yaml (kinds of sentences, word order, weights). The modules are the engine, from the bottom up:
`tokens` (words with meanings), `english` and `german` (inflection), `words` and `lexicon`, `morphology`, `nominals`,
`clause`, `rules`, `sentence` (both linearisations and the alignment), `spaces` (counting and drawing),
`phrase_spaces` and `grammar` (what can be derived), `corpus` (distinct pairs, splits).

One English sentence always has the same German translation; "you" is always du, "it" es.
"""

from mt.data.grammar.corpus import SPLITS, count_derivations, count_lemmas, generate
from mt.data.grammar.sentence import AlignedPair

__all__ = ["SPLITS", "AlignedPair", "count_derivations", "count_lemmas", "generate"]
