"""`mt-evaluate`: score a model's translations of a test set, any translations, or word alignments, against references."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mt.commands._cli import STDIN, application, open_output, print_warning, read_lines
from mt.errors import ConfigError, EvaluationError

if TYPE_CHECKING:
    from mt.evaluation.metrics import MetricScore
    from mt.search import Hypothesis

__all__ = ["app", "main"]


def evaluate(
    reference: Annotated[str | None, typer.Option(metavar="FILE", help="Reference translations, one per line.")] = None,
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
    alignments: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Word alignments to score: links like 0-0 1-2, one sentence per line."),
    ] = None,
    reference_alignments: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Gold word alignments; 1?2 or 1p2 is a link that is only possible."),
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
    Word alignments get precision, recall and alignment error rate, in percent.

    mt-evaluate --model FOLDER --source FILE --reference FILE

    mt-evaluate --hypotheses FILE --reference FILE

    mt-evaluate --alignments FILE --reference-alignments FILE
    """
    from mt.evaluation.metrics import METRICS, check_metrics, score_corpus, text_warnings

    if more_metrics and not metrics:
        raise ConfigError(f"{more_metrics[0]!r} is no option: give files as --hypotheses FILE --reference FILE.")
    # An option takes one value; further names, as in `--metrics bleu chrf`, arrive as arguments.
    names = [*(metrics or METRICS), *(more_metrics or [])]
    check_metrics(names)
    for_models = (model, source, output, beam_size, length_penalty, batch_tokens)
    if alignments is not None or reference_alignments is not None:
        if alignments is None or reference_alignments is None:
            raise ConfigError("Word alignments are scored in pairs: --alignments FILE --reference-alignments FILE.")
        if metrics or any(option is not None for option in (reference, hypotheses, *for_models)):
            raise ConfigError("--alignments are scored by themselves: give it with --reference-alignments alone.")
        _evaluate_alignments(alignments, reference_alignments, as_json=as_json)
        return
    if reference is None:
        raise ConfigError("Nothing to score against: give --reference FILE, or for word alignments --alignments FILE.")
    references = list(read_lines(reference))
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
        rows = [(score.name, f"{score.score:.2f}", score.signature) for score in scores]
        _print_table(("metric", "score", "signature"), rows, sentences=len(candidates))


def _evaluate_alignments(path: str, reference_path: str, *, as_json: bool) -> None:
    from mt.evaluation.alignment_error import alignment_error_rate, read_gold_alignments
    from mt.text.alignment import read_pharaoh

    links = list(read_pharaoh(read_lines(path), name=_name(path)))
    gold = list(read_gold_alignments(read_lines(reference_path), name=_name(reference_path)))
    _require_alignment(path, links, reference_path, gold)
    score = alignment_error_rate(links, [one.sure for one in gold], [one.possible for one in gold])
    shares: dict[str, float] = asdict(score)
    if as_json:
        report = {name: round(value, 4) for name, value in shares.items()}
        print(json.dumps({**report, "sentences": len(links)}))
    else:
        rows = [(name, f"{value:.2f}") for name, value in shares.items()]
        _print_table(("metric", "percent"), rows, sentences=len(links))


def _name(path: str) -> str:
    return "standard input" if path == STDIN else path


def _require_alignment(left: str, left_lines: Sequence[object], right: str, right_lines: Sequence[object]) -> None:
    if len(left_lines) != len(right_lines):
        raise EvaluationError(
            f"The numbers of lines differ: {len(left_lines)} in {_name(left)}, {len(right_lines)} in {_name(right)}. "
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


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, sentences: int) -> None:
    """Print a table on a terminal, and tab-separated lines into a pipe or a file."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        for row in rows:
            print(*row, sep="\t")
        return
    table = Table(*columns, box=SIMPLE_HEAD, caption=f"{sentences} sentences", caption_justify="left")
    table.columns[1].justify = "right"
    table.columns[-1].overflow = "fold"
    for row in rows:
        table.add_row(*row)
    console.print(table)


app = application(evaluate)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
