"""`mt-rerank`: another choice among the hypotheses of an n-best list than search has made."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from mt.commands._cli import STDIN, application, open_output, print_warning, show_progress
from mt.commands._n_best import open_n_best, score_n_best, with_sources
from mt.errors import ConfigError, DataError, did_you_mean
from mt.evaluation.n_best import Candidate, NBest, format_n_best

if TYPE_CHECKING:
    from mt.scoring import Scorer

__all__ = ["app", "main"]

OPTIONS = {
    "score": ("weight", "length_penalty"),
    "reverse": ("reverse_model", "source", "weight", "length_penalty", "batch_tokens", "device"),
    "mbr": ("metric", "posterior"),
}
"""Ways to choose, and what each can be told."""

Judged = Iterator[tuple[NBest, Sequence[float]]]  # lists, with a new score for each hypothesis


def rerank(
    by: Annotated[str, typer.Option(metavar="WAY", help="What to choose by: mbr, reverse or score, see above.")],
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="N-best list, as mt-translate --n-best N prints it.")
    ] = STDIN,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write.", show_default="standard output"),
    ] = None,
    n_best: Annotated[
        bool, typer.Option("--n-best", help="All hypotheses with their new scores, best first, as an n-best list.")
    ] = False,
    metric: Annotated[str | None, typer.Option(help="mbr: chrf or bleu, of one sentence.", show_default="chrf")] = None,
    posterior: Annotated[
        str | None,
        typer.Option(
            help="mbr: weights of the hypotheses: softmax of their scores, or uniform.", show_default="softmax"
        ),
    ] = None,
    reverse_model: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="reverse: model folder, from the target to the source language."),
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="FILE", help="reverse: the sentences translated.")] = None,
    weight: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="reverse: weight of its score. score: weight of the scores that mt-score appended.",
            show_default="1",
        ),
    ] = None,
    length_penalty: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="score, reverse: normalise by length anew, with this strength; needs a list in JSON.",
            show_default="the scores as they are",
        ),
    ] = None,
    batch_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="reverse: tokens of either side scored at once.", show_default="the model's"),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="reverse: cpu, cuda, cuda:1, mps, or auto for the best there is.", show_default="cpu"),
    ] = None,
) -> None:
    """Choose again among the hypotheses of an n-best list, plain or JSON, and print the best for each line.

    --by mbr: the one that is most like the others. Minimum Bayes risk, Kumar and Byrne (2004).

    --by reverse: its score, and how well the source can be told from it. Li et al. (2016).

    --by score: its score, normalised anew, and those that mt-score has appended.

    mt-translate --model FOLDER test.en --beam-size 10 --n-best 10 > 10best

    mt-rerank --by mbr 10best

    mt-rerank --by reverse --reverse-model FOLDER --source test.en 10best

    mt-rerank --by score --length-penalty 0.6 10best.json
    """
    given = {
        "metric": metric,
        "posterior": posterior,
        "reverse_model": reverse_model,
        "source": source,
        "weight": weight,
        "length_penalty": length_penalty,
        "batch_tokens": batch_tokens,
        "device": device,
    }
    _check_options(by, [name for name, value in given.items() if value is not None])
    from mt.evaluation.reranking import check_names, reranked

    if file == STDIN and sys.stdin.isatty():
        print("An n-best list; Ctrl-D ends.", file=sys.stderr)
    lists = open_n_best(file)
    judged: Judged
    if by == "mbr":
        names = {"utility": metric or "chrf", "posterior": posterior or "softmax"}
        check_names(**names)
        judged = _by_mbr(lists, **names)
    elif by == "score":
        judged = _by_score(lists, weight, length_penalty)
    elif reverse_model is None or source is None:
        raise ConfigError("--by reverse needs --reverse-model FOLDER and --source FILE.")
    else:
        sourced = with_sources(lists, file, source)
        from mt.scoring import Scorer  # loads torch

        scorer = Scorer.from_folder(reverse_model, device=device or "cpu")
        judged = _by_reverse(sourced, scorer, 1.0 if weight is None else weight, length_penalty, batch_tokens)
    most = 0
    with open_output(output) as stream:
        for found, scores in show_progress(judged, doing="reranked", shown=output is not None):
            best = reranked(found.candidates, scores)
            texts = format_n_best(replace(found, candidates=tuple(best))) if n_best else [best[0].text]
            stream.writelines(text + "\n" for text in texts)
            most = max(most, len(best))
    if most == 1:
        print_warning("No line has more than one hypothesis, so that there was no choice: see mt-translate --n-best.")


def _check_options(by: str, given: Iterable[str]) -> None:
    """Raise a ConfigError for a way that is none, and for options of another one."""
    if by not in OPTIONS:
        raise ConfigError(f"--by {by}: there is no such way to choose. {did_you_mean(by, OPTIONS)}")
    for name in given:
        if name not in OPTIONS[by]:
            ways = " and ".join(f"--by {way}" for way, names in OPTIONS.items() if name in names)
            raise ConfigError(f"--{name.replace('_', '-')} is an option of {ways}, not of --by {by}.")


def _by_mbr(lists: Iterator[NBest], *, utility: str, posterior: str) -> Judged:
    from mt.evaluation.reranking import expected_utilities

    for found in lists:
        texts, scores = zip(*((one.text, one.score) for one in found.candidates), strict=True)
        yield found, expected_utilities(texts, scores, utility=utility, posterior=posterior)


def _by_score(lists: Iterator[NBest], weight: float | None, length_penalty: float | None) -> Judged:
    for found in lists:
        if weight is not None and not found.candidates[0].further_scores:
            raise ConfigError("--weight is for further scores, and this list has none: mt-score --n-best appends them.")
        factor = 1.0 if weight is None else weight
        yield found, [_own_score(one, length_penalty) + factor * sum(one.further_scores) for one in found.candidates]


def _by_reverse(
    lists: Iterator[tuple[str, NBest]],
    scorer: "Scorer",
    weight: float,
    length_penalty: float | None,
    batch_tokens: int | None,
) -> Judged:
    ranking = scorer.decoding.changed({"length_penalty": length_penalty}).ranking()
    score = partial(scorer.score_stream, batch_tokens=batch_tokens)
    for found, back in score_n_best(lists, lambda source, _, one: (one.text, source), score):
        pairs = zip(found.candidates, back, strict=True)
        yield found, [_own_score(one, length_penalty) + weight * score.normalised(ranking) for one, score in pairs]


def _own_score(candidate: Candidate, length_penalty: float | None) -> float:
    """Return the score that a hypothesis has in its list, or one by another length penalty."""
    if length_penalty is None:
        return candidate.score
    if candidate.token_scores is None:
        raise DataError(
            "--length-penalty needs the scores of the tokens, which only n-best lists in JSON have: make the list with "
            "mt-translate --json --n-best N, or leave --length-penalty out."
        )
    from mt.search import Ranking

    return Ranking(alpha=length_penalty).score(sum(candidate.token_scores), len(candidate.token_scores))


app = application(rerank)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
