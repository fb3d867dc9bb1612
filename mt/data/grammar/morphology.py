"""Determiners, pronouns and auxiliaries with all their forms, read from morphology.yaml."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from mt.data.grammar.german import AGREEMENTS, CASES, COLUMNS
from mt.data.grammar.records import read_yaml, record

__all__ = ["Determiner", "Forms", "Morphology", "Pronoun", "morphology"]

FILE = "morphology.yaml"

Forms = dict[str, dict[str, str]]
"""case -> masculine | feminine | neuter | plural -> form or ending."""


@dataclass(frozen=True)
class DeterminerEntry:
    """A determiner as it stands in morphology.yaml."""

    german: str
    endings: str
    adjectives: str
    english: str | None = None
    english_plural: str | None = None
    known: bool = False
    possessive: bool = False
    negative: bool = False
    bare: bool = False
    number: str = ""


@dataclass(frozen=True, eq=False)
class Determiner:
    """A determiner: English singular and plural, German forms, and the adjective endings that follow it."""

    english: tuple[str, str]
    german: Forms
    adjective_endings: Forms
    entry: DeterminerEntry


@dataclass(frozen=True, eq=False)
class Pronoun:
    """A personal pronoun. `english`: subject and object form; `german`: form for each case."""

    english: tuple[str, str]
    german: dict[str, str]
    agreement: str
    group: str
    refers: str


@dataclass(frozen=True, eq=False)
class Morphology:
    """All closed-class words of both languages."""

    determiners: dict[str, Determiner]
    negative: Determiner
    pronouns: tuple[Pronoun, ...]
    anaphora: dict[str, Pronoun]
    contractions: dict[str, str]
    auxiliaries: dict[str, dict[str, dict[str, str]]]
    """be, sein, haben -> present, past -> agreement -> form."""


def _table(rows: dict[str, str]) -> Forms:
    return {case: dict(zip(COLUMNS, (e.strip("-") for e in rows[case].split()), strict=True)) for case in CASES}


def _determiner(name: str, data: dict[str, Any], content: dict[str, Any]) -> Determiner:
    entry = record(DeterminerEntry, data, f"{FILE}, determiner {name!r}")
    exceptions = content["article_exceptions"]
    forms = {
        case: {column: exceptions.get(entry.german + ending, entry.german + ending) for column, ending in row.items()}
        for case, row in _table(content["determiner_endings"][entry.endings]).items()
    }
    english = name if entry.english is None else entry.english
    return Determiner(
        english=(english, entry.english_plural or english),
        german=forms,
        adjective_endings=_table(content["adjective_endings"][entry.adjectives]),
        entry=entry,
    )


def _pronoun(english: str, german: str, **features: str) -> Pronoun:
    subject_form, object_form = english.split()
    return Pronoun(
        english=(subject_form, object_form), german=dict(zip(CASES, german.split(), strict=True)), **features
    )


@cache
def morphology() -> Morphology:
    """Return the morphology that comes with the package."""
    content = read_yaml(FILE)
    anaphora = {
        column: Pronoun(
            english=(english, english),
            german={"nominative": german},
            agreement="3pl" if column == "plural" else "3sg",
            group="third",
            refers="thing",
        )
        for column, english, german in zip(
            COLUMNS, content["anaphora"]["english"].split(), content["anaphora"]["german"].split(), strict=True
        )
    }
    return Morphology(
        determiners={name: _determiner(name, data, content) for name, data in content["determiners"].items()},
        negative=_determiner("no", content["negative_determiner"], content),
        pronouns=tuple(_pronoun(**data) for data in content["pronouns"]),
        anaphora=anaphora,
        contractions=content["contractions"],
        auxiliaries={
            verb: {tense: dict(zip(AGREEMENTS, forms.split(), strict=True)) for tense, forms in content[verb].items()}
            for verb in ("be", "sein", "haben")
        },
    )
