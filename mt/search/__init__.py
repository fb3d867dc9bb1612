"""Finding the best translation: one loop, small strategies and rules, any model that can predict one token."""

from mt.search.hypothesis import Hypothesis
from mt.search.loop import decode, length_limit
from mt.search.options import DecodingOptions
from mt.search.ranking import LENGTH_PENALTIES, Ranking
from mt.search.strategies import Beam, DiverseBeam, Greedy, Sample, Strategy

__all__ = [
    "LENGTH_PENALTIES",
    "Beam",
    "DecodingOptions",
    "DiverseBeam",
    "Greedy",
    "Hypothesis",
    "Ranking",
    "Sample",
    "Strategy",
    "decode",
    "length_limit",
]
