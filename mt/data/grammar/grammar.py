"""The grammar: compiles lexicon and rules into the space of all sentences."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from mt.data.grammar.clause import BE, Clause
from mt.data.grammar.lexicon import Lexicon
from mt.data.grammar.morphology import morphology
from mt.data.grammar.nominals import NounPhrase, PrepositionalPhrase, Pronominal, Questioned
from mt.data.grammar.phrase_spaces import PhraseSpaces
from mt.data.grammar.rules import ClauseRule, Rules, SentenceRule
from mt.data.grammar.sentence import Sentence
from mt.data.grammar.spaces import Choice, Leaf, Product, Space
from mt.data.grammar.words import Verb

__all__ = ["Grammar"]

NOBODY = Questioned()
ABSENT = Leaf([None])
NO_ADVERBIALS = Leaf([(None, None, None, None)])


class Grammar:
    """All sentences of a lexicon under the rules, counted and drawn from one tree of spaces."""

    def __init__(self, lexicon: Lexicon, rules: Rules) -> None:
        self.lexicon = lexicon
        self.rules = rules
        self._phrases = PhraseSpaces(lexicon, rules)
        self._classes = sorted({noun.semantic_class for noun in lexicon.nouns.values()})

    @classmethod
    def load(cls) -> "Grammar":
        """Return the grammar that comes with the package."""
        return cls(Lexicon.load(), Rules.load())

    @cached_property
    def sentences(self) -> Choice:
        """Return the space of all sentences."""
        return Choice([(rule.weight, self._sentence(rule)) for rule in self.rules.sentences])

    def draw(self, uniform: Callable[[], float]) -> Sentence:
        """Return one sentence; `uniform` yields independent numbers in [0, 1)."""
        sentence: Sentence = self.sentences.draw(uniform)
        return sentence

    def _sentence(self, rule: SentenceRule) -> Choice:
        words: Space = ABSENT
        if rule.words:
            words = Leaf([self.lexicon.phrase("function", name) for name in rule.words])
        antecedent = rule.clauses[-1].antecedent
        branches: list[tuple[float, Space]] = []
        for tenses, weight in rule.tenses.items():
            if antecedent:
                branches += self._linked(rule, tenses, weight, words, antecedent)
                continue
            clauses = [self._clause(clause, tense) for clause, tense in zip(rule.clauses, tenses, strict=True)]
            branches.append((weight, Product(partial(_sentence, rule), [words, *clauses])))
        return Choice(branches)

    def _linked(
        self, rule: SentenceRule, tenses: tuple[str, ...], weight: float, words: Space, antecedent: str
    ) -> list[tuple[float, Space]]:
        """Return, class by class, the sentences whose second clause is about a part of the first."""
        branches: list[tuple[float, Space]] = []
        for name in self._classes:
            if antecedent == "object" and name in self.lexicon.persons:
                continue  # he or she depends on more than the grammar of the English noun
            only = frozenset([name])
            main = self._clause(rule.clauses[0], tenses[0], **{f"{antecedent}s": only})
            sub = self._clause(rule.clauses[1], tenses[1], subjects=only)
            build = partial(_linked_sentence, rule, antecedent)
            branches.append((weight * len(self.lexicon.nouns_of(only)), Product(build, [words, main, sub])))
        return branches

    def _clause(
        self,
        rule: ClauseRule,
        tense: str,
        subjects: frozenset[str] | None = None,
        objects: frozenset[str] | None = None,
    ) -> Choice:
        """Return the clauses of one tense; `subjects` and `objects` restrict the classes of these parts."""
        if rule.verbs == BE:
            return self._state(rule, tense, subjects)
        return Choice(
            (1, self._action(rule, tense, verb, subjects, objects))
            for verb in self.lexicon.verbs.values()
            if tense in verb.tenses and verb.that == (rule.verbs == "that") and self._answers(verb, rule.asks)
        )

    def _state(self, rule: ClauseRule, tense: str, subjects: frozenset[str] | None) -> Choice:
        """Return the clauses of `be` with an adjective."""
        branches: list[tuple[float, Space]] = []
        for name in self._classes:
            classes = frozenset([name])
            if subjects and name not in subjects:
                continue
            adjectives = Leaf(self.lexicon.adjectives_of(name))
            build = partial(_clause, BE, tense, rule.negated)
            weight = len(self.lexicon.nouns_of(classes)) * adjectives.count
            for share, _, subject in self._subjects(rule, classes, plain=True):
                branches.append(
                    (weight * share, Product(build, [subject, ABSENT, ABSENT, ABSENT, adjectives, NO_ADVERBIALS]))
                )
        return Choice(branches)

    def _action(
        self,
        rule: ClauseRule,
        tense: str,
        verb: Verb,
        subjects: frozenset[str] | None,
        objects: frozenset[str] | None,
    ) -> Choice:
        """Return the clauses of one verb."""
        modals: Space = ABSENT
        if tense == "modal":
            modals = Leaf(m for m in self.lexicon.modals.values() if m.negated or not rule.negated)
        subject_classes = verb.subject & subjects if subjects else verb.subject
        adverbials = self._adverbials(rule, verb, tense)
        branches: list[tuple[float, Space]] = []
        for share, group, subject in self._subjects(rule, subject_classes):
            parts = [
                subject,
                modals,
                self._phrases.nominal("recipient", verb.recipient, avoid=group) if verb.recipient else ABSENT,
                self._object(rule, verb, objects, group),
                self._complement(verb, group),
                adverbials,
            ]
            branches.append((share, Product(partial(_clause, verb, tense, rule.negated), parts)))
        return Choice(branches)

    def _subjects(
        self, rule: ClauseRule, classes: frozenset[str], plain: bool = False
    ) -> list[tuple[float, str, Space]]:
        """Return the subjects as (weight, group of pronouns, space)."""
        if not classes:
            return []
        if rule.antecedent or rule.asks == "subject":
            return [(1, "", Leaf([NOBODY]))] if rule.antecedent or classes & self.lexicon.persons else []
        return self._phrases.grouped(rule.subject, classes, plain)

    def _object(self, rule: ClauseRule, verb: Verb, objects: frozenset[str] | None, group: str) -> Space:
        classes = verb.objects & objects if objects else verb.objects
        if objects and not classes:
            return Leaf([])
        if not verb.objects or rule.asks == "object":
            return ABSENT
        # Where the second clause describes this object, an adjective here would repeat or contradict it.
        nouns_only, plain = bool(verb.recipient) or not verb.pronoun, objects is not None
        return self._phrases.nominal(rule.object, classes, verb.only, group, nouns_only, plain)

    def _complement(self, verb: Verb, group: str) -> Space:
        if verb.goes:
            return self._phrases.destination(verb.goes)
        if not verb.about:
            return ABSENT
        about = verb.about
        nominals = self._phrases.nominal("prepositional", about.classes, about.only, group)
        return Product(partial(PrepositionalPhrase, about.prepositions, about.case), [nominals])

    def _adverbials(self, rule: ClauseRule, verb: Verb, tense: str) -> Choice:
        """Return the spaces of (often, manner, place, time); a combination that does not fit the verb is empty."""
        phrases = self.lexicon.phrases
        frequent = phrases["often"] if verb.adverbs and tense != "modal" else ()
        manners = [self.lexicon.phrase("manner", name) for name in verb.manner]
        places: Space = self._phrases.location() if verb.place and not verb.goes else Leaf([])
        times = [p for p in phrases["time"] if verb.adverbs and tense in p.tenses and (p.negated or not rule.negated)]
        spaces: dict[str, Space] = {
            "often": Leaf(frequent),
            "manner": Leaf(manners),
            "place": places,
            "time": Leaf(times),
        }
        return Choice(
            (
                weight,
                Product(_adverbials, [space if name in extra.split() else ABSENT for name, space in spaces.items()]),
            )
            for extra, weight in rule.extras.items()
        )

    def _answers(self, verb: Verb, asked: str) -> bool:
        """Return whether a clause of this verb can be asked for this part."""
        if asked == "place":
            return verb.place and not verb.goes
        if asked == "time":
            return verb.adverbs
        if asked == "object":
            return bool(verb.objects - self.lexicon.persons) and verb.object_case == "accusative"
        return True


def _adverbials(*adverbials: Any) -> tuple[Any, ...]:
    return adverbials


def _clause(verb: Verb | str, tense: str, negated: bool, *parts: Any) -> Clause:
    *nominals, adverbials = parts
    return Clause(verb, tense, negated, *nominals, *adverbials)


def _sentence(rule: SentenceRule, word: Any, *clauses: Clause) -> Sentence:
    return Sentence(rule, word, clauses)


def _linked_sentence(rule: SentenceRule, antecedent: str, word: Any, main: Clause, sub: Clause) -> Sentence:
    """Give the second clause a pronoun in gender and number of its antecedent."""
    noun_phrase = main.subject if antecedent == "subject" else main.object
    assert isinstance(noun_phrase, NounPhrase)
    pronoun = Pronominal(morphology().anaphora[noun_phrase.column])
    return Sentence(rule, word, (main, replace(sub, subject=pronoun)))
