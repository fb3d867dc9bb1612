"""Finding the best translation: one loop, small strategies, any model that can predict one token."""

from mt.search.hypothesis import Hypothesis
from mt.search.loop import decode, length_limit
from mt.search.options import DecodingOptions
from mt.search.strategies import Beam, Greedy, Strategy

__all__ = ["Beam", "DecodingOptions", "Greedy", "Hypothesis", "Strategy", "decode", "length_limit"]
