"""Which noun phrases and places there are: the spaces below a clause, from the lexicon and the weights of rules.yaml."""

from functools import cache

from mt.data.grammar.lexicon import Lexicon
from mt.data.grammar.morphology import Determiner, Pronoun, morphology
from mt.data.grammar.nominals import Name, NounPhrase, PrepositionalPhrase, Pronominal
from mt.data.grammar.records import lookup
from mt.data.grammar.rules import FILE, Rules
from mt.data.grammar.spaces import Choice, Leaf, Product, Space
from mt.data.grammar.words import Adjective, Noun

__all__ = ["PhraseSpaces"]

NAME_GROUP = "name"
SINGLE_REFERENCE = ("first", "second", NAME_GROUP)  # but "he sees him" are two persons
NOTHING: frozenset[str] = frozenset()
NOUN_PLACES, CITY_PLACES = 3, 1  # weights


class PhraseSpaces:
    """Builds the spaces of noun phrases and of places, each kind once."""

    def __init__(self, lexicon: Lexicon, rules: Rules) -> None:
        self._lexicon = lexicon
        self._rules = rules
        self.nominal = cache(self._nominal)
        self.grouped = cache(self._grouped)
        self.location = cache(self._location)
        self.destination = cache(self._destination)
        self._noun_phrase = cache(self._uncached_noun_phrase)

    def _grouped(
        self, kinds: str, classes: frozenset[str], plain: bool = False, only: frozenset[str] = NOTHING
    ) -> list[tuple[float, str, Space]]:
        """Return the nominals of some kinds as (weight, group, space).

        The group is that of a pronoun or name, which its clause must not use a second time; it is empty for noun
        phrases. `plain`: without adjectives. `only`: no nouns but these, where any are listed.
        """
        grouped: list[tuple[float, str, Space]] = []
        for kind, weight in lookup(self._rules.noun_phrases, kinds, FILE).items():
            if kind in ("pronoun", "personal pronoun"):
                pronouns = self._pronouns(classes, personal=kind == "personal pronoun")
                for group in dict.fromkeys(pronoun.group for pronoun in pronouns):
                    members = [Pronominal(pronoun) for pronoun in pronouns if pronoun.group == group]
                    grouped.append((weight * len(members) / len(pronouns), group, Leaf(members)))
            elif kind == "name":
                names = [Name(pair) for pair in self._lexicon.names.items()] if classes & self._lexicon.persons else []
                grouped.append((weight, NAME_GROUP, Leaf(names)))
            else:
                grouped.append((weight, "", self._noun_phrase(kind, classes, only, plain)))
        return grouped

    def _nominal(
        self,
        kinds: str,
        classes: frozenset[str],
        only: frozenset[str] = NOTHING,
        avoid: str = "",
        nouns_only: bool = False,
        plain: bool = False,
    ) -> Choice:
        """Return the nominals of some kinds, without the pronouns or names of the group to `avoid`.

        `only` and `plain` as above; `nouns_only`: neither pronouns nor names.
        """
        branches: list[tuple[float, Space]] = []
        for weight, group, space in self.grouped(kinds, classes, plain, only):
            reflexive = group == avoid and group in SINGLE_REFERENCE
            if not group or not (nouns_only or reflexive):
                branches.append((weight, space))
        return Choice(branches)

    def _pronouns(self, classes: frozenset[str], personal: bool) -> list[Pronoun]:
        refers = set()
        if classes & self._lexicon.persons:
            refers.add("person")
        if classes - self._lexicon.persons and not personal:
            refers.add("thing")
        return [pronoun for pronoun in morphology().pronouns if pronoun.refers in refers]

    def _uncached_noun_phrase(self, kind: str, classes: frozenset[str], only: frozenset[str], plain: bool) -> Choice:
        branches: list[tuple[float, Space]] = []
        adjectives = {"without": 1.0} if plain else self._rules.adjective
        for name, weight in lookup(self._rules.determiners, kind, FILE).items():
            determiner = lookup(morphology().determiners, name, FILE)
            for number, number_weight in self._rules.numbers.items():
                plural = number == "plural"
                nouns = [noun for noun in self._lexicon.nouns_of(classes, only) if _fits(determiner, noun, plural)]
                for presence, adjective_weight in adjectives.items():
                    heads = self._heads(nouns, presence == "with")
                    space = Product(_noun_phrase, [Leaf([determiner]), Leaf([plural]), Leaf(heads)])
                    branches.append((weight * number_weight * adjective_weight, space))
        return Choice(branches)

    def _heads(self, nouns: list[Noun], with_adjective: bool) -> list[tuple[Adjective | None, Noun]]:
        if not with_adjective:
            return [(None, noun) for noun in nouns]
        return [(adjective, noun) for noun in nouns for adjective in self._lexicon.adjectives_of(noun.semantic_class)]

    def _places(self, with_adjective: bool) -> list[NounPhrase]:
        the = morphology().determiners["the"]
        nouns = [noun for noun in self._lexicon.nouns.values() if noun.at]
        return [NounPhrase(the, adjective, noun, False) for adjective, noun in self._heads(nouns, with_adjective)]

    def _location(self) -> Choice:
        """Return the phrases that say where: im alten Garten, in Berlin."""
        branches: list[tuple[float, Space]] = [
            (
                NOUN_PLACES * weight,
                Leaf(PrepositionalPhrase(p.noun.location, "dative", p) for p in self._places(presence == "with")),
            )
            for presence, weight in self._rules.adjective.items()
        ]
        cities = (PrepositionalPhrase(("in", "in"), "dative", Name(pair)) for pair in self._lexicon.cities.items())
        return Choice([*branches, (CITY_PLACES * sum(self._rules.adjective.values()), Leaf(cities))])

    def _destination(self, classes: frozenset[str]) -> Choice:
        """Return the phrases that say where to: in den Garten, zum Bahnhof, nach Berlin."""
        branches: list[tuple[float, Space]] = []
        if classes - {"city"}:
            for presence, weight in self._rules.adjective.items():
                places = self._places(presence == "with")
                phrases = [
                    PrepositionalPhrase(("to", p.noun.to), "dative" if p.noun.to == "zu" else "accusative", p)
                    for p in places
                ]
                branches.append((weight, Leaf(phrases)))
        if "city" in classes:
            cities = [
                PrepositionalPhrase(("to", "nach"), "dative", Name(pair)) for pair in self._lexicon.cities.items()
            ]
            branches.append((1, Leaf(cities)))
        return Choice(branches)


def _noun_phrase(determiner: Determiner, plural: bool, head: tuple[Adjective | None, Noun]) -> NounPhrase:
    return NounPhrase(determiner, head[0], head[1], plural)


def _fits(determiner: Determiner, noun: Noun, plural: bool) -> bool:
    entry = determiner.entry
    if noun.mass:
        return not plural and not entry.number
    if entry.number:
        return entry.number == ("plural" if plural else "singular")
    if entry.bare and not plural:
        return False
    if entry.possessive:
        return noun.possessed is True or (noun.possessed == "singular" and not plural)
    return True
