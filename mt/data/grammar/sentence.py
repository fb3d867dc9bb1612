"""A derived sentence and its two linearisations: words in order, punctuation, capital letter, word alignment."""

from dataclasses import dataclass

from mt.data.grammar.clause import Clause, Fields, english_fields, german_fields
from mt.data.grammar.morphology import morphology
from mt.data.grammar.nominals import NounPhrase
from mt.data.grammar.rules import SentenceRule, Symbol
from mt.data.grammar.tokens import CLAUSE_BITS, SLOT_BITS, Token, links, shifted
from mt.data.grammar.words import Phrase

__all__ = ["AlignedPair", "Sentence"]


@dataclass(frozen=True)
class AlignedPair:
    """An English sentence, its German translation, and the gold word alignment.

    Attributes:
        source: English, raw text with normal capitals and punctuation.
        target: German, likewise.
        alignment: pairs (source index, target index), sorted. Indices count the words between spaces from 0;
            punctuation belongs to the word that it is attached to.
    """

    source: str
    target: str
    alignment: tuple[tuple[int, int], ...]

    @property
    def pharaoh(self) -> str:
        """Return the alignment in Pharaoh format: `0-0 1-2`."""
        return " ".join(f"{i}-{j}" for i, j in self.alignment)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One derivation: the rule, its function word, and its clauses (main first)."""

    rule: SentenceRule
    word: Phrase | None
    clauses: tuple[Clause, ...]

    def source(self) -> list[Token]:
        """Return the English words."""
        inverted = {symbol.name for symbol in self.rule.english if symbol.order and symbol.order.inverted}
        fields = {
            name: english_fields(clause, inverted=name in inverted)
            for name, clause in zip(("main", "sub"), self.clauses, strict=False)
        }
        return self._linearise(self.rule.english, fields, side=0)

    def target(self) -> list[Token]:
        """Return the German words."""
        fields = {name: german_fields(clause) for name, clause in zip(("main", "sub"), self.clauses, strict=False)}
        return self._linearise(self.rule.german, fields, side=1)

    def pair(self) -> AlignedPair:
        """Return the sentence in both languages with its alignment."""
        source, target = self.source(), self.target()
        return AlignedPair(text(source), text(target), links(source, target))

    def _linearise(self, template: tuple[Symbol, ...], fields: dict[str, Fields], side: int) -> list[Token]:
        """Follow the template; meanings 0.. belong to function words, then each clause has a block of its own."""
        tokens: list[Token] = []
        for symbol in template:
            if symbol.order:
                bits = SLOT_BITS + CLAUSE_BITS * (symbol.name == "sub")
                clause = fields[symbol.name]
                for field in symbol.order.fields:
                    if field in clause:
                        tokens += shifted(clause[field], bits)
            elif symbol.name == "word":
                assert self.word is not None
                tokens += self.word.german_tokens if side else self.word.english_tokens
            elif symbol.name == "relative":
                tokens.append((self._relative_pronoun(side), 1))
            else:  # punctuation
                word, meanings = tokens[-1]
                tokens[-1] = (word + symbol.name, meanings)
        return tokens

    def _relative_pronoun(self, side: int) -> str:
        """Return who or that; in German the nominative article of the antecedent's gender."""
        antecedent = self.clauses[0].subject
        assert isinstance(antecedent, NounPhrase)
        if side:
            return morphology().determiners["the"].german["nominative"][antecedent.column]
        return "who" if antecedent.noun.person else "that"


def text(tokens: list[Token]) -> str:
    """Return the words as a sentence that begins with a capital letter."""
    sentence = " ".join([word for word, _ in tokens])
    return sentence[0].upper() + sentence[1:]
