"""What is copied, kind by kind, with the punctuation that surrounds it in sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt.errors import ConfigError
from mt.text.verbatim import KINDS, find_verbatim


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://example.org/a?b=c&d=%20#e, please.", ["https://example.org/a?b=c&d=%20#e"]),
        ("Is it www.example.org?", ["www.example.org"]),
        ("HTTP://EXAMPLE.ORG/!", ["HTTP://EXAMPLE.ORG/"]),
        ("(see http://example.org/wiki/A_(b)).", ["http://example.org/wiki/A_(b)"]),
        ("[http://example.org]", ["http://example.org"]),
        ("<http://example.org>...", ["http://example.org"]),
        ("“http://example.org/x”", ["http://example.org/x"]),
        ("'http://example.org/x'.", ["http://example.org/x"]),
        ("请看https://example.org/页。谢谢", []),  # no space before it: a part of a word
        ("请看 https://example.org/页。谢谢", ["https://example.org/页"]),
        ("ftp://a:b@example.org:21/x;y", ["ftp://a:b@example.org:21/x;y"]),
        ("http://[::1]:80/", ["http://[::1]:80/"]),
        ("http:// and www. alone, and/or example.org", []),
    ],
)
def test_urls(text, found):
    assert find_verbatim(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to jane.doe+mt@mail.example.org.", ["jane.doe+mt@mail.example.org"]),
        ("(a_b@c-d.example), x@y.zz; mailto:j@k.ll!", ["a_b@c-d.example", "x@y.zz", "j@k.ll"]),
        ("<müller@bücher.example>", ["müller@bücher.example"]),
        ("5.jane@example.org", ["5.jane@example.org"]),
        ("@jane said a @ b, c@d and e@.f", []),
    ],
)
def test_email_addresses(text, found):
    assert find_verbatim(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It costs 1,000.50, not 1.000,50.", ["1,000.50", "1.000,50"]),
        ("They won 2-1 (3–0), 12:30.", ["2-1", "3–0", "12:30"]),
        ("On 2024-05-17, 17/05/2024 and 1'000", ["2024-05-17", "17/05/2024", "1'000"]),
        ("The 3rd, A4, MP3, 10km, 1990s, 1e5, 1.2beta and x2.5", []),
        ("50% of $5, 7€ and €8.", ["50", "5", "7", "8"]),
        ("It is -5 or +3 (−2), in COVID-19 a 5-year-old", ["-5", "+3", "−2", "19", "5"]),
        ("No.5, 1,2,3 and 4.", ["5", "1,2,3", "4"]),
        ("7.", ["7"]),
        ("1..2 and 3, 4", ["1", "2", "3", "4"]),
        ("٣٤", ["٣٤"]),
        ("5 and 5", ["5", "5"]),
    ],
)
def test_numbers(text, found):
    assert find_verbatim(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "Hello {name}, {} of {0:.2f}: {{ user.name }} ${home}!",
            ["{name}", "{}", "{0:.2f}", "{{ user.name }}", "${home}"],
        ),
        ("%s has %d of %1$s, %(total)d, %05.2f, %@.", ["%s", "%d", "%1$s", "%(total)d", "%05.2f", "%@"]),
        ("%dpx, '%s'", ["%d", "%s"]),
        ("100%ig, 50% sure, 5 % d, %%s", ["100", "50", "5"]),
        (
            "<b>bold</b><br/> <a href='http://x.org/5'>this</a>.",
            ["<b>", "</b>", "<br/>", "<a href='http://x.org/5'>", "</a>"],
        ),
        ("a < b > c, << >>, {a, b}, {a b}", []),
    ],
)
def test_placeholders(text, found):
    assert find_verbatim(text) == found


def test_kinds_are_chosen_but_overlaps_are_resolved_among_all():
    text = "5 mails to a1@b2.org or http://c.org/6 from {7}, <h8>"
    assert find_verbatim(text, ["number"]) == ["5"]
    assert find_verbatim(text, ("email",)) == ["a1@b2.org"]
    assert find_verbatim(text, kinds=["placeholder", "url"]) == ["http://c.org/6", "{7}", "<h8>"]
    assert find_verbatim(text, []) == []


def test_unknown_kinds_are_refused():
    with pytest.raises(
        ConfigError, match=r"no kind 'mail' of text to copy\. Did you mean 'email'\? Valid: email, number"
    ):
        find_verbatim("", ["url", "mail"])


@given(st.text(st.sampled_from("a1.,:/-@<>{}%$s() \n")), st.sets(st.sampled_from(KINDS)))
def test_finds_stand_in_the_text_in_order(text, kinds):
    place = 0
    for found in find_verbatim(text, kinds):
        assert found
        place = text.index(found, place) + len(found)
