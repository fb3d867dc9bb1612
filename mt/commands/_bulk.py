"""Outputs that an interruption does not lose: FILE.part keeps what was written, and the same command goes on there."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from mt.commands._cli import STDOUT, open_output, output_file
from mt.errors import ConfigError

__all__ = ["Answers", "resumable_output"]

COMPRESSED = {".gz", ".xz", ".zst"}


class Answers:
    """Where the answers to lines of input go, in order.

    Args:
        stream: to write to.
        record: of how far it has come, beside the file; None where nothing can be resumed.
        settings: that a run which goes on must share.
        done: lines of input that were answered before.
    """

    def __init__(
        self, stream: TextIO, *, record: Path | None = None, settings: dict[str, Any] | None = None, done: int = 0
    ) -> None:
        self.done = done
        self._stream = stream
        self._record = record
        self._settings = settings or {}

    def write(self, lines: Iterable[str]) -> None:
        """Write what answers the next line of input."""
        for line in lines:
            self._stream.write(line + "\n")
        self.done += 1

    def keep(self) -> None:
        """Make sure that what was written so far survives whatever comes."""
        if self._record is None:
            return
        self._stream.flush()
        state = {"lines": self.done, "bytes": self._stream.tell(), "settings": self._settings}
        partial = self._record.with_name(self._record.name + ".new")
        partial.write_text(json.dumps(state), encoding="utf-8")
        partial.replace(self._record)


@contextmanager
def resumable_output(path: str | None, *, settings: dict[str, Any], resume: bool) -> Iterator[Answers]:
    """Open an output; a plain file is FILE.part until it is complete, and can be gone on with.

    The standard output, devices and compressed files cannot be resumed: see `open_output`.

    Args:
        path: of the file.
        settings: plain data that decides what is written; an interrupted run must have had the same.
        resume: whether to go on with FILE.part, if there is one.

    Raises:
        ConfigError: if there is a FILE.part, but not to be resumed, or of other settings.
        MTError: see `open_output`.
    """
    target = None if path is None or path == STDOUT else output_file(path)
    if target is None or target.suffix in COMPRESSED or (target.exists() and not target.is_file()):
        if resume:
            raise ConfigError("--resume goes on with a plain file: give --output FILE, without .gz, .xz or .zst.")
        with open_output(path) as stream:
            yield Answers(stream)
        return
    part, record = (target.with_name(target.name + suffix) for suffix in (".part", ".part.json"))
    done = _go_on(part, record, settings) if resume and record.exists() else 0
    if part.exists() and not done:
        if not resume and record.exists():
            raise ConfigError(
                f"{part} holds what an interrupted run has written: go on with --resume, or remove it to start anew."
            )
        part.unlink()
    try:
        stream = part.open("a", encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    with stream:
        answers = Answers(stream, record=record, settings=settings, done=done)
        try:
            yield answers
        except BaseException:
            if record.exists():
                print(
                    f"{_kept(record):,} lines are kept in {part}: the same command with --resume goes on.",
                    file=sys.stderr,
                )
            else:
                part.unlink()
            raise
    os.replace(part, target)
    record.unlink(missing_ok=True)


def _go_on(part: Path, record: Path, settings: dict[str, Any]) -> int:
    """Cut a partial file to what its record vouches for, and return how many lines of input that answers."""
    try:
        state = json.loads(record.read_text(encoding="utf-8"))
        before, lines, size = state["settings"], int(state["lines"]), int(state["bytes"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{record} is damaged: remove it and {part} to start anew.") from error
    if different := sorted(name for name in {*before, *settings} if before.get(name) != settings.get(name)):
        details = ", ".join(f"{name} was {before.get(name)} and is {settings.get(name)}" for name in different)
        raise ConfigError(
            f"{part} was written with other settings ({details}): give the same, or remove it to start anew."
        )
    if not part.is_file() or part.stat().st_size < size:
        raise ConfigError(f"{part} is missing or shorter than {record} says: remove both to start anew.")
    os.truncate(part, size)
    return lines


def _kept(record: Path) -> int:
    return int(json.loads(record.read_text(encoding="utf-8"))["lines"])
