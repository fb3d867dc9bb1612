"""N-best lists as text, the way `mt-translate --n-best` and `--json` print them: read, checked and written again."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby, takewhile
from operator import itemgetter
from typing import Any

from mt.errors import DataError

__all__ = ["Candidate", "NBest", "format_n_best", "read_n_best"]

SEPARATOR = " ||| "
PLAIN = "LINE ||| TRANSLATION ||| SCORE"
JSON = '{"line": ..., "hypotheses": [{"text": ..., "score": ...}, ...]}'
ADVICE = "mt-translate --n-best N makes such lists, plain or with --json"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One hypothesis of an n-best list."""

    text: str
    score: float
    """What the list is ranked by."""
    further_scores: tuple[float, ...] = ()
    """What `mt-score --n-best` has appended."""
    pieces: tuple[str, ...] | None = None
    """One SentencePiece piece per token; lists in JSON have them."""
    token_scores: tuple[float, ...] | None = None
    """Log-probability of each token and of EOS, nats; lists in JSON have them."""


@dataclass(frozen=True, kw_only=True)
class NBest:
    """The hypotheses of one line of the source, best first."""

    line: int
    """Number of the line, from 1."""
    candidates: tuple[Candidate, ...]
    is_json: bool
    """How the list was written, and will be again."""


def read_n_best(lines: Iterable[str], *, origin: str) -> Iterator[NBest]:
    """Read an n-best list, line after line of its source; which of the two formats it has, its first line tells.

    Plain: LINE ||| TRANSLATION ||| SCORE, and further scores after it, as many on every line. A translation may itself
    contain the separator. JSON: one object a line, {"line": ..., "hypotheses": [{"text": ..., "score": ...}, ...]};
    "pieces", "token_scores" and "further_scores" are read too.

    Args:
        lines: of the list.
        origin: its name, for errors.

    Raises:
        DataError: a line has another format, or its hypotheses do not follow those of the line before it in the source.
            The message names the line of the list.
    """
    remaining = iter(lines)
    first = next(remaining, None)
    if first is None:
        return
    read = _read_json if first.startswith("{") else _read_plain
    last = 0
    for number, found in read(chain([first], remaining), origin):
        if found.line != last + 1:
            place = f"follow those of line {last}" if last else "come first"
            raise DataError(
                f"{origin}, line {number}: the hypotheses of line {found.line} of the source {place}, and those of line "
                f"{last + 1} are missing: lists hold the lines of the source in their order, numbered from 1"
            )
        last = found.line
        yield found


def format_n_best(n_best: NBest) -> Iterator[str]:
    """Yield the lines of text that `read_n_best` reads."""
    if n_best.is_json:
        hypotheses = [_plain_data(candidate) for candidate in n_best.candidates]
        yield json.dumps({"line": n_best.line, "hypotheses": hypotheses}, ensure_ascii=False)
        return
    for one in n_best.candidates:
        scores = [f"{score:.4f}" for score in (one.score, *one.further_scores)]
        yield SEPARATOR.join([str(n_best.line), one.text, *scores])


def _plain_data(one: Candidate) -> dict[str, Any]:
    lists = {"pieces": one.pieces, "token_scores": one.token_scores, "further_scores": one.further_scores or None}
    return {
        "text": one.text,
        "score": round(one.score, 6),
        **{
            name: [round(value, 6) if isinstance(value, float) else value for value in values]
            for name, values in lists.items()
            if values is not None
        },
    }


def _read_plain(lines: Iterator[str], origin: str) -> Iterator[tuple[int, NBest]]:
    """Yield each n-best list with the number of the line at which it begins."""
    first = next(lines)
    scores = max(1, _trailing_numbers(first.split(SEPARATOR)[2:]))
    entries = (
        (number, *_read_entry(text, scores, f"{origin}, line {number}"))
        for number, text in enumerate(chain([first], lines), start=1)
    )
    for line, group in groupby(entries, key=itemgetter(1)):
        (number, _, one), *others = group
        yield number, NBest(line=line, candidates=(one, *(other for _, _, other in others)), is_json=False)


def _read_entry(text: str, scores: int, where: str) -> tuple[int, Candidate]:
    """Read one line of a plain list with as many scores: the number of the line of the source, and the hypothesis."""
    line, *fields = text.split(SEPARATOR)
    if not (line.isdecimal() and len(fields) > scores and _trailing_numbers(fields[-scores:]) == scores):
        shown = text if len(text) <= 60 else text[:60] + "..."
        raise DataError(f"{where}: {shown!r} is not {PLAIN}{' ||| FURTHER SCORE' * (scores - 1)}. {ADVICE}")
    score, *further = map(float, fields[-scores:])
    return int(line), Candidate(text=SEPARATOR.join(fields[:-scores]), score=score, further_scores=tuple(further))


def _trailing_numbers(fields: list[str]) -> int:
    """Return how many fields at the end are numbers."""
    return sum(1 for _ in takewhile(_is_number, reversed(fields)))


def _is_number(field: str) -> bool:
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False


def _read_json(lines: Iterator[str], origin: str) -> Iterator[tuple[int, NBest]]:
    """Yield each n-best list with the number of its line."""
    for number, text in enumerate(lines, start=1):
        try:
            record = json.loads(text)
            candidates = tuple(_candidate(values) for values in record["hypotheses"])
            if type(record["line"]) is not int:
                raise ValueError(f'"line" must be a whole number, not {record["line"]!r}')
            if not candidates:
                raise ValueError(f"there are no hypotheses of line {record['line']} of the source")
        except json.JSONDecodeError as error:
            raise DataError(f"{origin}, line {number} is not JSON: {error.msg} at character {error.colno}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise DataError(f"{origin}, line {number} is not {JSON}. {ADVICE}") from error
        except ValueError as error:
            raise DataError(f"{origin}, line {number}: {error}") from error
        yield number, NBest(line=record["line"], candidates=candidates, is_json=True)


def _candidate(values: dict[str, Any]) -> Candidate:
    pieces, token_scores = values.get("pieces"), values.get("token_scores")
    return Candidate(
        text=_string(values["text"]),
        score=_number(values["score"]),
        further_scores=tuple(map(_number, values.get("further_scores", ()))),
        pieces=None if pieces is None else tuple(map(_string, pieces)),
        token_scores=None if token_scores is None else tuple(map(_number, token_scores)),
    )


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"texts and pieces must be strings, not {value!r}")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"scores must be finite numbers, not {value!r}")
    return float(value)
