"""What every typer command shares: clean exits, short errors, and text read and written line by line."""

import errno
import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TextIO, TypeVar, cast

import typer

from mt.data import lines
from mt.errors import ConfigError, DataError, MTError

__all__ = [
    "STDIN",
    "STDOUT",
    "application",
    "open_output",
    "output_file",
    "print_error",
    "print_warning",
    "read_lines",
    "show_progress",
]

STDIN = STDOUT = "-"
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

P = ParamSpec("P")
T = TypeVar("T")


def application(command: Callable[P, None]) -> typer.Typer:
    """Make a function with typer's annotations a command-line application that ends cleanly.

    An MTError becomes one message on the standard error and exit code 2, as with wrong usage; Ctrl-C exits
    with 130 and says nothing; a reader that closes our output early, as `head` does, is no error.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command()
    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except MTError as error:
            print_error(str(error))
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(0) from None
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            _discard_output()
            print_error(f"The output cannot be written: {error.strerror}.")
            raise typer.Exit(2) from None

    return app


def print_error(message: str) -> None:
    """Print a message on the standard error, marked as an error."""
    _print_marked("error", "bold red", message)


def print_warning(message: str) -> None:
    """Print a message on the standard error, marked as a warning."""
    _print_marked("warning", "bold yellow", message)


def read_lines(path: str) -> Iterator[str]:
    r"""Yield the lines of a text file, or of the standard input for "-", each as soon as it has arrived.

    A line ends at \n or \r\n, nowhere else, and comes without it. Files are UTF-8, their byte order mark is
    skipped, and .gz, .xz and .zst are unpacked.

    Raises:
        DataError: at the call if there is no such file; while reading if the file is damaged or not UTF-8,
            with the number of the line.
    """
    if path == STDIN:
        return _standard_input_lines()
    if not Path(path).exists():
        raise DataError(f"{path}: there is no such file.")
    if Path(path).is_dir():
        raise DataError(f"{path} is a folder; give one text file.")
    return lines.read_lines(Path(path))


@contextmanager
def open_output(path: str | None) -> Iterator[TextIO]:
    """Open a text file for writing, or the standard output for None or "-".

    A file appears under its name when the block ends without an error, complete, and not at all otherwise.
    .gz, .xz and .zst are packed. Lines written to the standard output leave at once, as UTF-8.

    Raises:
        ConfigError: there can be no file of this name.
        MTError: the disk is full.
    """
    if path is None or path == STDOUT:
        cast(io.TextIOWrapper, sys.stdout).reconfigure(encoding="utf-8", newline="\n", line_buffering=True)
        yield sys.stdout
        return
    target = output_file(path)
    is_device = target.exists() and not target.is_file()  # /dev/null or a pipe: written to, never replaced
    written = target if is_device else target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        stream = lines.open_for_writing(written, target.suffix)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with stream:
            yield stream
        if not is_device:
            written.replace(target)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise MTError(f"{path} cannot be written: {error.strerror}.") from error
        raise
    finally:
        if not is_device:
            written.unlink(missing_ok=True)


def output_file(path: str) -> Path:
    """Return where a file is to be written: through a symbolic link, so that the link survives.

    Raises:
        ConfigError: there can be no file of this name.
    """
    target = Path(path).resolve()
    if target.is_dir():
        raise ConfigError(f"{path} is a folder; give the name of a file to write.")
    if not target.parent.is_dir():
        raise ConfigError(f"{path} cannot be written: the folder {target.parent} does not exist.")
    return target


def show_progress(items: Iterable[T], *, doing: str, shown: bool, done: int = 0) -> Iterator[T]:
    """Count items on the standard error, if that is a terminal, while what becomes of them goes to a file."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield from items
        return
    columns = SpinnerColumn(), TextColumn(doing), MofNCompleteColumn(), TextColumn("lines"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(items, total=None, completed=done)


def _standard_input_lines() -> Iterator[str]:
    for number, line in enumerate(sys.stdin.buffer, start=1):
        yield lines.decode_line(line, Path("standard input"), number)


def _print_marked(kind: str, style: str, message: str) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True).print(Text.assemble((f"{kind}:", style), " ", message), soft_wrap=True)


def _discard_output() -> None:
    """Point the standard output at nothing, so that Python's own flush at the end finds no closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
