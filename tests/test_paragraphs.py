"""Paragraphs cut into sentences, translated, and put together again."""

from types import SimpleNamespace

from mt.paragraphs import translate_paragraphs
from mt.text.sentences import split_sentences


class Echo:
    """Translates a sentence into itself, and reads ahead as far as it is told."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.read: list[str] = []

    def translate_n_best(self, lines, *, n_best, **changes):
        assert (n_best, changes) == (1, {"beam_size": 2})
        lines = iter(lines)
        while some := [line for _, line in zip(range(self.window), lines, strict=False)]:
            self.read += some
            yield from ([SimpleNamespace(text=line)] for line in some)


PARAGRAPHS = ["Dr. Smith sleeps. He dreams!", "", "One.", "Why? Now! Go. Run."]


def test_every_paragraph_gets_its_sentences_back():
    for window in (1, 2, 100):
        found = translate_paragraphs(Echo(window), PARAGRAPHS, language="en", beam_size=2)
        assert [[one.text for one in some] for some in found] == [
            ["Dr. Smith sleeps.", "He dreams!"],
            [""],
            ["One."],
            ["Why?", "Now!", "Go.", "Run."],
        ]


def test_paragraphs_are_read_as_they_are_needed():
    echo = Echo(2)
    next(iter(translate_paragraphs(echo, (f"Line {n}." for n in range(1000)), language="en", beam_size=2)))
    assert len(echo.read) == 2


def test_abbreviations_belong_to_their_language():
    assert split_sentences("Das ist z. B. gut. Am 3. Mai kam er.", "de") == ["Das ist z. B. gut.", "Am 3. Mai kam er."]
    assert split_sentences("   ", "de") == []
