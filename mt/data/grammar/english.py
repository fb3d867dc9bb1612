"""English inflection: regular forms by rule, so that the lexicon only lists the irregular ones."""

import re

__all__ = ["indefinite_article", "past_tense", "plural", "third_person"]

SIBILANT = re.compile(r"(s|x|z|sh|ch|o)$")
CONSONANT_Y = re.compile(r"[^aeiou]y$")


def _with_s(word: str) -> str:
    if CONSONANT_Y.search(word):
        return f"{word[:-1]}ies"
    return f"{word}es" if SIBILANT.search(word) else f"{word}s"


def plural(noun: str) -> str:
    """Return the regular plural of a noun: boxes, lorries, boys."""
    return _with_s(noun)


def third_person(verb: str) -> str:
    """Return the third person singular, present tense: goes, carries, plays."""
    return _with_s(verb)


def past_tense(verb: str) -> str:
    """Return the regular past tense: loved, carried, played."""
    if CONSONANT_Y.search(verb):
        return f"{verb[:-1]}ied"
    return f"{verb}d" if verb.endswith("e") else f"{verb}ed"


def indefinite_article(next_word: str) -> str:
    """Return `a` or `an` by the spelling of the word that follows; the lexicon names the exceptions."""
    return "an" if next_word[0].lower() in "aeiou" else "a"
