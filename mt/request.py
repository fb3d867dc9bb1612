"""What may be asked of a translation beside its text, and how that becomes constraints on tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

from mt.errors import ConfigError
from mt.search.constraints import Constraints
from mt.search.spelling import Spelling
from mt.text.symbols import UNK
from mt.text.tokenizer import Tokenizer

__all__ = ["Request", "constraints_of"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A sentence to translate, with what its translation must be like."""

    text: str
    """Raw source text."""
    prefix: str = ""
    """Raw target text that the translation begins with; its last word may be unfinished, unless a space follows it."""
    include: Sequence[str] = ()
    """Words or phrases that the translation contains."""
    exclude: Sequence[str] = ()
    """Words or phrases that it does not contain."""
    keep: Sequence[str] = ()
    """Parts of the source that it contains as they are, as far as the model can write them."""

    @property
    def is_constrained(self) -> bool:
        """Whether anything is asked of the translation."""
        return bool(self.prefix or self.include or self.exclude or self.keep)


def constraints_of(request: Request, tokenizer: Tokenizer, spelling: Spelling) -> Constraints:
    """Turn what is asked of a translation into constraints.

    Args:
        request: see `Request`.
        tokenizer: of the target language.
        spelling: of its pieces.

    Raises:
        ConfigError: if the tokenizer has no pieces for a prefix or for what must be included.
    """
    prefix = tokenizer.spelling(request.prefix)
    if prefix and request.prefix[-1].isspace():
        prefix += "▁"
    if strange := sorted({character for character in prefix if character not in spelling.ids}):
        raise ConfigError(
            f"the prefix {request.prefix!r} has characters that the model cannot write: {' '.join(strange)}"
        )
    include = tuple(tuple(ids) for ids in tokenizer.encode(request.include) if ids)
    for phrase, ids in zip((phrase for phrase in request.include if phrase.strip()), include, strict=True):
        if UNK in ids:
            raise ConfigError(f"{phrase!r} cannot be included: it has characters that the model cannot write")
    include += tuple(tuple(ids) for ids in tokenizer.encode(request.keep) if ids and UNK not in ids)
    exclude = tuple(text.removeprefix("▁") for phrase in request.exclude if (text := tokenizer.spelling(phrase)))
    return Constraints(prefix=prefix, include=include, exclude=exclude)
