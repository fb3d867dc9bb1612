"""The open word classes, one frozen dataclass for each: what the lexicon says of a word, and its inflected forms."""

from dataclasses import dataclass
from functools import cached_property

from mt.data.grammar import english, german
from mt.data.grammar.tokens import Token

__all__ = ["Adjective", "Modal", "Noun", "Phrase", "Prepositional", "Verb"]


def _pair(text: str) -> tuple[str, str]:
    left, right = text.split(" / ")
    return left, right


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun of one semantic class; places also know their prepositions (fields as in lexicon.yaml)."""

    lemma: str
    semantic_class: str
    person: bool
    german: str
    plural: str = ""
    english_plural: str = ""
    mass: bool = False
    weak: bool = False
    possessed: bool | str = True
    article: str = ""
    at: str = ""
    to: str = ""

    @cached_property
    def gender(self) -> str:
        """Return masculine, feminine or neuter."""
        return german.GENDERS[self.german.split()[0]]

    @cached_property
    def german_lemma(self) -> str:
        """Return the nominative singular without its article."""
        return self.german.split()[1]

    @cached_property
    def english_forms(self) -> tuple[str, str]:
        """Return singular and plural."""
        return self.lemma, self.english_plural or english.plural(self.lemma)

    @cached_property
    def german_forms(self) -> dict[str, tuple[str, str]]:
        """Return singular and plural for each case."""
        oblique = self.plural if self.weak else self.german_lemma
        return {
            "nominative": (self.german_lemma, self.plural),
            "accusative": (oblique, self.plural),
            "dative": (oblique, german.dative_plural(self.plural) if self.plural else ""),
        }

    @cached_property
    def location(self) -> tuple[str, str]:
        """Return the English and the German preposition for being at this place."""
        return _pair(self.at)

    @cached_property
    def indefinite_article(self) -> str:
        """Return `a` or `an`, as it stands directly before this noun."""
        return self.article or english.indefinite_article(self.lemma)


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective and the semantic classes that it describes."""

    lemma: str
    german: str
    of: frozenset[str]
    stem: str = ""

    @cached_property
    def german_stem(self) -> str:
        """Return the form that endings are put to; -e of müde is part of the ending."""
        return self.stem or self.german.removesuffix("e")

    @cached_property
    def indefinite_article(self) -> str:
        """Return `a` or `an`, as it stands directly before this adjective."""
        return english.indefinite_article(self.lemma)


@dataclass(frozen=True)
class Prepositional:
    """A prepositional object: the prepositions of both languages, the German case, and what it may name."""

    prepositions: tuple[str, str]
    case: str
    classes: frozenset[str]
    only: frozenset[str]


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb with its valency: semantic classes for the subject and for each object that it takes.

    `object_case` is dative for verbs like helfen; a verb that takes no such object has empty `objects`.
    """

    lemma: str
    base: str
    english_particle: str
    past: str
    infinitive: str
    german_particle: str
    present: dict[str, str]
    participle: str
    auxiliary: str
    subject: frozenset[str]
    objects: frozenset[str]
    object_case: str
    only: frozenset[str]
    recipient: frozenset[str]
    about: Prepositional | None
    goes: frozenset[str]
    manner: tuple[str, ...]
    that: bool
    modal: bool
    adverbs: bool
    place: bool
    pronoun: bool

    @cached_property
    def tenses(self) -> frozenset[str]:
        """Return the tenses in which the English verb form is unambiguous and the sense possible."""
        return frozenset(["present", *["past"] * (self.past != self.base), *["modal"] * self.modal])

    @cached_property
    def english_third(self) -> str:
        """Return the third person singular of the first English word, with the words that follow it."""
        return self._with_rest(english.third_person(self.base.split()[0]))

    @cached_property
    def english_past(self) -> str:
        """Return the past tense of the first English word, with the words that follow it."""
        return self._with_rest(self.past)

    def _with_rest(self, form: str) -> str:
        return " ".join([form, *self.base.split()[1:]])


@dataclass(frozen=True, eq=False)
class Modal:
    """A modal verb. `support`: English forms it with "do" and agreement; `rest` follows the finite English verb."""

    lemma: str
    german: str
    singular: str
    plural: str = ""
    negative: str = ""
    rest: str = ""
    support: bool = False
    negated: bool = True

    @cached_property
    def german_present(self) -> dict[str, str]:
        """Return the finite form for each agreement."""
        plural = self.plural or self.german
        return dict(zip(german.AGREEMENTS, [*self.singular.split(), plural, plural], strict=True))


@dataclass(frozen=True, eq=False)
class Phrase:
    """An adverbial or a function word that is not inflected, with its word alignment."""

    english: str
    german: str
    name: str = ""
    links: str = ""
    tenses: tuple[str, ...] = ()
    negated: bool = True

    @cached_property
    def alignment(self) -> tuple[tuple[int, int], ...]:
        """Return pairs of word indices, English first; word by word unless the lexicon says otherwise."""
        if not self.links:
            return tuple((i, i) for i in range(len(self.english.split())))
        return tuple((int(i), int(j)) for i, j in (link.split("-") for link in self.links.split()))

    @cached_property
    def english_tokens(self) -> tuple[Token, ...]:
        """Return the English words; the n-th link of the alignment is meaning n."""
        return self._tokens(self.english, side=0)

    @cached_property
    def german_tokens(self) -> tuple[Token, ...]:
        """Return the German words; the n-th link of the alignment is meaning n."""
        return self._tokens(self.german, side=1)

    def _tokens(self, text: str, side: int) -> tuple[Token, ...]:
        return tuple(
            (word, sum(1 << n for n, link in enumerate(self.alignment) if link[side] == i))
            for i, word in enumerate(text.split())
        )
