"""`mt-score`: how likely a model holds given translations to be, line by line or as perplexity."""

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import tee
from typing import TYPE_CHECKING, Annotated

import typer

from mt.commands._aligned import read_pairs
from mt.commands._cli import application, open_output, show_progress
from mt.commands._n_best import open_n_best, score_n_best, with_sources
from mt.errors import ConfigError, DataError, TokenizerError
from mt.evaluation.n_best import Candidate, NBest, format_n_best

if TYPE_CHECKING:
    from mt.scoring import Score, Scorer

__all__ = ["app", "main"]


def score(
    model: Annotated[str, typer.Option(metavar="FOLDER", help="Model folder, as mt-train leaves in runs/NAME/model.")],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Sentences, one per line.")],
    target: Annotated[
        str | None, typer.Argument(metavar="TARGET", help="Their translations: line n belongs to line n of SOURCE.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write.", show_default="standard output"),
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print sums and perplexities; the scores of lines go to --output, if any.")
    ] = False,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Normalise by length: the scores that mt-translate ranks by.")
    ] = False,
    length_penalty: Annotated[
        float | None, typer.Option(min=0.0, help="Strength of --normalise.", show_default="the model's")
    ] = None,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="The score of each token, and last that of the end, with tabs between.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line, with scores and pieces.")] = False,
    n_best: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Score an n-best list instead of TARGET: it is written with a score more."),
    ] = None,
    pieces: Annotated[
        bool, typer.Option("--pieces", help="Score the pieces in an n-best list in JSON; do not cut its text anew.")
    ] = False,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of either side scored at once.", show_default="the model's")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto for the best there is.")] = "cpu",
) -> None:
    """Score translations: print the log-probability of each, in nats.

    Files hold raw text, one sentence per line, plain or as .gz, .xz or .zst; - is the standard input.

    mt-score --model FOLDER test.en test.de

    mt-score --model FOLDER test.en test.de --summary

    mt-score --model FOLDER test.en --n-best 5best.txt --normalise
    """
    if (target is None) == (n_best is None):
        raise ConfigError("Give SOURCE and TARGET, or SOURCE and --n-best FILE.")
    if length_penalty is not None and not normalise:
        raise ConfigError("--length-penalty is the strength of --normalise: give both.")
    if tokens and (as_json or normalise):
        raise ConfigError("--tokens prints the scores of tokens alone: leave out --json and --normalise.")
    if n_best is not None and (summary or tokens or as_json):
        raise ConfigError("--n-best keeps the format of its list: leave out --summary, --tokens and --json.")
    if pieces and n_best is None:
        raise ConfigError("--pieces is about the pieces in an n-best list: give --n-best FILE.")
    pairs = read_pairs(source, target) if target is not None else None
    lists = with_sources(open_n_best(n_best), n_best, source) if n_best is not None else None
    from mt.scoring import Scorer  # loads torch

    scorer = Scorer.from_folder(model, device=device)
    ranking = scorer.decoding.changed({"length_penalty": length_penalty}).ranking()

    def value(found: "Score") -> float:
        return found.normalised(ranking) if normalise else found.total

    def formatted(number: int, found: "Score") -> str:
        if tokens:
            return "\t".join(f"{one:.4f}" for one in found.token_scores)
        return _as_json(number, found, value(found)) if as_json else f"{value(found):.4f}"

    totals = _Totals()
    with open_output(os.devnull if summary and output is None else output) as stream:
        if lists is not None:
            rescored = _append_scores(lists, scorer, value, pieces=pieces, batch_tokens=batch_tokens)
            for n_best_list in show_progress(rescored, doing="scored", shown=output is not None):
                stream.writelines(line + "\n" for line in format_n_best(n_best_list))
        if pairs is not None:
            pairs, again = tee(pairs)
            found = scorer.score_stream(
                pairs, batch_tokens=batch_tokens, with_attention=bool(normalise and ranking.coverage_penalty)
            )
            scored = show_progress(zip(again, found, strict=True), doing="scored", shown=output is not None)
            for number, ((_, translation), one) in enumerate(scored, start=1):
                stream.write(formatted(number, one) + "\n")
                totals.add(translation, one)
        if summary and not totals.tokens:
            raise DataError(f"There is nothing to score: {source} and {target} hold no sentence.")
    if summary:
        print(json.dumps(totals.summary()) if as_json else totals.table())


def _as_json(number: int, found: "Score", value: float) -> str:
    record = {
        "line": number,
        "score": round(value, 6),
        "tokens": found.tokens,
        "pieces": found.pieces,
        "token_scores": [round(one, 6) for one in found.token_scores],
    }
    return json.dumps(record, ensure_ascii=False)


@dataclass
class _Totals:
    """Sums over all lines; two empty lines count as a sentence without tokens."""

    sentences: int = 0
    tokens: int = 0
    words: int = 0
    log_probability: float = 0.0

    def add(self, translation: str, found: "Score") -> None:
        """Count a line."""
        self.sentences += 1
        if found.tokens:
            self.tokens += found.tokens
            self.words += len(translation.split()) + 1
            self.log_probability += found.total

    def summary(self) -> dict[str, float]:
        """Return the sums, and perplexities."""
        return {
            **asdict(self),
            "log_probability": round(self.log_probability, 4),
            "perplexity": round(self._perplexity(self.tokens), 4),
            "perplexity_per_word": round(self._perplexity(self.words), 4),
        }

    def table(self) -> str:
        """Return the summary, one name and value a line."""
        return "\n".join(f"{name.replace('_', ' ')}\t{value}" for name, value in self.summary().items())

    def _perplexity(self, count: int) -> float:
        return math.exp(min(-self.log_probability / count, 700.0))


def _append_scores(
    lists: Iterator[tuple[str, NBest]],
    scorer: "Scorer",
    value: "Callable[[Score], float]",
    *,
    pieces: bool,
    batch_tokens: int | None,
) -> Iterator[NBest]:
    """Yield n-best lists with one score more for each hypothesis."""

    def given_ids(source: str, n_best: NBest, candidate: Candidate) -> tuple[str, list[int]]:
        if candidate.pieces is None:
            raise ConfigError("--pieces needs an n-best list with pieces: make it with mt-translate --json --n-best N.")
        try:
            return source, scorer.tokenizers.target.ids(candidate.pieces)
        except TokenizerError as error:
            raise DataError(
                f"A hypothesis of line {n_best.line} cannot be scored by its pieces: {error}. --pieces is for the model "
                "that made the list, or one with the same vocabulary."
            ) from error

    if pieces:
        scored = score_n_best(lists, given_ids, partial(scorer.score_ids_stream, batch_tokens=batch_tokens))
    else:
        scored = score_n_best(
            lists,
            lambda source, _, candidate: (source, candidate.text),
            partial(scorer.score_stream, batch_tokens=batch_tokens),
        )
    for n_best, scores in scored:
        candidates = [
            replace(candidate, further_scores=(*candidate.further_scores, value(score)))
            for candidate, score in zip(n_best.candidates, scores, strict=True)
        ]
        yield replace(n_best, candidates=tuple(candidates))


app = application(score)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
