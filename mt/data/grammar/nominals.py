"""Noun phrases, pronouns and names, and the prepositional phrases around them, as words of either language."""

from dataclasses import dataclass
from typing import Protocol

from mt.data.grammar.morphology import Determiner, Pronoun, morphology
from mt.data.grammar.tokens import Token
from mt.data.grammar.words import Adjective, Noun

__all__ = ["Name", "Nominal", "NounPhrase", "PrepositionalPhrase", "Pronominal", "Questioned"]

PREPOSITION, DETERMINER, ADJECTIVE, NOUN = 1, 2, 4, 8


class Nominal(Protocol):
    """Anything that can be a subject or an object."""

    @property
    def agreement(self) -> str:
        """Return the person and number of the finite verb: one of `german.AGREEMENTS`."""

    @property
    def is_pronoun(self) -> bool:
        """Return whether this is a pronoun, which English puts before a verb's particle."""

    @property
    def known(self) -> bool:
        """Return whether German puts this object before the adverbs and before nicht."""

    def english(self, *, subject: bool) -> list[Token]:
        """Return the English words."""

    def german(self, case: str, *, negative: bool = False) -> list[Token]:
        """Return the German words; `negative` puts kein in place of the determiner."""


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """Determiner, perhaps an adjective, and a noun in singular or plural."""

    determiner: Determiner
    adjective: Adjective | None
    noun: Noun
    plural: bool

    is_pronoun = False

    @property
    def agreement(self) -> str:
        """Return 3sg or 3pl."""
        return "3pl" if self.plural else "3sg"

    @property
    def known(self) -> bool:
        """Return whether the determiner marks something known."""
        return self.determiner.entry.known

    @property
    def column(self) -> str:
        """Return the column of the declension tables: the gender, or plural."""
        return "plural" if self.plural else self.noun.gender

    def english(self, *, subject: bool) -> list[Token]:
        """Return the English words, equal for subject and object."""
        tokens = []
        determiner = self.determiner.english[self.plural]
        if determiner:
            if determiner == "a":
                determiner = (self.adjective or self.noun).indefinite_article
            tokens.append((determiner, DETERMINER))
        if self.adjective:
            tokens.append((self.adjective.lemma, ADJECTIVE))
        tokens.append((self.noun.english_forms[self.plural], NOUN))
        return tokens

    def german(self, case: str, *, negative: bool = False) -> list[Token]:
        """Return the German words with determiner and adjective in gender, number and case of the noun."""
        determiner = morphology().negative if negative else self.determiner
        column = self.column
        tokens = []
        form = determiner.german[case][column]
        if form:
            tokens.append((form, DETERMINER))
        if self.adjective:
            ending = determiner.adjective_endings[case][column]
            tokens.append((self.adjective.german_stem + ending, ADJECTIVE))
        tokens.append((self.noun.german_forms[case][self.plural], NOUN))
        return tokens


@dataclass(frozen=True, slots=True)
class Pronominal:
    """A personal pronoun in use."""

    pronoun: Pronoun

    is_pronoun = True
    known = True

    @property
    def agreement(self) -> str:
        """Return the pronoun's person and number."""
        return self.pronoun.agreement

    def english(self, *, subject: bool) -> list[Token]:
        """Return the subject or the object form."""
        return [(self.pronoun.english[not subject], NOUN)]

    def german(self, case: str, *, negative: bool = False) -> list[Token]:
        """Return the form for the case; a pronoun is never negated by kein."""
        return [(self.pronoun.german[case], NOUN)]


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a person or a city."""

    names: tuple[str, str]

    agreement = "3sg"
    is_pronoun = False
    known = True

    def english(self, *, subject: bool) -> list[Token]:
        """Return the English name."""
        return [(self.names[0], NOUN)]

    def german(self, case: str, *, negative: bool = False) -> list[Token]:
        """Return the German name, equal in all cases; a name is never negated by kein."""
        return [(self.names[1], NOUN)]


class Questioned:
    """The place of a subject or object that a question word asks for: no words, third person singular."""

    agreement = "3sg"
    is_pronoun = False
    known = True

    def english(self, *, subject: bool) -> list[Token]:
        """Return no words."""
        return []

    def german(self, case: str, *, negative: bool = False) -> list[Token]:
        """Return no words."""
        return []


@dataclass(frozen=True, slots=True)
class PrepositionalPhrase:
    """A nominal behind a preposition. `prepositions`: English, German."""

    prepositions: tuple[str, str]
    case: str
    nominal: Nominal

    def english(self) -> list[Token]:
        """Return the English words."""
        return [(self.prepositions[0], PREPOSITION), *self.nominal.english(subject=False)]

    def german(self) -> list[Token]:
        """Return the German words, contracted where that is usual: im Garten, zur Schule."""
        preposition = self.prepositions[1]
        (first, meanings), *rest = self.nominal.german(self.case)
        contracted = morphology().contractions.get(f"{preposition} {first}")
        if contracted:
            return [(contracted, PREPOSITION | meanings), *rest]
        return [(preposition, PREPOSITION), (first, meanings), *rest]
