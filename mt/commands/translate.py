"""`mt-translate`: raw text in, raw text out, line by line, any amount of it."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mt.commands._cli import STDIN, application, open_output, print_warning, read_lines

if TYPE_CHECKING:
    from mt.search import Hypothesis

__all__ = ["app", "main"]

PICTURED = 5  # sentences of an attention picture


def translate(
    model: Annotated[str, typer.Option(metavar="FOLDER", help="Model folder, as mt-train leaves in runs/NAME/model.")],
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="Text, one sentence per line.")] = STDIN,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write.", show_default="standard output"),
    ] = None,
    beam_size: Annotated[
        int | None, typer.Option(min=1, help="Hypotheses followed at a time; 1 is greedy.", show_default="the model's")
    ] = None,
    n_best: Annotated[
        int, typer.Option(min=1, help="Translations per line; more than 1 gives LINE ||| TRANSLATION ||| SCORE.")
    ] = 1,
    length_penalty: Annotated[
        float | None, typer.Option(min=0.0, help="Strength of the length normalisation.", show_default="the model's")
    ] = None,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Source tokens translated at once.", show_default="the model's")
    ] = None,
    window: Annotated[
        int, typer.Option(min=1, help="Lines read ahead and sorted by length; 1 answers every line at once.")
    ] = 1000,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto for the best there is.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line, with scores and pieces.")] = False,
    attention: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"Draw where the model looked, for the first {PICTURED} sentences: .png, .svg or .html.",
        ),
    ] = None,
) -> None:
    """Translate text from a file or the standard input.

    An empty line gives an empty line, and the order is kept. Files may be plain or .gz, .xz or .zst.

    echo "The old dog sleeps." | mt-translate --model runs/quickstart/model
    """
    lines = read_lines(file)
    if file == STDIN and sys.stdin.isatty():
        window = 1
        print("One sentence per line; Ctrl-D ends.", file=sys.stderr)
    if attention is not None:
        from mt.pictures import ATTENTION_KINDS, check_picture_path

        check_picture_path(attention, ATTENTION_KINDS)
    from mt.translator import Translator  # loads torch

    translator = Translator.from_folder(model, device=device)
    found = translator.translate_n_best(
        lines,
        n_best=n_best,
        beam_size=beam_size,
        length_penalty=length_penalty,
        batch_tokens=batch_tokens,
        window=window,
    )
    pictured: list[Hypothesis] = []
    with open_output(output) as stream:
        for number, hypotheses in enumerate(_with_progress(found, shown=output is not None), start=1):
            for text in _formatted(number, hypotheses, as_json=as_json, n_best=n_best):
                stream.write(text + "\n")
            if attention is not None and hypotheses[0].pieces and len(pictured) < PICTURED:
                pictured.append(hypotheses[0])
    if attention is not None:
        _draw(pictured, attention)


def _formatted(number: int, hypotheses: "list[Hypothesis]", *, as_json: bool, n_best: int) -> Iterator[str]:
    """Yield the lines of output for one line of input."""
    if as_json:
        yield json.dumps({"line": number, "hypotheses": [_plain(one) for one in hypotheses]}, ensure_ascii=False)
    elif n_best == 1:
        yield hypotheses[0].text
    else:
        for one in hypotheses:
            yield f"{number} ||| {one.text} ||| {one.score:.4f}"


def _plain(hypothesis: "Hypothesis") -> dict[str, Any]:
    return {
        "text": hypothesis.text,
        "score": round(hypothesis.score, 6),
        "pieces": hypothesis.pieces,
        "token_scores": [round(score, 6) for score in hypothesis.token_scores],
    }


def _with_progress(found: "Iterable[list[Hypothesis]]", *, shown: bool) -> "Iterable[list[Hypothesis]]":
    """Count lines on the standard error while the translations go to a file."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield from found
        return
    columns = SpinnerColumn(), TextColumn("translated"), MofNCompleteColumn(), TextColumn("lines"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(found, total=None)


def _draw(hypotheses: "list[Hypothesis]", path: Path) -> None:
    from mt.pictures import AttentionItem, attention_pictures

    if not hypotheses:
        print_warning(f"{path} was not drawn: there was no sentence.")
        return
    attention_pictures(
        [
            AttentionItem(
                weights=one.attention,
                source_pieces=[*one.source_pieces, "</s>"],
                target_pieces=[*one.pieces, "</s>"],
            )
            for one in hypotheses
        ],
        path,
    )


app = application(translate)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
