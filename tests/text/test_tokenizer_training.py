import logging
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mt.errors import ConfigError, TokenizerError
from mt.text import tokenizer_training
from mt.text.tokenizer_training import TokenizerSettings, load_or_train, train_tokenizers

GENERATOR = random.Random(0)
WORDS = [
    "".join(GENERATOR.choices(["ba", "do", "ki", "lem", "nur", "sat"], k=GENERATOR.randint(1, 4))) for _ in range(300)
]
LINES = [" ".join(GENERATOR.choices(WORDS, k=8)) for _ in range(400)]


class Corpus:
    """The least that `load_or_train` asks of a corpus."""

    def __init__(self, source: list[str], target: list[str]) -> None:
        self.columns = {"source": source, "target": target}

    def __len__(self) -> int:
        return len(self.columns["source"])

    def iter(self, batch_size: int) -> Iterator[dict[str, list[str]]]:
        for start in range(0, len(self), batch_size):
            yield {name: column[start : start + batch_size] for name, column in self.columns.items()}


CORPUS = Corpus(LINES[:200], LINES[200:])
SETTINGS = TokenizerSettings(vocab_size=60)


# --- settings ---------------------------------------------------------------------------------------------------------


def test_a_list_of_symbols_as_a_config_gives_it():
    assert TokenizerSettings(user_defined_symbols=["<a>", "<b>"]).user_defined_symbols == ("<a>", "<b>")


def test_all_wrong_settings_are_reported_together():
    with pytest.raises(ConfigError) as caught:
        TokenizerSettings(
            model_type="bpee",
            vocab_size=4,
            joint="yes",
            character_coverage=1.5,
            normalization="nfkd",
            user_defined_symbols=["<s>", "<x>", "<x>"],
            max_training_sentences=0,
            sampling=-0.1,
            sample_target=1,
        )
    assert str(caught.value).splitlines() == [
        "tokenizer settings:",
        "  model_type: unknown 'bpee'. Did you mean 'bpe'? Valid: bpe, char, unigram.",
        "  normalization: unknown 'nfkd'. Did you mean 'nfkc'? Valid: identity, nfkc, nfkc_cf, nmt_nfkc, nmt_nfkc_cf.",
        "  joint: must be true or false, got 'yes'",
        "  sample_target: must be true or false, got 1",
        "  character_coverage: must be above 0 and at most 1, got 1.5",
        "  sampling: must be at least 0 (off) and at most 1, got -0.1",
        "  user_defined_symbols: reserved or given twice: <s>, <x>",
        "  vocab_size: must be a whole number of at least 8, got 4",
        "  max_training_sentences: must be a whole number of at least 1, got 0",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vocab_size": "8000"}, "vocab_size: must be a whole number of at least 5, got '8000'"),
        ({"vocab_size": 8000.0}, "vocab_size: must be a whole number"),
        ({"vocab_size": 200, "byte_fallback": True}, "vocab_size: must be a whole number of at least 261, got 200"),
        ({"user_defined_symbols": "<a>"}, "user_defined_symbols: must be a list of non-empty strings, got '<a>'"),
        ({"user_defined_symbols": ["<a>", " "]}, "user_defined_symbols: must be a list of non-empty strings"),
        ({"user_defined_symbols": None}, "user_defined_symbols: must be a list of non-empty strings, got None"),
        ({"model_type": None}, "model_type: unknown None. Valid: bpe, char, unigram"),
        ({"character_coverage": 0}, "character_coverage: must be above 0 and at most 1, got 0"),
        ({"sampling": 1.1}, "sampling: must be at least 0 (off) and at most 1, got 1.1"),
        ({"sampling": True}, "sampling: must be at least 0 (off) and at most 1, got True"),
        ({"sampling": None}, "sampling: must be at least 0 (off) and at most 1, got None"),
        ({"model_type": "char", "sampling": 0.1}, "sampling: must be 0 for char, got 0.1: there is but one way to cut"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        TokenizerSettings(**settings)


# --- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_vocabulary_too_large_names_the_largest_that_works(model_type):
    settings = TokenizerSettings(model_type=model_type, vocab_size=50_000)
    with pytest.raises(
        TokenizerError, match=rf"vocab_size=50000 is too large.*a {model_type} model of at most"
    ) as caught:
        train_tokenizers(LINES, LINES, settings)
    largest = int(
        re.search(r"at most (\d+) pieces; set the tokenizer's vocab_size to \1 or less", str(caught.value))[1]
    )
    tokenizers = train_tokenizers(LINES, LINES, TokenizerSettings(model_type=model_type, vocab_size=largest))
    assert len(tokenizers.source) == largest
    with pytest.raises(TokenizerError, match=f"at most {largest} pieces"):
        train_tokenizers(LINES, LINES, TokenizerSettings(model_type=model_type, vocab_size=largest + 1))


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_vocabulary_too_small_for_the_characters(model_type):
    characters = {character for line in LINES for character in line}
    least = len(characters) + 4
    message = f"vocab_size=10 is too small: the characters of the corpus's target side need {least} pieces"
    settings = TokenizerSettings(model_type=model_type, vocab_size=10, joint=False)
    sources = ["abc abc bca abc cab abca bcab"] * 3  # has few enough characters, unlike the target side
    with pytest.raises(TokenizerError, match=message):
        train_tokenizers(sources, LINES, settings)


def test_char_vocabulary_is_bounded_by_the_size_and_by_the_characters():
    sizes = [
        len(train_tokenizers(LINES, [], TokenizerSettings(model_type="char", vocab_size=n)).source) for n in (8, 999)
    ]
    assert sizes == [8, len({character for line in LINES for character in line}) + 4]


def test_no_text():
    with pytest.raises(TokenizerError, match="no tokenizer can be trained: the corpus has no text"):
        train_tokenizers([], ["", "  "], SETTINGS)
    with pytest.raises(TokenizerError, match="the corpus's target side has no text"):
        train_tokenizers(LINES, [], TokenizerSettings(vocab_size=60, joint=False))


def test_training_is_silent(capfd):
    train_tokenizers(LINES, LINES, SETTINGS)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.parametrize("settings", [SETTINGS, TokenizerSettings(vocab_size=60, max_training_sentences=100)])
def test_training_is_deterministic_over_processes(settings):
    """SentencePiece draws its own sample of a large text at random and cannot be seeded."""
    command = (
        "from mt.text.tokenizer_training import TokenizerSettings, train_tokenizers\n"
        f"lines = {LINES!r}\n"
        f"print(train_tokenizers(lines, lines, {settings!r}).fingerprint)"
    )
    output = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True).stdout
    assert output.strip() == train_tokenizers(LINES, LINES, settings).fingerprint


def test_a_large_text_is_sampled_from_all_of_it():
    numbers = [str(number) for number in range(10_000)]
    sample = tokenizer_training._sample(iter(numbers), 1000)
    assert len(set(sample)) == 1000
    assert 400 < sum(int(number) < 5000 for number in sample) < 600
    assert tokenizer_training._sample(iter(numbers), 10_000) == numbers


# --- the cache --------------------------------------------------------------------------------------------------------


@pytest.fixture
def trainings(monkeypatch) -> list[TokenizerSettings]:
    """The settings of each training from here on."""
    seen: list[TokenizerSettings] = []
    train = train_tokenizers

    def counted(sources, targets, settings):
        seen.append(settings)
        return train(sources, targets, settings)

    monkeypatch.setattr(tokenizer_training, "train_tokenizers", counted)
    return seen


def test_cache_hit(tmp_path: Path, trainings, caplog):
    caplog.set_level(logging.INFO)
    first = load_or_train(CORPUS, SETTINGS, tmp_path / "deep" / "cache")
    assert load_or_train(CORPUS, SETTINGS, tmp_path / "deep" / "cache") == first
    assert len(trainings) == 1
    (folder,) = (tmp_path / "deep" / "cache").iterdir()
    assert caplog.messages == [
        f"training a joint unigram SentencePiece model of 60 pieces on {2 * len(CORPUS)} lines",
        f"reusing the tokenizers in {folder}",
    ]


def test_sampling_needs_no_other_model(tmp_path: Path, trainings):
    first = load_or_train(CORPUS, SETTINGS, tmp_path)
    assert load_or_train(CORPUS, TokenizerSettings(vocab_size=60, sampling=0.2, sample_target=False), tmp_path) == first
    assert len(trainings) == 1


def test_changed_text_or_settings_are_trained_anew(tmp_path: Path, trainings, caplog):
    caplog.set_level(logging.INFO)
    source, target = CORPUS.columns.values()
    for corpus, settings in (
        (CORPUS, SETTINGS),
        (CORPUS, TokenizerSettings(vocab_size=61)),
        (CORPUS, TokenizerSettings(vocab_size=60, joint=False)),
        (Corpus(source, [*target[:-1], "the end"]), SETTINGS),
        (Corpus(target, source), SETTINGS),
    ):
        load_or_train(corpus, settings, tmp_path)
    assert len(trainings) == len(list(tmp_path.iterdir())) == 5
    assert "training a source and a target unigram SentencePiece model of 60 pieces each" in caplog.text


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_entry_is_trained_again(tmp_path: Path, trainings, caplog, damage):
    settings = TokenizerSettings(vocab_size=60, joint=False)
    first = load_or_train(CORPUS, settings, tmp_path)
    (model,) = tmp_path.glob("*/target.spm")
    if damage == "truncated":
        os.truncate(model, 1000)
    else:
        model.unlink()
    assert load_or_train(CORPUS, settings, tmp_path) == first
    assert "training the tokenizers again: " in caplog.text
    assert load_or_train(CORPUS, settings, tmp_path) == first
    assert len(trainings) == 2


def test_a_failed_training_leaves_nothing(tmp_path: Path):
    with pytest.raises(TokenizerError, match="too large"):
        load_or_train(CORPUS, TokenizerSettings(vocab_size=9999), tmp_path)
    assert list(tmp_path.iterdir()) == []
