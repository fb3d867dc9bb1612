"""Lines of input as requests: raw text, or JSON objects that also say what the translation must be like."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from mt.errors import DataError, did_you_mean
from mt.request import Request

__all__ = ["read_requests"]


def read_requests(
    lines: Iterable[str], *, as_json: bool, first: int, exclude: Sequence[str], keep: Sequence[str]
) -> Iterator[Request]:
    """Yield a request for each line.

    Args:
        lines: of input.
        as_json: whether they are JSON objects with the fields of `Request`.
        first: number of the first line, for errors.
        exclude: what no translation may contain, beside what a line says.
        keep: kinds of verbatim text that translations must have unchanged, see `mt.text.verbatim`.

    Raises:
        DataError: a line is no such object.
        ConfigError: there is no such kind of verbatim text.
    """
    for number, line in enumerate(lines, start=first):
        request = _parsed(line, number) if as_json else Request(text=line)
        if exclude:
            request = replace(request, exclude=[*request.exclude, *exclude])
        if keep:
            from mt.text.verbatim import find_verbatim

            request = replace(request, keep=[*request.keep, *find_verbatim(request.text, keep)])
        yield request


def _parsed(line: str, number: int) -> Request:
    try:
        values: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"line {number} is not JSON ({error}): with --json-input every line is one object") from error
    known = [field.name for field in fields(Request)]
    if not isinstance(values, dict) or not isinstance(values.get("text"), str):
        raise DataError(f'line {number} must be an object with a "text", such as {{"text": "A dog.", "prefix": "Ein"}}')
    for name, value in values.items():
        if name not in known:
            raise DataError(f"line {number}: {name!r} is unknown. {did_you_mean(name, known)}")
        wanted = str if name in ("text", "prefix") else list
        if not isinstance(value, wanted) or (wanted is list and not all(isinstance(item, str) for item in value)):
            kind = "a string" if wanted is str else "a list of strings"
            raise DataError(f"line {number}: {name!r} must be {kind}, not {json.dumps(value, ensure_ascii=False)}")
    return Request(**values)
