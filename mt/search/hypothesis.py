"""What a search finds."""

from dataclasses import dataclass, field

from mt.search.step import Floats

__all__ = ["Hypothesis"]


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One translation of one sentence.

    Search fills in ids, scores and attention; the translator, which knows the tokenizers, adds text and pieces.
    """

    ids: tuple[int, ...]
    """Target token ids without BOS and EOS."""
    score: float
    """What hypotheses are ranked by, see `mt.search.ranking.Ranking`: from the sum of the token scores."""
    token_scores: tuple[float, ...]
    """Log-probability of each token and of EOS, nats."""
    attention: Floats = field(repr=False, compare=False)
    """[len(ids) + 1, source tokens + 1]: where the model looked at each step; the last of both is EOS."""
    text: str = ""
    """The translation as raw text."""
    pieces: tuple[str, ...] = ()
    """One SentencePiece piece per id."""
    source_pieces: tuple[str, ...] = ()
    """Pieces of the source sentence."""
