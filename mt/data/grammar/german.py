"""German inflection: regular forms by rule, so that the lexicon only lists the irregular ones."""

import re

__all__ = ["AGREEMENTS", "CASES", "COLUMNS", "GENDERS", "dative_plural", "participle", "present_tense"]

CASES = ("nominative", "accusative", "dative")
COLUMNS = ("masculine", "feminine", "neuter", "plural")
GENDERS = {"der": "masculine", "die": "feminine", "das": "neuter"}
AGREEMENTS = ("1sg", "2sg", "3sg", "1pl", "3pl")  # "you" is always the singular du

INSEPARABLE = re.compile(r"^(be|emp|ent|er|ver|zer)")
NEEDS_E = re.compile(r"([dt]|ch[mn]|[^aeiouäöülrhmn][mn])$")  # arbeitest, zeichnest, öffnest; but kommst, wohnst
SIBILANT = re.compile(r"([sßzx])$")  # du tanzt


def _stem(infinitive: str) -> str:
    return infinitive[:-2] if infinitive.endswith("en") else infinitive[:-1]


def present_tense(infinitive: str) -> tuple[str, ...]:
    """Return the regular present tense, in the order of `AGREEMENTS`, of an infinitive without separable particle."""
    stem = _stem(infinitive)
    if NEEDS_E.search(stem):
        endings = ("e", "est", "et")
    elif SIBILANT.search(stem):
        endings = ("e", "t", "t")
    else:
        endings = ("e", "st", "t")
    first = f"{stem[:-2]}l" if infinitive.endswith("eln") else stem  # ich lächle
    return (first + endings[0], stem + endings[1], stem + endings[2], infinitive, infinitive)


def participle(infinitive: str, particle: str = "") -> str:
    """Return the regular past participle: gekauft, verkauft, repariert, aufgemacht, anprobiert."""
    stem = _stem(infinitive)
    prefix = "" if INSEPARABLE.match(stem) or infinitive.endswith("ieren") else "ge"
    return f"{particle}{prefix}{stem}{'et' if NEEDS_E.search(stem) else 't'}"


def dative_plural(plural: str) -> str:
    """Return the dative plural: den Kindern, but den Frauen and den Autos."""
    return plural if plural[-1] in "ns" else f"{plural}n"
