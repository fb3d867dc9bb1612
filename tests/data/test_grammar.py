"""The grammar corpus: German and English morphology, word order, alignment, counting, splits, files."""

import subprocess
import sys
from collections import Counter
from copy import deepcopy
from itertools import islice
from random import Random

import pytest
from typer.testing import CliRunner

from mt.data.grammar import AlignedPair, count_derivations, count_lemmas, generate
from mt.data.grammar import __main__ as command
from mt.data.grammar.clause import BE, Clause
from mt.data.grammar.corpus import SPLITS, Fingerprints, default_grammar, draw_pairs
from mt.data.grammar.english import indefinite_article, past_tense, plural, third_person
from mt.data.grammar.german import dative_plural, participle, present_tense
from mt.data.grammar.grammar import Grammar
from mt.data.grammar.lexicon import Lexicon
from mt.data.grammar.morphology import morphology
from mt.data.grammar.nominals import Name, NounPhrase, PrepositionalPhrase, Pronominal
from mt.data.grammar.records import read_yaml
from mt.data.grammar.rules import Rules
from mt.data.grammar.sentence import Sentence
from mt.errors import DataError

LEXICON = default_grammar().lexicon
NO_PARTS = dict.fromkeys(
    ["modal", "recipient", "object", "complement", "often", "manner", "place", "time"],
)


def noun_phrase(text: str, *, many: bool = False) -> NounPhrase:
    """Build a noun phrase from English lemmas: determiner (or `bare`), perhaps an adjective, noun."""
    determiner, *adjective, noun = text.split()
    return NounPhrase(
        morphology().determiners[determiner],
        LEXICON.adjectives[adjective[0]] if adjective else None,
        LEXICON.nouns[noun],
        many,
    )


def pronoun(english: str) -> Pronominal:
    return Pronominal(next(p for p in morphology().pronouns if p.english[0] == english))


def clause(subject, verb, tense="present", *, negated=False, **parts) -> Clause:
    return Clause(
        verb=LEXICON.verbs.get(verb, verb), tense=tense, negated=negated, subject=subject, **{**NO_PARTS, **parts}
    )


def sentence(rule: str, *clauses: Clause, word: str = "") -> AlignedPair:
    rules = {rule.name: rule for rule in default_grammar().rules.sentences}
    return Sentence(rules[rule], LEXICON.phrase("function", word) if word else None, clauses).pair()


def place(text: str) -> PrepositionalPhrase:
    nominal = noun_phrase(text)
    return PrepositionalPhrase(nominal.noun.location, "dative", nominal)


WOMAN, MAN = noun_phrase("the woman"), noun_phrase("the man")
YESTERDAY, TODAY = LEXICON.phrase("time", "yesterday"), LEXICON.phrase("time", "today")

HAND_WRITTEN = {
    "plain": (
        sentence("statement", clause(noun_phrase("the old woman"), "read", object=noun_phrase("a book"))),
        ("The old woman reads a book.", "Die alte Frau liest ein Buch.", "0-0 1-1 2-2 3-3 4-4 5-5"),
    ),
    "separable verb": (
        sentence("statement", clause(WOMAN, "open", object=noun_phrase("the door"))),
        ("The woman opens the door.", "Die Frau macht die Tür auf.", "0-0 1-1 2-2 2-5 3-3 4-4"),
    ),
    "particles in both languages": (
        sentence("statement", clause(pronoun("he"), "pick|up", object=pronoun("she"))),
        ("He picks her up.", "Er holt sie ab.", "0-0 1-1 1-3 2-2 3-1 3-3"),
    ),
    "perfect with haben and kein": (
        sentence("negation", clause(MAN, "buy", "past", negated=True, object=noun_phrase("a small table"))),
        (
            "The man did not buy a small table.",
            "Der Mann hat keinen kleinen Tisch gekauft.",
            "0-0 1-1 2-2 3-3 4-6 5-3 6-4 7-5",
        ),
    ),
    "perfect with sein and inversion": (
        sentence(
            "fronted time",
            clause(noun_phrase("my friend", many=True), "arrive", "past", time=YESTERDAY, place=place("the station")),
        ),
        (
            "Yesterday my friends arrived at the station.",
            "Gestern sind meine Freunde am Bahnhof angekommen.",
            "0-0 1-2 2-3 3-1 3-6 4-4 5-4 6-5",
        ),
    ),
    "do-support and nicht": (
        sentence("negation", clause(MAN, "help", negated=True, object=noun_phrase("the child"), time=TODAY)),
        (
            "The man does not help the child today.",
            "Der Mann hilft dem Kind heute nicht.",
            "0-0 1-1 2-2 3-6 4-2 5-3 6-4 7-5",
        ),
    ),
    "time before place": (
        sentence("statement", clause(pronoun("I"), "work", place=place("the garden"), time=TODAY)),
        ("I work in the garden today.", "Ich arbeite heute im Garten.", "0-0 1-1 2-3 3-3 4-4 5-2"),
    ),
    "recipient, strong plural": (
        sentence(
            "statement",
            clause(WOMAN, "give", object=noun_phrase("bare new book", many=True), recipient=noun_phrase("the boy")),
        ),
        (
            "The woman gives the boy new books.",
            "Die Frau gibt dem Jungen neue Bücher.",
            "0-0 1-1 2-2 3-3 4-4 5-5 6-6",
        ),
    ),
    "modal with do-support": (
        sentence(
            "yes-no question",
            clause(WOMAN, "drink", "modal", modal=LEXICON.modals["want"], object=noun_phrase("bare cold milk")),
        ),
        (
            "Does the woman want to drink cold milk?",
            "Will die Frau kalte Milch trinken?",
            "0-0 1-1 2-2 3-0 4-5 5-5 6-3 7-4",
        ),
    ),
    "fused modal negation": (
        sentence("negation", clause(pronoun("you"), "swim", "modal", modal=LEXICON.modals["can"], negated=True)),
        ("You cannot swim.", "Du kannst nicht schwimmen.", "0-0 1-1 1-2 2-3"),
    ),
    "question word": (
        sentence("object question", clause(pronoun("they"), "invite", "past"), word="what"),
        ("What did they invite?", "Was haben sie eingeladen?", "0-0 1-1 2-2 3-3"),
    ),
    "verb-final clause": (
        sentence(
            "reason",
            clause(WOMAN, "sleep"),
            clause(pronoun("she"), "close", object=noun_phrase("a window")),
            word="because",
        ),
        (
            "The woman sleeps because she closes a window.",
            "Die Frau schläft, weil sie ein Fenster zumacht.",
            "0-0 1-1 2-2 3-3 4-4 5-7 6-5 7-6",
        ),
    ),
    "fronted clause": (
        sentence(
            "past event", clause(MAN, "get|up", "past"), clause(Name(("Anna", "Anna")), "cry", "past"), word="when"
        ),
        (
            "When Anna cried, the man got up.",
            "Als Anna geweint hat, ist der Mann aufgestanden.",
            "0-0 1-1 2-2 2-3 3-5 4-6 5-4 5-7 6-7",
        ),
    ),
    "relative clause": (
        sentence(
            "relative clause",
            clause(noun_phrase("the girl"), BE, "past", complement=LEXICON.adjectives["tired"]),
            clause(noun_phrase("the girl"), "call", "past", object=pronoun("we")),
        ),
        (
            "The girl who called us was tired.",
            "Das Mädchen, das uns angerufen hat, war müde.",
            "0-0 1-1 2-2 3-4 3-5 4-3 5-6 6-7",
        ),
    ),
    "prepositional object, city": (
        sentence("statement", clause(MAN, "wait", complement=PrepositionalPhrase(("for", "auf"), "accusative", WOMAN))),
        ("The man waits for the woman.", "Der Mann wartet auf die Frau.", "0-0 1-1 2-2 3-3 4-4 5-5"),
    ),
    "a before a consonant sound": (
        sentence("statement", clause(noun_phrase("every farmer"), "wear", object=noun_phrase("a uniform"))),
        ("Every farmer wears a uniform.", "Jeder Bauer trägt eine Uniform.", "0-0 1-1 2-2 3-3 4-4"),
    ),
}


@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_translation_and_alignment_of_hand_written_sentences(name):
    pair, (source, target, pharaoh) = HAND_WRITTEN[name]
    assert (pair.source, pair.target, pair.pharaoh) == (source, target, pharaoh)


@pytest.mark.parametrize(
    ("determiner", "case", "forms"),
    [
        ("the", "nominative", "der kalte Saft / die kalte Milch / das kalte Wasser"),
        ("the", "accusative", "den kalten Saft / die kalte Milch / das kalte Wasser"),
        ("the", "dative", "dem kalten Saft / der kalten Milch / dem kalten Wasser"),
        ("my", "nominative", "mein kalter Saft / meine kalte Milch / mein kaltes Wasser"),
        ("my", "accusative", "meinen kalten Saft / meine kalte Milch / mein kaltes Wasser"),
        ("my", "dative", "meinem kalten Saft / meiner kalten Milch / meinem kalten Wasser"),
        ("bare", "nominative", "kalter Saft / kalte Milch / kaltes Wasser"),
        ("bare", "accusative", "kalten Saft / kalte Milch / kaltes Wasser"),
        ("bare", "dative", "kaltem Saft / kalter Milch / kaltem Wasser"),
    ],
)
def test_adjective_endings_in_three_genders(determiner, case, forms):
    phrases = [noun_phrase(f"{determiner} cold {noun}") for noun in ("juice", "milk", "water")]
    assert " / ".join(" ".join(word for word, _ in phrase.german(case)) for phrase in phrases) == forms


@pytest.mark.parametrize(
    ("determiner", "case", "expected"),
    [
        ("the", "dative", "den alten Hunden"),
        ("two", "nominative", "zwei alte Hunde"),
        ("many", "dative", "vielen alten Hunden"),
        ("our", "accusative", "unsere alten Hunde"),
    ],
)
def test_plural_noun_phrases(determiner, case, expected):
    words = noun_phrase(f"{determiner} old dog", many=True).german(case)
    assert " ".join(word for word, _ in words) == expected


@pytest.mark.parametrize(
    ("infinitive", "expected"),
    [
        ("kommen", "komme kommst kommt kommen kommen"),
        ("arbeiten", "arbeite arbeitest arbeitet arbeiten arbeiten"),
        ("zeichnen", "zeichne zeichnest zeichnet zeichnen zeichnen"),
        ("wohnen", "wohne wohnst wohnt wohnen wohnen"),
        ("tanzen", "tanze tanzt tanzt tanzen tanzen"),
        ("lächeln", "lächle lächelst lächelt lächeln lächeln"),
        ("spielen", "spiele spielst spielt spielen spielen"),
        ("füttern", "füttere fütterst füttert füttern füttern"),
    ],
)
def test_german_present_tense(infinitive, expected):
    assert " ".join(present_tense(infinitive)) == expected


def test_german_participles_and_dative_plurals():
    assert [participle("kaufen"), participle("verkaufen"), participle("reparieren"), participle("machen", "auf")] == [
        "gekauft",
        "verkauft",
        "repariert",
        "aufgemacht",
    ]
    assert [dative_plural("Kinder"), dative_plural("Frauen"), dative_plural("Autos")] == ["Kindern", "Frauen", "Autos"]


def test_english_regular_forms():
    assert [third_person(verb) for verb in ("go", "carry", "play", "wash")] == ["goes", "carries", "plays", "washes"]
    assert [past_tense(verb) for verb in ("love", "carry", "play")] == ["loved", "carried", "played"]
    assert [plural(noun) for noun in ("box", "lorry", "boy")] == ["boxes", "lorries", "boys"]
    assert [indefinite_article(word) for word in ("apple", "pear")] == ["an", "a"]


def reduced_data() -> dict:
    """Return the data of a lexicon with a few words of each kind, small enough to enumerate all its sentences."""
    data = deepcopy(read_yaml("lexicon.yaml"))
    keep = {"woman", "coffee", "water", "door", "park"}
    for kind in ("nouns", "places"):
        data[kind] = {
            name: {lemma: entry for lemma, entry in words.items() if lemma in keep}
            for name, words in data[kind].items()
        }
    data["verbs"] = {name: {**data["verbs"][name], "only": []} for name in ("read", "drink", "open", "say", "sleep")}
    data["verbs"]["read"]["object"] = "opening"
    data["adjectives"] = {name: data["adjectives"][name] for name in ("old", "cold")}
    data["names"], data["cities"] = {"Anna": "Anna"}, {"Vienna": "Wien"}
    data["modals"] = {"want": data["modals"]["want"]}
    data["phrases"] = {
        group: [p for p in phrases if group == "function" or p["english"] in ("never", "well", "today", "yesterday")]
        for group, phrases in data["phrases"].items()
    }
    return data


@pytest.fixture(scope="module")
def reduced() -> Grammar:
    """Single-clause sentences and relative clauses of a lexicon of a dozen words."""
    rules = deepcopy(read_yaml("rules.yaml"))
    rules["sentences"] = {name: rule for name, rule in rules["sentences"].items() if name in REDUCED_SENTENCES}
    rules["determiners"] = {kind: dict(islice(weights.items(), 2)) for kind, weights in rules["determiners"].items()}
    return Grammar(Lexicon.from_data(reduced_data()), Rules.from_data(rules))


REDUCED_SENTENCES = ("negation", "where question", "predicate", "relative clause", "anaphora")


def test_the_computed_number_of_derivations_is_that_of_the_enumeration(reduced):
    sentences = list(reduced.sentences)
    assert len(sentences) == reduced.sentences.count > 3000
    assert {drawn.rule.name for drawn in sentences} == set(REDUCED_SENTENCES)


def test_anaphora_takes_the_gender_of_its_antecedent(reduced):
    found = set()
    for drawn in reduced.sentences:
        if drawn.rule.name == "anaphora":
            words = drawn.pair().target.split()
            found.add((drawn.clauses[0].object.column, words[words.index(drawn.word.german) + 1]))
    assert found == {("masculine", "er"), ("feminine", "sie"), ("neuter", "es"), ("plural", "sie")}


def test_every_derivation_has_an_english_sentence_of_its_own(reduced):
    sources = Counter(drawn.pair().source for drawn in reduced.sentences)
    assert [source for source, times in sources.items() if times > 1] == []


def test_size_of_the_grammar():
    assert count_lemmas() >= 400
    assert count_derivations() > 10**8


def test_an_english_sentence_has_one_translation():
    # Few words make the same sentences come up again and again, by different derivations if there are any.
    data = reduced_data()
    complete = deepcopy(read_yaml("lexicon.yaml"))
    data["verbs"], data["phrases"] = complete["verbs"], complete["phrases"]
    for entry in data["verbs"].values():
        entry["only"] = []
        if "about" in entry:
            entry["about"]["only"] = []
    few_words = Grammar(Lexicon.from_data(data), Rules.load())
    for grammar, draws in ((few_words, 20_000), (default_grammar(), 20_000)):
        translations: dict[str, str] = {}
        uniform = Random(11).random
        for _ in range(draws):
            pair = grammar.draw(uniform).pair()
            assert translations.setdefault(pair.source, pair.target) == pair.target


def test_no_construction_and_no_verb_is_rare():
    uniform = Random(5).random
    drawn = [default_grammar().draw(uniform) for _ in range(10_000)]
    constructions = Counter(one.rule.name for one in drawn)
    verbs = Counter(one.verb for sentence in drawn for one in sentence.clauses)
    assert len(constructions) == len(default_grammar().rules.sentences)
    assert min(constructions.values()) > 100
    assert len(verbs) == len(LEXICON.verbs) + 1
    assert min(verbs.values()) > 50


def test_pairs_are_well_formed():
    for pair in generate(2000, seed=2):
        source, target = pair.source.split(), pair.target.split()
        assert pair.source == " ".join(source)
        assert pair.target == " ".join(target)
        assert pair.source[0].isupper()
        assert pair.source[-1] == pair.target[-1] in ".?"
        assert list(pair.alignment) == sorted(set(pair.alignment))
        assert {i for i, _ in pair.alignment} == set(range(len(source)))
        assert {j for _, j in pair.alignment} == set(range(len(target)))


def test_generation_is_deterministic_distinct_and_prefix_stable():
    pairs = list(generate(1000, seed=1))
    assert pairs[:100] == list(generate(100, seed=1))
    assert pairs != list(generate(1000, seed=2))
    assert len({pair.source for pair in pairs}) == 1000


def test_splits_share_no_sentence_even_under_other_seeds(reduced):
    sources = {
        (split, seed): {pair.source for pair in draw_pairs(reduced, 60, seed=seed, split=split)}
        for split in SPLITS
        for seed in (1, 2)
    }
    for (split, _), sentences in sources.items():
        others = set().union(*(found for (other, _), found in sources.items() if other != split))
        assert not sentences & others
    assert sources["test", 1] & sources["test", 2]  # they could have met


def test_asking_for_too_much_is_an_error(reduced, monkeypatch):
    count = reduced.sentences.count
    with pytest.raises(DataError, match=rf"^{count + 1} pairs asked for, but the grammar has only {count} derivations"):
        draw_pairs(reduced, count + 1, seed=1, split="train")
    monkeypatch.setattr("mt.data.grammar.corpus.MOST_PATIENCE", 200)
    with pytest.raises(DataError, match=r"pairs of split 'test' asked for, but no more than \d+ distinct sentences"):
        list(draw_pairs(reduced, count, seed=1, split="test"))


def test_unknown_split_and_negative_number_are_errors_at_once():
    with pytest.raises(
        DataError, match=r"Unknown split 'tests' .* Did you mean 'test'\? Valid: test, train, validation"
    ):
        generate(1, seed=1, split="tests")
    with pytest.raises(DataError, match="must not be negative, found -1"):
        generate(-1, seed=1)


def test_fingerprints_are_a_set():
    numbers = [Random(1).getrandbits(64) for _ in range(10)] + [0, 1 << 63] + [n << 7 for n in range(3000)]
    drawn = Fingerprints()
    expected: set[int] = set()
    for number in numbers:
        assert drawn.add(number) == ((number or 1) not in expected)
        expected.add(number or 1)
    assert len(drawn) == len(expected) > 3000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verbs": {"fly": {"german": "fliegen", "subjekt": "person"}}}, "verb 'fly': unknown key 'subjekt'. Did you mean 'subject'"),
        ({"verbs": {"fly": {"german": "fliegen"}}}, "verb 'fly': the key 'subject' is missing"),
        ({"verbs": {"fly": {"german": "fliegen", "subject": "persn"}}}, "unknown semantic class 'persn'. Did you mean 'person'"),
        ({"nouns": {"animal": {"fish": {"german": "Fisch", "plural": "Fische"}}}}, "german must be an article and a noun"),
        ({"nouns": {"animal": {"dog": {"german": "der Hund"}}}}, "give its German plural, or mark it `mass: true`"),
        (
            {"nouns": {"animal": {"sheep": {"german": "das Schaf", "plural": "Schafe", "english_plural": "sheep"}}}},
            "noun 'sheep': singular and plural are equal in English",
        ),
    ],
)  # fmt: skip
def test_mistakes_in_the_lexicon_are_named(change, message):
    data = reduced_data()
    for section, entries in change.items():
        data[section] = {**data[section], **entries}
    with pytest.raises(DataError) as error:
        Lexicon.from_data(data)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("german", "main.verb-secnd .", "unknown name 'verb-secnd'. Did you mean 'verb-second'"),
        ("english", "main.plain !", "sentence 'statement': unknown symbol '!'"),
        ("tenses", {"future": 1}, "tenses 'future' must name one of present, past, modal"),
        ("wieght", 1, "unknown key 'wieght'. Did you mean 'weight'"),
    ],
)
def test_mistakes_in_the_rules_are_named(key, value, message):
    rules = deepcopy(read_yaml("rules.yaml"))
    rules["sentences"]["statement"][key] = value
    with pytest.raises(DataError) as error:
        Rules.from_data(rules)
    assert message in str(error.value)


def test_command_writes_parallel_files(tmp_path):
    result = CliRunner().invoke(
        command.app, ["--pairs", "20", "--seed", "7", "--split", "test", "--output", str(tmp_path / "a b")]
    )
    assert result.exit_code == 0
    assert result.stdout.startswith("Wrote 20 pairs: ")
    columns = [
        (tmp_path / "a b" / f"test.{suffix}").read_text("utf-8").splitlines() for suffix in ("en", "de", "align")
    ]
    assert list(zip(*columns, strict=True)) == [
        (pair.source, pair.target, pair.pharaoh) for pair in generate(20, seed=7, split="test")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--split", "dev"], "Unknown split 'dev'"), (["--output", __file__], "Choose another folder with --output")],
)
def test_command_reports_errors_briefly(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command.app, ["--pairs", "5", "--seed", "1", *options])
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_an_interrupted_run_leaves_no_file(tmp_path):
    def interrupted():
        yield from generate(5, seed=1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        command.write(interrupted(), tmp_path, "train")
    assert list(tmp_path.iterdir()) == []


def test_the_engine_imports_no_heavy_library():
    code = "import sys, mt.data.grammar; print({'torch', 'datasets', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
