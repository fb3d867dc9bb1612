"""A clause and its words: which field of the word order holds what, in English and in German."""

from dataclasses import dataclass
from typing import Any

from mt.data.grammar.morphology import morphology
from mt.data.grammar.nominals import Nominal, PrepositionalPhrase
from mt.data.grammar.tokens import SLOT_BITS, Token, shifted
from mt.data.grammar.words import Adjective, Modal, Phrase, Verb

__all__ = ["BE", "ENGLISH_FIELDS", "GERMAN_FIELDS", "Clause", "Fields", "english_fields", "german_fields"]

BE = "be"
"""Stands in a clause where others have a verb: its complement is an adjective."""

ENGLISH_FIELDS = frozenset(
    [
        "subject",
        "auxiliary",
        "not",
        "often",
        "verb",
        "pronoun",
        "particle",
        "recipient",
        "object",
        "complement",
        "manner",
        "place",
        "time",
    ]
)
GERMAN_FIELDS = frozenset(
    [
        "subject",
        "finite",
        "recipient",
        "known",
        "time",
        "often",
        "not",
        "new",
        "manner",
        "place",
        "complement",
        "bracket",
        "cluster",
    ]
)

AUXILIARY, VERB, NEGATION = 1, 2, 4
SUBJECT, RECIPIENT, OBJECT, COMPLEMENT, OFTEN, MANNER, PLACE, TIME = (slot * SLOT_BITS for slot in range(1, 9))

Fields = dict[str, list[Token]]


@dataclass(frozen=True, slots=True)
class Clause:
    """What a clause says, before either language puts it into words."""

    verb: Verb | str
    tense: str
    negated: bool
    subject: Nominal
    modal: Modal | None
    recipient: Nominal | None
    object: Nominal | None
    complement: PrepositionalPhrase | Adjective | None
    often: Phrase | None
    manner: Phrase | None
    place: PrepositionalPhrase | None
    time: Phrase | None


def english_fields(clause: Clause, *, inverted: bool) -> Fields:
    """Return the English words of each field; a question (`inverted`) needs an auxiliary before its subject."""
    fields = _english_verb(clause, inverted)
    fields["subject"] = shifted(clause.subject.english(subject=True), SUBJECT)
    if clause.recipient:
        fields["recipient"] = shifted(clause.recipient.english(subject=False), RECIPIENT)
    if clause.object:
        field = "pronoun" if clause.object.is_pronoun else "object"
        fields[field] = shifted(clause.object.english(subject=False), OBJECT)
    if isinstance(clause.complement, Adjective):
        fields["complement"] = [(clause.complement.lemma, 1 << COMPLEMENT)]
    elif clause.complement:
        fields["complement"] = shifted(clause.complement.english(), COMPLEMENT)
    if clause.place:
        fields["place"] = shifted(clause.place.english(), PLACE)
    for field, phrase, bits in _phrases(clause):
        fields[field] = shifted(phrase.english_tokens, bits)
    return fields


def german_fields(clause: Clause) -> Fields:
    """Return the German words of each field. Negation is kein where the object allows it, else nicht."""
    fields = _german_verb(clause)
    fields["subject"] = shifted(clause.subject.german("nominative"), SUBJECT)
    if clause.recipient:
        fields["recipient"] = shifted(clause.recipient.german("dative"), RECIPIENT)
    negation_is_open = clause.negated
    if clause.object:
        assert isinstance(clause.verb, Verb)
        takes_kein = clause.negated and not clause.object.known
        tokens = shifted(clause.object.german(clause.verb.object_case, negative=takes_kein), OBJECT)
        if takes_kein:
            (kein, meanings), *rest = tokens
            tokens = [(kein, meanings | NEGATION), *rest]
            negation_is_open = False
        fields["known" if clause.object.known else "new"] = tokens
    if negation_is_open:
        fields["not"] = [("nicht", NEGATION)]
    if isinstance(clause.complement, Adjective):
        fields["complement"] = [(clause.complement.german, 1 << COMPLEMENT)]
    elif clause.complement:
        fields["complement"] = shifted(clause.complement.german(), COMPLEMENT)
    if clause.place:
        fields["place"] = shifted(clause.place.german(), PLACE)
    for field, phrase, bits in _phrases(clause):
        fields[field] = shifted(phrase.german_tokens, bits)
    return fields


def _phrases(clause: Clause) -> list[tuple[str, Phrase, int]]:
    candidates: list[tuple[str, Any, int]] = [
        ("often", clause.often, OFTEN),
        ("manner", clause.manner, MANNER),
        ("time", clause.time, TIME),
    ]
    return [candidate for candidate in candidates if candidate[1]]


def _english_verb(clause: Clause, inverted: bool) -> Fields:
    """Return the fields auxiliary, not, verb and particle."""
    verb, modal, agreement = clause.verb, clause.modal, clause.subject.agreement
    fields: Fields = {"not": [("not", NEGATION)]} if clause.negated else {}
    if not isinstance(verb, Verb):
        form = morphology().auxiliaries["be"][clause.tense][agreement]
        return fields | {"auxiliary": [(form, AUXILIARY | VERB)]}
    if verb.english_particle:
        fields["particle"] = [(verb.english_particle, VERB)]
    base = [(word, VERB) for word in verb.base.split()]
    third = agreement == "3sg"
    supported = inverted or clause.negated
    if modal and not modal.support:
        if clause.negated and modal.negative:
            del fields["not"]
            fields["auxiliary"] = [(modal.negative, AUXILIARY | NEGATION)]
        else:
            fields["auxiliary"] = [(modal.lemma, AUXILIARY)]
        fields["verb"] = _modal_rest(modal) + base
    elif modal:
        if supported:
            fields["auxiliary"] = [("does" if third else "do", AUXILIARY)]
        finite = f"{modal.lemma}s" if third and not supported else modal.lemma
        fields["verb"] = [(finite, AUXILIARY), *_modal_rest(modal), *base]
    elif supported:
        do = "did" if clause.tense == "past" else "does" if third else "do"
        fields["auxiliary"] = [(do, AUXILIARY)]
        fields["verb"] = base
    else:
        text = verb.english_past if clause.tense == "past" else verb.english_third if third else verb.base
        finite, *rest = text.split()
        fields["verb"] = [(finite, AUXILIARY | VERB), *((word, VERB) for word in rest)]
    return fields


def _modal_rest(modal: Modal) -> list[Token]:
    """Return the words after the finite modal: `to` belongs to the infinitive, `like` to the modal."""
    return [(word, VERB if word == "to" else AUXILIARY) for word in modal.rest.split()]


def _german_verb(clause: Clause) -> Fields:
    """Return the fields finite and bracket (verb-second), and cluster (verb-final)."""
    verb, agreement = clause.verb, clause.subject.agreement
    auxiliaries = morphology().auxiliaries
    if not isinstance(verb, Verb):
        form: Token = (auxiliaries["sein"][clause.tense][agreement], AUXILIARY | VERB)
        return {"finite": [form], "cluster": [form]}
    particle = verb.german_particle
    if clause.modal:
        finite = (clause.modal.german_present[agreement], AUXILIARY)
        bracket = [(particle + verb.infinitive, VERB)]
    elif clause.tense == "past":
        finite = (auxiliaries[verb.auxiliary]["present"][agreement], AUXILIARY)
        bracket = [(verb.participle, VERB)]
    else:
        form = (verb.present[agreement], AUXILIARY | VERB)
        joined = (particle + form[0], AUXILIARY | VERB)
        return {"finite": [form], "bracket": [(particle, VERB)] if particle else [], "cluster": [joined]}
    return {"finite": [finite], "bracket": bracket, "cluster": [*bracket, finite]}
