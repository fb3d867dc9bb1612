"""`mt-evaluate`: score a model's translations of a test set, or any translations, against references."""

import json
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mt.commands._cli import STDIN, application, open_output, print_warning, read_lines
from mt.errors import ConfigError, EvaluationError

if TYPE_CHECKING:
    from mt.evaluation.metrics import MetricScore
    from mt.search import Hypothesis

__all__ = ["app", "main"]


def evaluate(
    reference: Annotated[str, typer.Option(metavar="FILE", help="Reference translations, one per line.")],
    hypotheses: Annotated[
        str | None, typer.Option(metavar="FILE", help="Translations to score; - reads the standard input.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Model folder whose translations of --source to score.")
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="FILE", help="Sentences to translate with --model.")] = None,
    output: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where to keep the translations made with --model.")
    ] = None,
    metrics: Annotated[
        list[str] | None, typer.Option(metavar="NAME...", help="bleu, chrf, ter; all of them unless given.")
    ] = None,
    more_metrics: Annotated[list[str] | None, typer.Argument(metavar="NAME", hidden=True)] = None,
    beam_size: Annotated[
        int | None,
        typer.Option(min=1, help="Hypotheses kept per sentence; 1 searches greedily. [default: the model's]"),
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="Strength of the length normalisation.", show_default="the model's")
    ] = None,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Source tokens translated at once.", show_default="the model's")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto for the best there is.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score translations with BLEU, chrF and TER, each with its sacrebleu signature.

    Files hold raw text, one sentence per line, plain or as .gz, .xz or .zst.

    mt-evaluate --model FOLDER --source FILE --reference FILE

    mt-evaluate --hypotheses FILE --reference FILE
    """
    from mt.evaluation.metrics import METRICS, check_metrics, score_corpus, text_warnings

    if more_metrics and not metrics:
        raise ConfigError(f"{more_metrics[0]!r} is no option: give files as --hypotheses FILE --reference FILE.")
    # An option takes one value; further names, as in `--metrics bleu chrf`, arrive as arguments.
    names = [*(metrics or METRICS), *(more_metrics or [])]
    check_metrics(names)
    references = list(read_lines(reference))
    for_models = (model, source, output, beam_size, length_penalty, batch_tokens)
    if hypotheses is not None:
        if any(option is not None for option in for_models):
            raise ConfigError(
                "--hypotheses are scored as they are: give it with --reference, without a model's options."
            )
        candidates = list(read_lines(hypotheses))
        _require_alignment(hypotheses, candidates, reference, references)
    elif model is not None and source is not None:
        from mt.translator import Translator  # loads torch

        sentences = list(read_lines(source))
        _require_alignment(source, sentences, reference, references)
        translations = Translator.from_folder(model, device=device).translate_stream(
            sentences, beam_size=beam_size, length_penalty=length_penalty, batch_tokens=batch_tokens
        )
        candidates = _collect(translations, total=len(sentences), output=output)
    else:
        raise ConfigError("Nothing to score: give --hypotheses FILE, or --model FOLDER and --source FILE.")
    scores = score_corpus(candidates, references, metrics=names)
    for warning in text_warnings(candidates, references):
        print_warning(warning)
    if as_json:
        _print_json(scores, sentences=len(candidates))
    else:
        _print_table(scores, sentences=len(candidates))


def _require_alignment(left: str, left_lines: Sequence[str], right: str, right_lines: Sequence[str]) -> None:
    if len(left_lines) != len(right_lines):
        names = ["standard input" if path == STDIN else path for path in (left, right)]
        raise EvaluationError(
            f"The numbers of lines differ: {len(left_lines)} in {names[0]}, {len(right_lines)} in {names[1]}. "
            "Line n of one must belong to line n of the other."
        )


def _collect(translations: "Iterable[Hypothesis]", *, total: int, output: str | None) -> list[str]:
    """Wait for the translations, with a progress bar, and keep them in a file if one is named."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    texts = []
    with open_output(output or os.devnull) as stream:
        for translation in track(
            translations, "translating", total, console=console, transient=True, disable=not console.is_terminal
        ):
            texts.append(translation.text)
            stream.write(translation.text + "\n")
    return texts


def _print_json(scores: "Sequence[MetricScore]", *, sentences: int) -> None:
    report: dict[str, object] = {
        score.name: {"score": round(score.score, 4), "signature": score.signature} for score in scores
    }
    print(json.dumps({**report, "sentences": sentences}))


def _print_table(scores: "Sequence[MetricScore]", *, sentences: int) -> None:
    """Print a table on a terminal, and tab-separated lines into a pipe or a file."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        for score in scores:
            print(score.name, f"{score.score:.2f}", score.signature, sep="\t")
        return
    table = Table(
        "metric", "score", "signature", box=SIMPLE_HEAD, caption=f"{sentences} sentences", caption_justify="left"
    )
    table.columns[1].justify = "right"
    table.columns[2].overflow = "fold"
    for score in scores:
        table.add_row(score.name, f"{score.score:.2f}", score.signature)
    console.print(table)


app = application(evaluate)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
