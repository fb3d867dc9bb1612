"""The rules of the grammar: reads rules.yaml, checks it, and turns templates and orders into what sentences need."""

from dataclasses import dataclass
from typing import Any

from mt.data.grammar.clause import ENGLISH_FIELDS, GERMAN_FIELDS
from mt.data.grammar.records import lookup, read_yaml, record
from mt.errors import DataError, did_you_mean

__all__ = ["ClauseRule", "Order", "Rules", "SentenceRule", "Symbol"]

FILE = "rules.yaml"
TENSES = ("present", "past", "modal")
PUNCTUATION = frozenset(".,?")
EXTRAS = frozenset(["none", "often", "manner", "place", "time"])
QUESTIONED = ("", "subject", "object", "place", "time")
VERBS = ("action", "that", "be")
ANTECEDENTS = ("main.subject", "main.object")

Weights = dict[str, float]


@dataclass(frozen=True)
class ClauseRule:
    """What a clause of a sentence may contain; the keys are explained in rules.yaml."""

    verbs: str
    subject: str
    extras: Weights
    object: str = ""
    asks: str = ""
    negated: bool = False

    @property
    def antecedent(self) -> str:
        """Return `subject` or `object` where the clause is about that part of the main clause, else nothing."""
        return self.subject.removeprefix("main.") if self.subject in ANTECEDENTS else ""


@dataclass(frozen=True)
class Order:
    """The fields of a clause from left to right; `inverted`: the English auxiliary stands before the subject."""

    fields: tuple[str, ...]
    inverted: bool


@dataclass(frozen=True)
class Symbol:
    """One symbol of a template: punctuation, `word`, `relative`, or a clause (`main`, `sub`) with its order."""

    name: str
    order: Order | None = None


@dataclass(frozen=True)
class SentenceEntry:
    """A kind of sentence as it stands in rules.yaml."""

    weight: float
    tenses: Weights
    main: Any
    english: str
    german: str
    sub: Any = None
    word: tuple[str, ...] = ()


@dataclass(frozen=True)
class SentenceRule:
    """A kind of sentence. `tenses`: for each clause, main first, with weights; `words`: names of function words."""

    name: str
    weight: float
    tenses: dict[tuple[str, ...], float]
    clauses: tuple[ClauseRule, ...]
    words: tuple[str, ...]
    english: tuple[Symbol, ...]
    german: tuple[Symbol, ...]


@dataclass(frozen=True)
class Rules:
    """All rules: weights of noun phrases and their determiners, and the kinds of sentences."""

    noun_phrases: dict[str, Weights]
    determiners: dict[str, Weights]
    numbers: Weights
    adjective: Weights
    sentences: tuple[SentenceRule, ...]

    @classmethod
    def load(cls) -> "Rules":
        """Read the rules that come with the package."""
        return cls.from_data(read_yaml(FILE))

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Rules":
        """Build the rules from the content of a file like rules.yaml.

        Raises:
            DataError: a key, a field, an order, a clause, a tense or a kind of noun phrase does not exist.
        """
        orders = {
            language: {name: _order(name, text, fields) for name, text in data["orders"][language].items()}
            for language, fields in (("english", ENGLISH_FIELDS), ("german", GERMAN_FIELDS))
        }
        return cls(
            noun_phrases=data["noun_phrases"],
            determiners=data["determiners"],
            numbers=data["numbers"],
            adjective=data["adjective"],
            sentences=tuple(
                _sentence(name, entry, orders, data["noun_phrases"]) for name, entry in data["sentences"].items()
            ),
        )


def _order(name: str, text: str, known: frozenset[str]) -> Order:
    fields = tuple(text.split())
    for field in fields:
        if field not in known:
            raise DataError(f"{FILE}, order {name!r}: unknown field {field!r}. {did_you_mean(field, known)}")
    inverted = {"auxiliary", "subject"} <= {*fields} and fields.index("auxiliary") < fields.index("subject")
    return Order(fields=fields, inverted=inverted)


def _sentence(
    name: str, data: Any, orders: dict[str, dict[str, Order]], noun_phrases: dict[str, Weights]
) -> SentenceRule:
    where = f"{FILE}, sentence {name!r}"
    entry = record(SentenceEntry, data, where)
    clauses = {
        key: _clause(clause, noun_phrases, f"{where}, {key}")
        for key, clause in (("main", entry.main), ("sub", entry.sub))
        if clause is not None
    }
    tenses = {}
    for text, weight in entry.tenses.items():
        combination = tuple(text.split())
        if len(combination) != len(clauses) or not {*combination} <= {*TENSES}:
            raise DataError(f"{where}: tenses {text!r} must name one of {', '.join(TENSES)} for each clause.")
        tenses[combination] = weight
    return SentenceRule(
        name=name,
        weight=entry.weight,
        tenses=tenses,
        clauses=tuple(clauses.values()),
        words=tuple(entry.word),
        english=_template(entry.english, clauses, orders["english"], where),
        german=_template(entry.german, clauses, orders["german"], where),
    )


def _clause(data: Any, noun_phrases: dict[str, Weights], where: str) -> ClauseRule:
    rule = record(ClauseRule, data, where)
    extras = {field for extra in rule.extras for field in extra.split()}
    checks: list[tuple[str, set[str], Any]] = [
        ("verbs", {rule.verbs}, VERBS),
        ("asks", {rule.asks}, QUESTIONED),
        ("extras", extras, EXTRAS),
        ("subject", {rule.subject}, [*noun_phrases, *ANTECEDENTS]),
        ("object", {rule.object} - {""}, noun_phrases),
    ]
    for key, given, valid in checks:
        for value in given.difference(valid):
            raise DataError(f"{where}: {key} cannot be {value!r}. {did_you_mean(value, valid)}")
    return rule


def _template(text: str, clauses: dict[str, ClauseRule], orders: dict[str, Order], where: str) -> tuple[Symbol, ...]:
    symbols = []
    for part in text.split():
        name, dot, order = part.partition(".")
        if part in PUNCTUATION or part in ("word", "relative"):
            symbols.append(Symbol(part))
        elif dot and name in clauses:
            symbols.append(Symbol(name, lookup(orders, order, where)))
        else:
            valid = [*PUNCTUATION, "word", "relative", *(f"{clause}.ORDER" for clause in clauses)]
            raise DataError(f"{where}: unknown symbol {part!r}. {did_you_mean(part, valid)}")
    return tuple(symbols)
