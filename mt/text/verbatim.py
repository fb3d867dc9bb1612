"""What a translation must copy from the source letter by letter: addresses, numbers, placeholders."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from mt.errors import ConfigError, did_you_mean

__all__ = ["KINDS", "find_verbatim"]

PATTERNS = {
    # with a scheme or www; up to white space, quotation marks or CJK punctuation, see also `_without_punctuation`
    "url": re.compile(
        r"""(?<!\w)(?:[a-z][a-z0-9+.-]{0,15}+://|www\.)(?=\w|\[)[^\s<>"“”„«»‹›。、，；：！？（）「」『』【】]+""",
        re.IGNORECASE,
    ),
    "email": re.compile(r"(?<![\w.+%-])\w(?:[\w.+%-]*[\w+])?@\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)+"),
    # digits and single signs between them; no part of a word such as 3rd, A4 or 1990s, for those are translated
    "number": re.compile(r"(?<!\w)(?<!\d[.,:/'’–-])(?:(?<![^\s(\[{])[+−-])?\d+(?:[.,:/'’–-]\d+)*(?!\w|[.,:/'’–-]\d)"),
    "placeholder": re.compile(
        r"\$?\{\{?[ ]?[\w.:!\[\]-]*[ ]?\}?\}"  # {name}, {}, {{ name }}, ${name}, {0:.2f}
        r"|(?<![\d%])%(?:\(\w+\)|\d+\$)?[+#0-]*\d*(?:\.\d+)?(?:hh|h|ll|l|z)?[sdifuxXoeEgGc@]"  # %s, %1$s, %(name)d
        r"|</?[a-zA-Z][\w:.-]*(?:\s[^<>]*)?/?>"  # <tag>, </tag>, <br/>, <a href="...">
    ),
}
KINDS = tuple(PATTERNS)
"""The kinds of text that `find_verbatim` knows."""

BRACKETS = {")": "(", "]": "[", "}": "{"}


def find_verbatim(text: str, kinds: Iterable[str] = KINDS) -> list[str]:
    """Return what is to be copied from a raw sentence, from left to right; what occurs twice is there twice.

    Of two that overlap the one that begins first counts, and of those the longest, whether its kind is asked for or not:
    the number in an address is no number. Numbers are copied as the source writes them, 1,000.50 with its English
    signs.

    Args:
        text: raw text.
        kinds: out of "url", "email", "number" and "placeholder" ({name}, %s, <tag>).

    Raises:
        ConfigError: a kind is unknown.
    """
    wanted = set(kinds)
    for kind in sorted(wanted - set(KINDS)):
        raise ConfigError(f"there is no kind {kind!r} of text to copy. {did_you_mean(kind, KINDS)}")
    found = []
    end = 0
    for start, negative_length, kind in sorted(_spans(text)):
        if start >= end:
            end = start - negative_length
            if kind in wanted:
                found.append(text[start:end])
    return found


def _spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where each find begins, minus its length, and its kind."""
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            length = len(_without_punctuation(match[0]) if kind == "url" else match[0])
            yield match.start(), -length, kind


def _without_punctuation(url: str) -> str:
    """Take from the end of an address what belongs to the sentence: punctuation, and brackets that it did not open."""
    left = Counter(url)
    end = len(url)
    for last in reversed(url):
        opening = BRACKETS.get(last)
        if last not in ".,;:!?'’‘…*" and (opening is None or left[opening] >= left[last]):
            break
        left[last] -= 1
        end -= 1
    return url[:end]
