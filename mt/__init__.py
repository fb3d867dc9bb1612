"""Train, run and judge GRU encoder-decoders with attention for machine translation."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mt.model_folder import load_model
    from mt.request import Request
    from mt.scoring import Scorer
    from mt.search import Hypothesis
    from mt.translator import Translator

__all__ = ["Hypothesis", "Request", "Scorer", "Translator", "load_model"]
__version__ = "0.1.0"

_HOMES = {
    "Hypothesis": "mt.search",
    "Request": "mt.request",
    "Scorer": "mt.scoring",
    "Translator": "mt.translator",
    "load_model": "mt.model_folder",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that `import mt` loads no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mt' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
