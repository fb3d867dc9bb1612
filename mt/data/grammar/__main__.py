"""`python -m mt.data.grammar`: writes a part of the grammar corpus into line-aligned files."""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.progress import track

from mt.data.grammar.corpus import generate
from mt.data.grammar.sentence import AlignedPair
from mt.errors import DataError, MTError

SUFFIXES = ("en", "de", "align")
SHORT = 20_000  # pairs that need no progress bar: two seconds

app = typer.Typer(add_completion=False)
console = Console(stderr=True)


@app.command()
def main(
    pairs: Annotated[int, typer.Option(min=1, help="Number of sentence pairs to write.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same pairs.")],
    split: Annotated[str, typer.Option(help="train, validation or test; no sentence occurs in two of them.")] = "train",
    output: Annotated[Path, typer.Option(help="Folder to write into; made if absent.", file_okay=True)] = Path(
        "grammar"
    ),
) -> None:
    """Write English-German sentence pairs of the built-in grammar with gold word alignments.

    Makes OUTPUT/SPLIT.en, OUTPUT/SPLIT.de and OUTPUT/SPLIT.align (Pharaoh format, `0-0 1-2`), line by line parallel.
    """
    try:
        aligned_pairs: Iterable[AlignedPair] = generate(pairs, seed=seed, split=split)
        if pairs > SHORT:
            aligned_pairs = track(
                aligned_pairs,
                description=f"Writing {split}",
                total=pairs,
                console=console,
                disable=not console.is_terminal,
            )
        write(aligned_pairs, output, split)
    except MTError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"Wrote {pairs} pairs: {output / split}.{{{','.join(SUFFIXES)}}}")


def write(pairs: Iterable[AlignedPair], folder: Path, split: str) -> None:
    """Write the three files of a split; none of them appears unless all of them are complete.

    Raises:
        DataError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with complete_files([folder / f"{split}.{suffix}" for suffix in SUFFIXES]) as (english, german, alignment):
            for pair in pairs:
                english.write(f"{pair.source}\n")
                german.write(f"{pair.target}\n")
                alignment.write(f"{pair.pharaoh}\n")
    except OSError as error:
        raise DataError(f"Cannot write to {folder}: {error.strerror}. Choose another folder with --output.") from error


@contextmanager
def complete_files(paths: list[Path]) -> Iterator[list[TextIO]]:
    """Open files under temporary names; rename them at the end, or remove them if anything went wrong."""
    parts = [path.with_name(f".{path.name}.part") for path in paths]
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(part.open("w", encoding="utf-8", newline="\n")) for part in parts]
        for part, path in zip(parts, paths, strict=True):
            os.replace(part, path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


if __name__ == "__main__":
    app(prog_name="python -m mt.data.grammar")
