"""Lines of input as requests."""

import pytest

from mt.commands._requests import read_requests
from mt.errors import ConfigError, DataError
from mt.request import Request


def requests(*lines: str, as_json: bool = False, **options: list[str]) -> list[Request]:
    return [*read_requests(lines, as_json=as_json, first=7, **{"exclude": [], "keep": [], **options})]


def test_raw_lines_are_texts():
    assert requests("A dog.", '{"text": "x"}') == [Request(text="A dog."), Request(text='{"text": "x"}')]


def test_objects_say_what_translations_are_like():
    (request,) = requests(
        '{"text": "A dog.", "prefix": "Ein", "include": ["Hund"], "exclude": ["Katze"]}', as_json=True
    )
    assert request == Request(text="A dog.", prefix="Ein", include=["Hund"], exclude=["Katze"])


def test_options_add_to_every_line():
    (request,) = requests('{"text": "See http://a.b/c.", "exclude": ["x"]}', as_json=True, exclude=["y"], keep=["url"])
    assert request == Request(text="See http://a.b/c.", keep=["http://a.b/c"], exclude=["x", "y"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A dog.", "line 8 is not JSON"),
        ('["A dog."]', 'line 8 must be an object with a "text"'),
        ('{"prefix": "x"}', 'line 8 must be an object with a "text"'),
        ('{"text": "x", "prefx": "y"}', "line 8: 'prefx' is unknown. Did you mean 'prefix'?"),
        ('{"text": "x", "include": "ä"}', "line 8: 'include' must be a list of strings, not \"ä\""),
        ('{"text": "x", "exclude": [1]}', r"line 8: 'exclude' must be a list of strings, not \[1\]"),
        ('{"text": "x", "prefix": 1}', "line 8: 'prefix' must be a string, not 1"),
    ],
)
def test_mistakes_are_named_with_their_line(line, message):
    with pytest.raises(DataError, match=message):
        requests('{"text": "good"}', line, as_json=True)


def test_unknown_kinds_are_named():
    with pytest.raises(ConfigError, match="Did you mean 'url'"):
        requests("x", keep=["urls"])
