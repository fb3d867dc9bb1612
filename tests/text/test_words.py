"""Words are the `split()` of the decoded text, whatever the pieces are."""

import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mt.text.symbols import UNK
from mt.text.tokenizer import Tokenizer
from mt.text.tokenizer_training import TokenizerSettings, train_tokenizers
from mt.text.words import bare_word, split_punctuation, word_of_piece

ENGLISH = ["The old man sees a small dog.", "A small dog (his) sees the old man.", "The children, they play."]
GERMAN = ["Der alte Mann sieht einen kleinen Hund.", "Ein kleiner Hund sieht ihn.", "Die Kinder spielen."]
SETTINGS = {
    "unigram": TokenizerSettings(vocab_size=50, user_defined_symbols=["<de>", "a,b"]),
    "bpe": TokenizerSettings(vocab_size=60, model_type="bpe", user_defined_symbols=["<de>"]),
    "char": TokenizerSettings(model_type="char"),
    "bytes": TokenizerSettings(vocab_size=300, byte_fallback=True, user_defined_symbols=["<de>"]),
    "identity": TokenizerSettings(vocab_size=300, byte_fallback=True, normalization="identity"),
}


@pytest.fixture(scope="module")
def models() -> dict[str, Tokenizer]:
    return {name: train_tokenizers(ENGLISH, GERMAN, settings).source for name, settings in SETTINGS.items()}


def spelled(tokenizer: Tokenizer, ids: list[int]) -> list[str]:
    """Decode the pieces of each word by themselves."""
    groups: dict[int, list[int]] = {}
    for token, word in zip(ids, word_of_piece(tokenizer.pieces(ids)).tolist(), strict=True):
        groups.setdefault(word, []).append(token)
    assert list(groups) == [*range(len(groups))]
    words = [word.strip() for word in tokenizer.decode(list(groups.values()))]
    return words if any(words) else []  # nothing but white space: of a word that is not there


PARTS = [*"adeo  .,(<>½¨▁汉😀é\u0301\u200b\xa0\u2028\t", "<de>", "0x41"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=15).map("".join)


@pytest.mark.parametrize("name", SETTINGS)
@given(text=TEXTS)
@example(text="  The  old dog ")
@example(text="<de> the x<de>y a,b dog")
@example(text="汉 字汉, 😀 dog😀s.")
@example(text="a\xa0b\tc ▁ d")
@example(text="a <0x41> b")
def test_words_are_those_of_the_decoded_text(models, name, text):
    if name == "identity":
        text = text.translate(dict.fromkeys(map(ord, "\xa0\u2028"), "x"))  # white space spelled in several bytes
    tokenizer = models[name]
    ids = tokenizer.encode([text])[0]
    decoded = tokenizer.decode([ids])[0]
    assert spelled(tokenizer, ids) == decoded.split()
    assert len(tokenizer.words(text)) == len(decoded.split())


@pytest.mark.parametrize("name", ["unigram", "bpe", "char", "bytes"])
@given(rows=st.lists(st.integers(4, 49)))
def test_and_so_they_are_whatever_a_model_writes(models, name, rows):
    tokenizer = models[name]
    ids = [min(token, len(tokenizer) - 1) for token in rows]
    decoded = tokenizer.decode([ids])[0]
    assert spelled(tokenizer, ids) == decoded.split()


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([], []),
        (["▁"], [0]),
        (["▁the", "▁", "d", "og", "."], [0, 1, 1, 1, 1]),
        (["the", "▁dog", "▁"], [0, 1, 1]),
        (["▁", "▁", "a", "▁", "▁", "b"], [0, 0, 0, 1, 1, 1]),
        (["▁", "<unk>", "▁<unk>", "s"], [0, 0, 1, 1]),
        (["▁", "<0xE6>", "<0xB1>", "<0x89>", "<0x0A>", "x"], [0, 0, 0, 0, 1, 1]),
        (["▁à", "<0xC3>", "<0xA0>", "▁b"], [0, 0, 0, 1]),
        (["▁", "<de>", "▁dog"], [0, 0, 1]),
        (["▁in", "▁New▁York", "ers", "▁live"], [0, 1, 2, 3]),
        (["the▁", "dog▁"], [0, 1]),
    ],
)
def test_word_of_piece(pieces, words):
    assert word_of_piece(pieces).tolist() == words


def test_words_are_those_of_the_raw_text(models):
    for text in (" The  <de> Ｄog,\t汉字 “x”", "ÉCOLE"):
        assert models["unigram"].words(text) == text.split()
    assert models["unigram"].words("a \u200b ¨b") == ["a", "̈b"]  # NFKC makes white space of one and of half the other
    assert models["unigram"].words(" ") == []
    assert UNK in models["unigram"].encode(["汉"])[0]


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("Hund.", ("", "Hund", ".")),
        ("(„Hund“),", ("(„", "Hund", "“),")),
        ("50%", ("", "50%", "")),
        ("C++", ("", "C++", "")),
        ("don't", ("", "don't", "")),
        ("...", ("", "...", "")),
        ("", ("", "", "")),
        ("⁇.", ("", "⁇", ".")),
    ],
)
def test_punctuation_around_words(word, parts):
    assert split_punctuation(word) == parts
    assert bare_word(word) == parts[1]


def test_nothing_of_this_loads_torch():
    modules = "mt.text.unknown, mt.text.verbatim, mt.data.lexicon, mt.evaluation.alignment_error"
    program = f"import sys, {modules}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
