from pathlib import Path

import datasets
import pytest

from mt.data import cleaning, sources
from mt.data.cleaning import CleaningReport, encode_and_clean
from mt.errors import ConfigError, DataError
from mt.text.tokenizer import Tokenizer, TokenizerPair
from mt.text.tokenizer_training import TokenizerSettings, train_tokenizers

SENTENCE = "the cat sees the dog"


@pytest.fixture(scope="module")
def tokenizers() -> TokenizerPair:
    """One piece per character, so that lengths can be counted by eye ("▁" stands before each word)."""
    return train_tokenizers([SENTENCE], ["die Katze sieht den Hund"], TokenizerSettings(model_type="char"))


def corpus_of(pairs: list[tuple[str, str]]) -> datasets.Dataset:
    return datasets.Dataset.from_dict(
        {
            "source": [source for source, _ in pairs],
            "target": [target for _, target in pairs],
            "line": range(1, len(pairs) + 1),
        }
    )


def test_ids_are_added_and_everything_else_stays(tokenizers):
    corpus = corpus_of([("the cat", "die Katze"), ("the dog", "den Hund")])
    encoded, report = encode_and_clean(corpus, tokenizers, max_length=20)
    assert encoded.remove_columns(["src", "tgt"]).to_list() == corpus.to_list()
    assert encoded["src"][:] == tokenizers.source.encode(["the cat", "the dog"])
    assert encoded["tgt"][:] == tokenizers.target.encode(["die Katze", "den Hund"])
    assert encoded.features["src"] == encoded.features["tgt"] == datasets.List(datasets.Value("int32"))
    assert report == CleaningReport(pairs=2, empty_source=0, empty_target=0, too_long=0, max_length=20)
    assert str(report) == "2 pairs: kept all"


def test_each_dropped_pair_is_counted_once_and_lines_are_kept(tokenizers):
    corpus = corpus_of(
        [
            ("the cat", "die Katze"),
            ("", "die Katze"),
            (" \t\u00a0", ""),
            ("\u200b", "sieht"),  # a zero-width space encodes to nothing
            ("the dog", "  "),
            ("the", "die" * 4),  # 13 pieces
            ("the" * 4, ""),
            ("the dog", "den Hund"),
            ("the" * 4, "die" * 4),
        ]
    )
    encoded, report = encode_and_clean(corpus, tokenizers, max_length=12)
    assert encoded["line"][:] == [1, 8]
    assert encoded.data.column("line").to_pylist() == [1, 8], "no index mapping: the table itself holds what is kept"
    assert (report.empty_source, report.empty_target, report.too_long, report.kept) == (3, 2, 2, 2)
    assert str(report) == (
        "9 pairs: kept 2; dropped 3 with an empty source, 2 with an empty target, 2 longer than 12 pieces"
    )


def test_the_longest_allowed_pair_stays(tokenizers):
    corpus = corpus_of([("the", "dien"), ("then", "die")])
    assert encode_and_clean(corpus, tokenizers, max_length=5)[1].kept == 2
    assert encode_and_clean(corpus_of([("t", "d"), *corpus_pairs(corpus)]), tokenizers, max_length=4)[1].too_long == 2


def corpus_pairs(corpus: datasets.Dataset) -> list[tuple[str, str]]:
    return list(zip(corpus["source"][:], corpus["target"][:], strict=True))


def test_large_numbers_are_grouped_and_reasons_that_do_not_occur_left_out():
    report = CleaningReport(pairs=29_000, empty_source=0, empty_target=0, too_long=1_010, max_length=200)
    assert str(report) == "29,000 pairs: kept 27,990; dropped 1,010 longer than 200 pieces"


def test_nothing_left(tokenizers):
    with pytest.raises(
        DataError, match="nothing of the corpus is left to use: 2 pairs: kept 0; dropped 1 with an empty"
    ):
        encode_and_clean(corpus_of([("", "die"), ("the", "die Katze")]), tokenizers, max_length=4)


def test_max_length_below_one(tokenizers):
    with pytest.raises(ConfigError, match="max_length: must be at least 1 piece, got 0"):
        encode_and_clean(corpus_of([("the", "die")]), tokenizers, max_length=0)


def test_lines_of_a_megabyte_are_dropped_without_being_encoded(tokenizers, monkeypatch):
    encode = Tokenizer.encode

    def encode_short(self, texts):
        assert max(map(len, texts)) <= 10_000
        return encode(self, texts)

    monkeypatch.setattr(Tokenizer, "encode", encode_short)
    megabyte, blank = "the cat " * 125_000, " " * 1_000_000
    pairs = [(megabyte, "die"), ("the", megabyte), (blank, "die"), (f"the{blank}cat", "die"), ("the", "die")]
    encoded, report = encode_and_clean(corpus_of(pairs), tokenizers, max_length=100)
    assert (report.too_long, report.empty_source, report.kept) == (3, 1, 1)
    assert encoded["line"][:] == [5]


def test_cache_hit_gives_the_same_report_and_changes_are_seen(tokenizers, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "a").write_text("the cat\n\nthe dog\n")
    (tmp_path / "b").write_text("die Katze\nder Hund\nden Hund\n")

    def clean(tokenizers: TokenizerPair, max_length: int) -> tuple[datasets.Dataset, CleaningReport]:
        corpus = sources.text_files(source=str(tmp_path / "a"), target=str(tmp_path / "b"))
        return encode_and_clean(corpus, tokenizers, max_length=max_length)

    calls = []
    encode_batch = cleaning._encode_batch

    def counted(*args, **kwargs):
        calls.append(1)
        return encode_batch(*args, **kwargs)

    monkeypatch.setattr(cleaning, "_encode_batch", counted)
    first, report = clean(tokenizers, 10)
    assert (len(calls), report.kept, report.empty_source) == (1, 2, 1)
    again, same_report = clean(tokenizers, 10)
    assert (len(calls), same_report) == (1, report)
    assert again.to_list() == first.to_list()
    assert again._fingerprint == first._fingerprint
    assert clean(tokenizers, 9)[1].too_long == 1
    others = train_tokenizers([SENTENCE], ["Katze Hund"], TokenizerSettings(model_type="char", joint=False))
    assert clean(others, 10)[0]._fingerprint != first._fingerprint
    assert len(calls) == 3
