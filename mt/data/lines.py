"""Lines of UTF-8 text files, plain or compressed; errors of reading name the file and the line."""

import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from mt.errors import DataError

__all__ = ["existing_file", "open_for_writing", "read_lines", "suffix_without_compression"]


def _open_plain(file: Path) -> BinaryIO:
    return file.open("rb")


def _open_zstandard(file: Path) -> BinaryIO:
    # Arrow reads files of several frames to the end and notices a truncated one; python-zstandard does neither.
    import pyarrow

    return cast(BinaryIO, io.BufferedReader(pyarrow.input_stream(str(file), compression="zstd")))


_OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".zst": _open_zstandard}


def existing_file(path: str, setting: str) -> Path:
    """Return `path` as an absolute path to a file that has something in it.

    Args:
        path: as the user wrote it; `~` is the home folder, a relative path starts at the working directory
        setting: the name of the setting that holds it, for the error

    Raises:
        DataError: there is no such file, it is a folder, or it is empty
    """
    file = Path(os.path.abspath(Path(path).expanduser()))
    if file.is_file():
        if file.stat().st_size == 0:
            raise DataError(f"{file} is empty: `{setting}` must name a file with at least one sentence")
        return file
    if file.exists():
        kind = "a folder" if file.is_dir() else "not a regular file"
        raise DataError(f"{file} is {kind}: set `{setting}` to a file")
    siblings = [sibling.name for sibling in file.parent.iterdir()] if file.parent.is_dir() else []
    nearest = get_close_matches(file.name, siblings, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise DataError(
        f"{file} does not exist: {hint}check the settings that make up the path of `{setting}` (relative paths start at {Path.cwd()})"
    )


def suffix_without_compression(file: Path) -> str:
    """Return the suffix that tells the kind of a file: ".csv" for both data.csv and data.csv.gz."""
    return Path(file.stem).suffix if file.suffix in _OPENERS else file.suffix


def read_lines(file: Path) -> Iterator[str]:
    r"""Yield the lines of a text file without their ends; .gz, .xz and .zst are decompressed on the way.

    Only "\n" and "\r\n" end a line: other characters that Unicode calls line breaks, such as U+2028, occur inside
    the sentences of crawled corpora. A byte-order mark at the start is dropped.

    Raises:
        DataError: the file cannot be read or decompressed, or a line is not UTF-8
    """
    try:
        with _OPENERS.get(file.suffix, _open_plain)(file) as stream:
            for number, line in enumerate(stream, start=1):
                yield decode_line(line, file, number)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{file} cannot be read: {error}; if it is damaged, fetch or compress it again") from error


def open_for_writing(file: Path, suffix: str) -> TextIO:
    r"""Open a UTF-8 text file whose lines end in "\n"; the suffix .gz, .xz or .zst, of its name to be, compresses it.

    Raises:
        OSError: it cannot be opened.
    """
    match suffix:
        case ".gz":
            return cast(TextIO, gzip.open(file, "wt", encoding="utf-8", newline="\n"))
        case ".xz":
            return lzma.open(file, "wt", encoding="utf-8", newline="\n")
        case ".zst":
            import pyarrow

            packed = pyarrow.output_stream(str(file), compression="zstd")
            return io.TextIOWrapper(packed, encoding="utf-8", newline="\n")
    return file.open("w", encoding="utf-8", newline="\n")


def decode_line(line: bytes, file: Path, number: int) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}, line {number}: not UTF-8 (byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line); "
            "convert the file to UTF-8, for example with iconv"
        ) from error
    if number == 1:
        text = text.removeprefix("\ufeff")
    return text.removesuffix("\n").removesuffix("\r")
