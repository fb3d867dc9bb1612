"""Words and the SentencePiece pieces that spell them."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BYTE", "bare_word", "split_punctuation", "word_of_piece"]

SPACE = "▁"  # SentencePiece's mark of white space
BYTE = re.compile(r"<0x([0-9A-F]{2})>")
AROUND_WORDS = ".,;:!?…‥()[]{}\"'`«»‹›“”„‟‘’‚‛¿¡、。，！？；：（）「」『』《》〈〉【】।॥؟،؛"


def word_of_piece(pieces: Sequence[str]) -> NDArray[np.int64]:
    """Return for each piece the word that it belongs to, [N], counted from 0.

    Words are what white space separates: the same, in the same order, as in the `split()` of the decoded text. White
    space by itself, a lone "▁", belongs to the word after it, or to the last one at the end. A piece that spans
    several words, which SentencePiece makes only if it is told to, belongs to its first. An unknown piece, a byte of
    a character and a user-defined symbol begin no word of their own; white space spelled in several bytes, which only
    a tokenizer without normalisation has, ends none.

    Args:
        pieces: N pieces of one sentence, without EOS, such as `Hypothesis.pieces`.
    """
    words = np.zeros(len(pieces), dtype=np.int64)
    last, inside = -1, False  # the word that was begun last, and whether its end is still to come
    for place, piece in enumerate(pieces):
        text = _text(piece)
        parts = text.split()
        if not parts:
            words[place], inside = last + 1, False
            continue
        words[place] = last if inside and not text[0].isspace() else last + 1
        last = int(words[place]) + len(parts) - 1
        inside = not text[-1].isspace()
    return np.minimum(words, max(last, 0))


def split_punctuation(word: str) -> tuple[str, str, str]:
    """Split a word into the punctuation before it, itself, and the punctuation after it.

    Only marks that stand around words count: "(Hello!)" has some, "50%" and "C++" have none. A word of nothing but
    punctuation is left whole. It does not tell an abbreviation's full stop from a sentence's.
    """
    start = len(word) - len(word.lstrip(AROUND_WORDS))
    end = len(word.rstrip(AROUND_WORDS))
    return (word[:start], word[start:end], word[end:]) if start < end else ("", word, "")


def bare_word(word: str) -> str:
    """Return a word without the punctuation around it: the unit of a lexicon of words."""
    return split_punctuation(word)[1]


def _text(piece: str) -> str:
    """Return what a piece adds to the text; of a character spelled in bytes a letter that is no white space."""
    if byte := BYTE.fullmatch(piece):
        code = int(byte[1], 16)
        return chr(code) if code < 128 else "x"
    return piece.replace(SPACE, " ")
