"""Paragraphs to sentences."""

__all__ = ["split_sentences"]


def split_sentences(text: str, language: str) -> list[str]:
    """Cut a text at the ends of its sentences; the empty text has none.

    Args:
        text: raw text.
        language: code, such as en or de, whose abbreviations are known; others end at every full stop.
    """
    import sentencex

    return [stripped for sentence in sentencex.segment(language, text) if (stripped := sentence.strip())]
