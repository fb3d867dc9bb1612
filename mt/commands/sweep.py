"""`mt-sweep`: the runs of a sweep as one table and one picture, mean and standard deviation over the seeds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mt.commands._cli import application, open_output, print_warning
from mt.errors import ConfigError

if TYPE_CHECKING:
    from mt.evaluation.sweep import Sweep, SweepCell

__all__ = ["app", "main"]

TABLE, RECORD, PICTURE = "sweep.md", "sweep.json", "sweep.png"
MEASURED = "validation BLEU: the best of each run, mean ± sample standard deviation over the seeds"


def sweep(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="runs/NAME of a sweep, or of single runs to compare.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help=f"Where to leave {TABLE}, {RECORD} and {PICTURE}.",
            show_default="FOLDER; with several, nowhere",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=f"Print one JSON object, as in {RECORD}.")] = False,
) -> None:
    """Compare the runs of a sweep: mean and standard deviation over the seeds, for each choice of the other settings.

    The best comes first. Runs that have not finished are named and left out.

    mt-train -m seed=1,2,3 model=base,small name=sizes

    mt-sweep runs/sizes
    """
    from mt.evaluation.sweep import read_sweep

    found = read_sweep(folders)
    if output is None and len(folders) == 1:
        output = folders[0]
    if output is not None and not output.is_dir():
        raise ConfigError(f"{output} is no folder; make it, or give --output another.")
    if found.left_out:
        reasons = [f"{one.folder} {one.reason}" for one in found.left_out]
        print_warning("\n  ".join([f"{_count(len(reasons), 'run')} left out:", *reasons]))
    if len(found.signatures) > 1:
        print_warning("the sacrebleu signatures differ, so that scores of different signatures cannot be compared.")
    if as_json:
        print(json.dumps(_record(found), ensure_ascii=False))
    else:
        _print_table(found)
    if output is not None:
        _save(found, output)


def _save(found: "Sweep", folder: Path) -> None:
    from mt.pictures import sweep_picture

    drawn = sweep_picture(found.cells, folder / PICTURE)
    with open_output(str(folder / RECORD)) as stream:
        stream.write(json.dumps(_record(found), indent=2, ensure_ascii=False) + "\n")
    with open_output(str(folder / TABLE)) as stream:
        stream.write("\n".join(_markdown(found, drawn=drawn)) + "\n")


def _record(found: "Sweep") -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "signatures": found.signatures,
        "cells": [
            {
                "settings": cell.settings,
                "seeds": len(cell.runs),
                "validation_bleu": {"mean": _rounded(cell.mean, 4), "standard_deviation": _rounded(cell.deviation, 4)},
                "signature": cell.signature,
                "steps": round(cell.steps, 1),
                "train_seconds": round(cell.train_seconds, 1),
                "tokens_per_second": _rounded(cell.tokens_per_second, 1),
                "runs": [
                    {"folder": str(run.folder), "seed": run.seed, "validation_bleu": run.bleu} for run in cell.runs
                ],
            }
            for cell in found.cells
        ],
        "left_out": [{"folder": str(one.folder), "reason": one.reason} for one in found.left_out],
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _headings(found: "Sweep") -> list[str]:
    """Return what stands above the columns of `_row`."""
    return [*found.cells[0].settings, "seeds", "validation BLEU", "steps", "time (min:s)", "tokens/s"]


def _row(cell: "SweepCell") -> list[str]:
    score = "" if cell.mean is None else f"{cell.mean:.2f}"
    if cell.deviation is not None:
        score += f" ± {cell.deviation:.2f}"
    minutes, seconds = divmod(round(cell.train_seconds), 60)
    speed = "" if cell.tokens_per_second is None else f"{cell.tokens_per_second:,.0f}"
    settings = [value or "–" for value in cell.settings.values()]
    return [*settings, str(len(cell.runs)), score, f"{cell.steps:,.0f}", f"{minutes}:{seconds:02d}", speed]


def _best(found: "Sweep") -> "SweepCell | None":
    """Return the cell to point out: there is none if there is no other that it can be compared with."""
    comparable = len(found.signatures) == 1 and len(found.cells) > 1
    return found.cells[0] if comparable else None


def _print_table(found: "Sweep") -> None:
    """Print a table on a terminal, and tab-separated lines into a pipe or a file."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        for texts in _tab_separated(found):
            print(*texts, sep="\t")
        return
    table = Table(box=SIMPLE_HEAD)
    named = len(found.cells[0].settings)
    for number, heading in enumerate(_headings(found)):
        table.add_column(Text(heading), justify="left" if number < named else "right", overflow="fold")
    for cell in found.cells:
        table.add_row(*map(Text, _row(cell)), style="bold" if cell is _best(found) else None)
    console.print(table)
    for note in _notes(found):
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def _tab_separated(found: "Sweep") -> list[list[str]]:
    """Return a heading and a line for each cell, with figures as a program reads them."""
    settings = [key for key in found.cells[0].settings if key != "signature"]
    figures = ["bleu_mean", "bleu_standard_deviation", "steps", "train_seconds", "tokens_per_second"]
    lines = [[*settings, "seeds", *figures, "signature"]]
    for cell in found.cells:
        values = (
            (cell.mean, 2),
            (cell.deviation, 2),
            (cell.steps, 0),
            (cell.train_seconds, 1),
            (cell.tokens_per_second, 0),
        )
        texts = ["" if value is None else f"{value:.{digits}f}" for value, digits in values]
        lines.append([*(cell.settings[key] for key in settings), str(len(cell.runs)), *texts, cell.signature])
    return lines


def _notes(found: "Sweep") -> list[str]:
    """Return what has to be known to read the figures."""
    return [MEASURED, *found.signatures] if len(found.signatures) == 1 else [MEASURED]


def _markdown(found: "Sweep", *, drawn: bool) -> list[str]:
    headings = _headings(found)
    named = len(found.cells[0].settings)
    lines = [_markdown_row(headings), _markdown_row(["---"] * named + ["---:"] * (len(headings) - named))]
    for cell in found.cells:
        row = [text.replace("|", "\\|") for text in _row(cell)]
        if cell is _best(found):
            row = [f"**{text}**" if text else "" for text in row]
        lines.append(_markdown_row(row))
    measured, *signature = _notes(found)
    lines += ["", f"{measured[0].upper()}{measured[1:]}{f' (`{signature[0]}`)' if signature else ''}."]
    lines += ["", "Left out:", ""] if found.left_out else []
    lines += [f"- {one.folder} {one.reason}" for one in found.left_out]
    return [*lines, "", f"![Validation BLEU of each run]({PICTURE})"] if drawn else lines


def _markdown_row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _count(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number} {noun}s are"


app = application(sweep)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
