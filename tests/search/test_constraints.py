"""Whatever the model: prefixes are kept, phrases that must be there are, and those that must not are not."""

import re

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mt.errors import ConfigError
from mt.model import ModelSpec, build_model
from mt.request import Request
from mt.search import DecodingOptions
from mt.search.spelling import Spelling
from mt.text.tokenizer import TokenizerPair
from mt.text.tokenizer_training import TokenizerSettings, train_tokenizers
from mt.torch_model import TorchModel
from mt.translator import Translator

SENTENCES = [
    "der alte Hund schläft im Garten",
    "eine junge Frau liest ein Buch, das gut ist",
    "zwei Hunde laufen durch den Garten des Hauses",
    "ein Mann schaut auf das Haus und auf die Hundert",
]
WORDS = sorted({word for sentence in SENTENCES for word in re.findall(r"\w+", sentence)})
words = st.sampled_from(WORDS)
phrases = st.lists(words, min_size=1, max_size=3).map(" ".join)
prefixes = st.sampled_from(SENTENCES).flatmap(lambda text: st.integers(0, len(text)).map(lambda end: text[:end]))
whatever = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def pairs() -> dict[str, TokenizerPair]:
    kinds = {"bpe": 120, "unigram": 50, "char": 60}
    return {
        kind: train_tokenizers(SENTENCES, SENTENCES, TokenizerSettings(model_type=kind, vocab_size=size))
        for kind, size in kinds.items()
    }


def translator(pair: TokenizerPair, seed: int) -> Translator:
    """A model that has learnt nothing, with strong opinions."""
    torch.manual_seed(seed)
    size = len(pair.target)
    spec = ModelSpec(
        source_vocabulary=size,
        target_vocabulary=size,
        embedding_size=8,
        encoder_size=4,
        decoder_size=6,
        attention_size=4,
    )
    model = build_model(spec).eval()
    model.output.weight.data *= 5
    return Translator(TorchModel(model), tokenizers=pair, decoding=DecodingOptions(beam_size=3))


def has(text: str, phrase: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text) is not None


ways = st.sampled_from([{"beam_size": 1}, {"beam_size": 4}, {"sample": True}])


@given(st.sampled_from(["bpe", "unigram", "char"]), st.integers(0, 10**6), prefixes, ways)
@whatever
def test_a_prefix_is_kept(pairs, kind, seed, prefix, way):
    (found,) = translator(pairs[kind], seed).translate([Request(text="der Hund", prefix=prefix)], **way)
    assert found.text.startswith(prefix.strip())
    if prefix.endswith(" ") and prefix.strip() and found.text != prefix.strip():
        assert found.text.startswith(prefix)  # the last word is finished


@given(
    st.sampled_from(["bpe", "unigram", "char"]), st.integers(0, 10**6), st.lists(phrases, min_size=1, max_size=3), ways
)
@whatever
def test_phrases_are_included(pairs, kind, seed, wanted, way):
    (found,) = translator(pairs[kind], seed).translate([Request(text="der Hund", include=wanted)], **way)
    for phrase in wanted:
        assert has(found.text, phrase)


@given(
    st.sampled_from(["bpe", "unigram", "char"]), st.integers(0, 10**6), st.lists(phrases, min_size=1, max_size=3), ways
)
@whatever
def test_phrases_are_excluded(pairs, kind, seed, unwanted, way):
    (found,) = translator(pairs[kind], seed).translate([Request(text="der Hund", exclude=unwanted)], **way)
    for phrase in unwanted:
        assert not has(found.text, phrase)


@given(st.sampled_from(["bpe", "unigram"]), st.integers(0, 10**6), prefixes, st.lists(words, max_size=2), ways)
@whatever
def test_constraints_go_together(pairs, kind, seed, prefix, wanted, way):
    unwanted = [word for word in ("Frau", "Buch") if word not in prefix and word not in wanted]
    request = Request(text="der Hund", prefix=prefix, include=wanted, exclude=unwanted)
    plain = Request(text="eine Frau liest ein Buch")
    found, other = translator(pairs[kind], seed).translate([request, plain], **way)
    assert found.text.startswith(prefix.strip())
    assert all(has(found.text, word) for word in wanted)
    assert not any(has(found.text, word) for word in unwanted)
    if not way.get("sample"):
        (alone,) = translator(pairs[kind], seed).translate([plain], **way)
        assert other.text == alone.text


def test_unlike_models_are_not_told_what_they_would_say_anyway(pairs):
    """Constraints that the best translation satisfies do not change it."""
    machine = translator(pairs["bpe"], 1)
    (free,) = machine.translate(["der Hund"], beam_size=1)
    assert free.pieces[0].startswith("▁")  # as a model that has learnt something would begin
    (bound,) = machine.translate([Request(text="der Hund", prefix=free.text[:9])], beam_size=1)
    assert bound.ids == free.ids
    assert bound.score == pytest.approx(free.score)


def test_excluding_the_best_leaves_others(pairs):
    machine = translator(pairs["bpe"], 5)
    (free,) = machine.translate(["der Hund"], beam_size=8)
    (bound,) = machine.translate([Request(text="der Hund", exclude=[free.text])], beam_size=8)
    assert not has(bound.text, free.text)


def test_constraints_that_contradict_each_other_are_reported(pairs):
    machine = translator(pairs["bpe"], 1)
    with pytest.raises(ConfigError, match=r"line 2 has no translation that .*contradict each other"):
        machine.translate(["der", Request(text="der", prefix="der Hund ", exclude=["Hund"])])


def test_a_diverse_beam_cannot_be_made_to_include(pairs):
    machine = translator(pairs["bpe"], 1)
    (found,) = machine.translate([Request(text="der", exclude=["Hund"], prefix="der")], beam_size=4, beam_groups=2)
    assert found.text.startswith("der")
    with pytest.raises(ConfigError, match="phrases cannot be included by a diverse beam: leave beam_groups at 1"):
        machine.translate([Request(text="der", include=["Hund"])], beam_size=4, beam_groups=2)


def test_characters_that_nobody_can_write_are_reported(pairs):
    machine = translator(pairs["bpe"], 1)
    with pytest.raises(
        ConfigError, match=r"line 1: the prefix 'Жук' has characters that the model cannot write: Ж к у"
    ):
        machine.translate([Request(text="der", prefix="Жук")])
    with pytest.raises(ConfigError, match="line 1: 'Жук' cannot be included"):
        machine.translate([Request(text="der", include=["Жук"])])


def test_what_is_kept_is_kept_as_far_as_it_can_be_written(pairs):
    machine = translator(pairs["char"], 1)
    (found,) = machine.translate([Request(text="der", keep=["Hund", "Жук"])])
    assert has(found.text, "Hund")


def test_spelling():
    spelling = Spelling(
        ["<pad>", "<unk>", "<s>", "</s>", "▁H", "▁Hund", "▁Hunde", "und", "u", "n", "d", ".", "<0x41>", "▁", "d▁H"]
    )
    names = lambda ids: sorted(spelling.pieces[i] for i in ids)  # noqa: E731
    assert names(spelling.continuing("▁Hu")) == ["▁", "▁H", "▁Hund", "▁Hunde"]
    assert names(spelling.completing("und")) == ["und"]
    assert names(spelling.completing("▁Hund")) == ["▁Hund"]
    assert names(spelling.completing("d")) == ["d", "d▁H"]
    assert names(spelling.containing("H")) == ["d▁H", "▁H"]
    assert names(spelling.bytes) == ["<0x41>"]
    assert names(np.flatnonzero(spelling.within_word)) == sorted(
        ["<pad>", "<unk>", "<s>", "und", "u", "n", "d", "<0x41>", "d▁H"]
    )


def test_rules_hold_at_every_step(pairs):
    machine = translator(pairs["char"], 2)
    for hypothesis in machine.translate(
        ["der Hund", "ein Buch"], no_repeat_ngram=2, min_length=9, suppress_unknown=True
    ):
        bigrams = list(zip(hypothesis.ids, hypothesis.ids[1:], strict=False))
        assert len(set(bigrams)) == len(bigrams)
        assert len(hypothesis.ids) >= 9
        assert 1 not in hypothesis.ids


def test_a_repetition_penalty_makes_repetition_rarer(pairs):
    machine = translator(pairs["char"], 4)
    plain, varied = (machine.translate(["der Hund"], repetition_penalty=p, min_length=9)[0] for p in (1.0, 5.0))
    assert len(plain.ids) - len(set(plain.ids)) > len(varied.ids) - len(set(varied.ids))
