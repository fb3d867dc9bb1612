"""The lexicon: reads lexicon.yaml into words, checks it, and answers which words go with which semantic classes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mt.data.grammar import english, german
from mt.data.grammar.records import lookup, read_yaml, record
from mt.data.grammar.words import Adjective, Modal, Noun, Phrase, Prepositional, Verb
from mt.errors import DataError, did_you_mean

__all__ = ["Lexicon"]

FILE = "lexicon.yaml"


@dataclass(frozen=True)
class VerbEntry:
    """A verb as it stands in lexicon.yaml, before its classes are resolved and its forms computed."""

    german: str
    subject: Any
    english: str = ""
    past: str = ""
    singular: str = ""
    participle: str = ""
    auxiliary: str = "haben"
    object: Any = ()
    dative: Any = ()
    only: Any = ()
    recipient: Any = ()
    about: Any = None
    goes: Any = ()
    manner: Any = ()
    that: bool = False
    modal: bool = True
    adverbs: bool = True
    place: bool = True
    pronoun: bool = True


@dataclass(frozen=True, eq=False)
class Lexicon:
    """All words of the grammar.

    Attributes:
        nouns: English lemma -> noun, places included.
        cities: pairs of names, English and German.
        names: pairs of names of persons, English and German.
        adjectives, verbs, modals: English lemma -> word.
        phrases: group (often, manner, time, function) -> phrases.
        persons: the semantic classes of persons.
    """

    nouns: dict[str, Noun]
    cities: dict[str, str]
    names: dict[str, str]
    adjectives: dict[str, Adjective]
    verbs: dict[str, Verb]
    modals: dict[str, Modal]
    phrases: dict[str, tuple[Phrase, ...]]
    persons: frozenset[str]

    @classmethod
    def load(cls) -> "Lexicon":
        """Read the lexicon that comes with the package."""
        return cls.from_data(read_yaml(FILE))

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Lexicon":
        """Build a lexicon from the content of a file like lexicon.yaml.

        Raises:
            DataError: an entry has an unknown or a missing key, or names a class or a noun that does not exist.
        """
        classes = _class_resolver(data["classes"], {*data["nouns"], *data["places"], "city"})
        persons = classes("person", FILE)
        nouns = _nouns(data, persons)
        adjectives = {}
        for lemma, entry in data["adjectives"].items():
            where = f"{FILE}, adjective {lemma!r}"
            resolved = {**entry, "of": classes(entry.get("of", ()), where)}
            adjectives[lemma] = record(Adjective, resolved, where, lemma=lemma)
        return cls(
            nouns=nouns,
            cities=data["cities"],
            names=data["names"],
            adjectives=adjectives,
            verbs={lemma: _verb(lemma, entry, classes, nouns) for lemma, entry in data["verbs"].items()},
            modals={
                lemma: record(Modal, entry, f"{FILE}, modal {lemma!r}", lemma=lemma)
                for lemma, entry in data["modals"].items()
            },
            phrases={
                group: tuple(record(Phrase, entry, f"{FILE}, phrases, {group}") for entry in entries)
                for group, entries in data["phrases"].items()
            },
            persons=persons,
        )

    @cached_property
    def lemmas(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the distinct English and the distinct German lemmas of the open classes, names and phrases."""
        phrases = [phrase for group in self.phrases.values() for phrase in group]
        english_lemmas = [
            *self.nouns,
            *self.cities,
            *self.names,
            *self.adjectives,
            *(f"{verb.base} {verb.english_particle}".strip() for verb in self.verbs.values()),
            *self.modals,
            *(phrase.english for phrase in phrases),
        ]
        german_lemmas = [
            *(noun.german_lemma for noun in self.nouns.values()),
            *self.cities.values(),
            *self.names.values(),
            *(adjective.german for adjective in self.adjectives.values()),
            *(verb.german_particle + verb.infinitive for verb in self.verbs.values()),
            *(modal.german for modal in self.modals.values()),
            *(phrase.german for phrase in phrases),
        ]
        return frozenset(english_lemmas), frozenset(german_lemmas)

    def nouns_of(self, classes: frozenset[str], only: frozenset[str] = frozenset()) -> tuple[Noun, ...]:
        """Return the nouns of any of `classes`, or those of them that `only` lists."""
        return tuple(
            noun for noun in self.nouns.values() if noun.semantic_class in classes and (not only or noun.lemma in only)
        )

    def adjectives_of(self, semantic_class: str) -> tuple[Adjective, ...]:
        """Return the adjectives that describe nouns of a class."""
        return tuple(adjective for adjective in self.adjectives.values() if semantic_class in adjective.of)

    def phrase(self, group: str, name: str) -> Phrase:
        """Return the phrase of a group with this name, which is its English text unless the lexicon names it."""
        return lookup(
            {phrase.name or phrase.english: phrase for phrase in self.phrases[group]}, name, f"{FILE}, {group}"
        )


def _nouns(data: dict[str, Any], persons: frozenset[str]) -> dict[str, Noun]:
    nouns: dict[str, Noun] = {}
    for semantic_class, entries in [*data["nouns"].items(), *data["places"].items()]:
        for lemma, entry in entries.items():
            where = f"{FILE}, noun {lemma!r}"
            noun = record(
                Noun, entry, where, lemma=lemma, semantic_class=semantic_class, person=semantic_class in persons
            )
            if noun.german.split()[0] not in german.GENDERS or len(noun.german.split()) != 2:
                raise DataError(f"{where}: german must be an article and a noun (der Hund), found {noun.german!r}.")
            if not (noun.mass or noun.plural):
                raise DataError(f"{where}: give its German plural, or mark it `mass: true`.")
            if not noun.mass and noun.english_forms[0] == noun.english_forms[1]:
                raise DataError(f"{where}: singular and plural are equal in English, so its German is not determined.")
            nouns[lemma] = noun
    return nouns


def _class_resolver(unions: dict[str, list[str]], classes: set[str]) -> Callable[[Any, str], frozenset[str]]:
    """Return the function that turns names of classes and of unions into a set of classes."""

    def expand(name: str, where: str) -> Iterable[str]:
        if name in unions:
            for member in unions[name]:
                yield from expand(member, where)
        elif name in classes:
            yield name
        else:
            raise DataError(f"{where}: unknown semantic class {name!r}. {did_you_mean(name, {*classes, *unions})}")

    def resolve(names: Any, where: str) -> frozenset[str]:
        listed = [names] if isinstance(names, str) else names
        return frozenset(member for name in listed for member in expand(name, where))

    return resolve


def _verb(lemma: str, data: Any, classes: Callable[[Any, str], frozenset[str]], nouns: dict[str, Noun]) -> Verb:
    where = f"{FILE}, verb {lemma!r}"
    entry = record(VerbEntry, data, where)
    base, _, english_particle = (entry.english or lemma).partition("|")
    german_particle, _, infinitive = entry.german.rpartition("|")
    present = german.present_tense(infinitive)
    if entry.singular:
        present = (*entry.singular.split(), *present[3:])
    about = None
    if entry.about:
        preposition_pair = entry.about["preposition"].split(" / ")
        about = Prepositional(
            prepositions=(preposition_pair[0], preposition_pair[1]),
            case=entry.about["case"],
            classes=classes(entry.about["class"], where),
            only=frozenset(entry.about.get("only", ())),
        )
    for name in (*entry.only, *(about.only if about else ())):
        lookup(nouns, name, where)
    return Verb(
        lemma=lemma,
        base=base,
        english_particle=english_particle,
        past=entry.past or english.past_tense(base.split()[0]),
        infinitive=infinitive,
        german_particle=german_particle,
        present=dict(zip(german.AGREEMENTS, present, strict=True)),
        participle=entry.participle or german.participle(infinitive, german_particle),
        auxiliary=entry.auxiliary,
        subject=classes(entry.subject, where),
        objects=classes(entry.object or entry.dative, where),
        object_case="dative" if entry.dative else "accusative",
        only=frozenset(entry.only),
        recipient=classes(entry.recipient, where),
        about=about,
        goes=classes(entry.goes, where),
        manner=tuple(entry.manner),
        that=entry.that,
        modal=entry.modal,
        adverbs=entry.adverbs,
        place=entry.place,
        pronoun=entry.pronoun,
    )
