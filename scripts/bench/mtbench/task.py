"""What contenders that translate are told to do, and how what they did is counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mt.data.lines import existing_file, read_lines
from mt.errors import DataError
from mt.text.tokenizer import Tokenizer
from mtbench.contender import Contender
from mtbench.multiply_adds import DecodingMultiplyAdds
from mtbench.translations import Turn
from mtbench.work import LANGUAGES

__all__ = ["Setting", "Task", "test_set"]


class Setting(NamedTuple):
    """How contenders search."""

    beam: int
    """Hypotheses followed at a time; 1 is greedy."""
    batch: int
    """Sentences translated at once."""

    def __str__(self) -> str:
        return f"beam{self.beam}/batch{self.batch}"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What all contenders translate, and how what they did is counted."""

    sources: Sequence[str]
    references: Sequence[str]
    tokenizer: Tokenizer
    """Of the target language, mt's: counts the tokens of everybody."""
    multiply_adds: DecodingMultiplyAdds
    parameters: int
    """Of mt's model."""
    rounds: int
    seconds: float
    """Least length of a turn."""

    def turn(self, contender: Contender, setting: Setting, number: int) -> Turn:
        """Let a contender translate the share of the round with this number, from 0."""
        places = range(number, len(self.sources), self.rounds)
        order = {"texts": [self.sources[place] for place in places], **setting._asdict(), "seconds": self.seconds}
        done = contender.ask(order)
        translations = done.pop("translations")
        counts = done.pop("counts")
        return Turn(
            translations=dict(zip(places, translations, strict=True)),
            tokens=self.tokens_of(translations),
            multiply_adds=self.multiply_adds.of(counts) if counts else 0.0,
            parameters=done.pop("parameters") or self.parameters,
            **done,
        )

    def tokens_of(self, texts: Sequence[str]) -> int:
        """Return the tokens of texts, EOS of each counted."""
        return sum(len(ids) + 1 for ids in self.tokenizer.encode(texts))


def test_set(data: Path, name: str, most: int) -> tuple[list[str], list[str]]:
    """Read the first sentences and their references. Raises DataError if they do not belong together."""
    files = [existing_file(str(data / f"{name}.{language}.gz"), "--test") for language in LANGUAGES]
    sources, references = (list(read_lines(file)) for file in files)
    if len(sources) != len(references):
        raise DataError(f"{files[0]} has {len(sources)} lines, but {files[1]} has {len(references)}")
    return sources[:most], references[:most]
