"""Readers: generators that yield the pairs of one kind of corpus, row by row, with errors that name the row."""

import csv
import json
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypedDict

from mt.data.lines import read_lines
from mt.errors import DataError, did_you_mean

__all__ = [
    "Row",
    "columns_to_read",
    "grammar_rows",
    "hub_rows",
    "jsonl_rows",
    "parquet_rows",
    "table_rows",
    "text_rows",
]

NESTED = "translation"  # the column of many Hub data sets that holds {"en": ..., "de": ...}


class Row(TypedDict):
    """One pair as every reader yields it; `line` is the 1-based line or row of the original file."""

    source: str
    target: str
    line: int


def text_rows(source: Path, target: Path) -> Iterator[Row]:
    """Yield the pairs of two line-aligned files."""
    sides = read_lines(source), read_lines(target)
    for line, (source_text, target_text) in enumerate(zip_longest(*sides), start=1):
        if source_text is None or target_text is None:
            counts = [
                line - 1 if text is None else line + sum(1 for _ in rest)
                for text, rest in zip((source_text, target_text), sides, strict=True)
            ]
            raise DataError(
                f"the files are not aligned: {source} has {counts[0]:,} lines, {target} has {counts[1]:,}; "
                "line n of one must translate line n of the other"
            )
        yield Row(source=source_text, target=target_text, line=line)


def table_rows(path: Path, source: str, target: str, delimiter: str) -> Iterator[Row]:
    """Yield the pairs of a table with a header; tab-separated cells are never quoted."""
    records = _tsv_records(path) if delimiter == "\t" else _csv_records(path, delimiter)
    _, header = next(records, (0, []))
    columns_to_read(header, source, target, f"{path}, header", nested=False)
    source_index, target_index = header.index(source), header.index(target)
    for line, cells in records:
        if len(cells) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(cells)} cells, but the header names {len(header)} columns; "
                "a cell may hold the delimiter or an unpaired quotation mark"
            )
        yield Row(source=cells[source_index], target=cells[target_index], line=line)


def _tsv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    for line, text in enumerate(read_lines(path), start=1):
        if text:
            yield line, text.split("\t")


def _csv_records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    # A quoted cell may run over several lines: a record is named by its first, and the reader needs their ends.
    reader = csv.reader((text + "\n" for text in read_lines(path)), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(f"{path}, line {line}: {error}; check the quotation marks from there on") from error
        if cells:
            yield line, cells


def jsonl_rows(path: Path, source: str, target: str) -> Iterator[Row]:
    """Yield the pairs of a file with one JSON object per line; blank lines are passed over."""
    for line, text in enumerate(read_lines(path), start=1):
        if not text.strip():
            continue
        where = f"{path}, line {line}"
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: not JSON ({error.msg} at column {error.colno})") from error
        if not isinstance(record, dict):
            raise DataError(f"{where}: a JSON {type(record).__name__} and not an object; JSON Lines has one per line")
        columns_to_read(record, source, target, where)
        yield _row(record, source, target, line, where)


def parquet_rows(path: Path, source: str, target: str) -> Iterator[Row]:
    """Yield the pairs of a Parquet file."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            columns = columns_to_read(file.schema_arrow.names, source, target, str(path))
            records = (record for batch in file.iter_batches(columns=columns) for record in batch.to_pylist())
            for line, record in enumerate(records, start=1):
                yield _row(record, source, target, line, f"{path}, row {line}")
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error


def grammar_rows(pairs: int, seed: int, split: str) -> Iterator[Row]:
    """Yield generated pairs."""
    from mt.data.grammar import generate

    for line, pair in enumerate(generate(pairs, seed=seed, split=split), start=1):
        yield Row(source=pair.source, target=pair.target, line=line)


def hub_rows(
    batch: Mapping[str, list[Any]], indices: list[int], source: str, target: str, where: str
) -> dict[str, list[Any]]:
    """Turn one batch of a Hub data set, as columns, into the columns of a corpus."""
    records = [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]
    rows = [
        _row(record, source, target, index + 1, f"{where}, row {index + 1}")
        for index, record in zip(indices, records, strict=True)
    ]
    return {column: [row[column] for row in rows] for column in ("source", "target", "line")}


def columns_to_read(
    available: Iterable[str], source: str, target: str, where: str, *, nested: bool = True
) -> list[str]:
    """Return the columns that hold both texts: the two named ones, or the one nested column.

    Raises:
        DataError: a column is missing, and there is no nested one
    """
    columns = list(available)
    missing = [name for name in (source, target) if name not in columns]
    if not missing:
        return list(dict.fromkeys((source, target)))
    if nested and NESTED in columns:
        return [NESTED]
    raise DataError(f"{where}: no column {missing[0]!r}. {did_you_mean(missing[0], columns)}")


def _row(record: Mapping[str, Any], source: str, target: str, line: int, where: str) -> Row:
    """Take both texts out of a record that has the columns `columns_to_read` returned."""
    if source not in record or target not in record:
        record = record[NESTED] or {}
        missing = [name for name in (source, target) if name not in record]
        if missing and record:
            raise DataError(f"{where}: no {missing[0]!r} in {NESTED!r}. {did_you_mean(missing[0], record)}")
    texts = [_text(record.get(name), name, where) for name in (source, target)]
    return Row(source=texts[0], target=texts[1], line=line)


def _text(value: object, column: str, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(f"{where}: {column!r} holds {reprlib.repr(value)} where text is expected")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"{where}: {column!r} holds half a surrogate pair, which is not text") from error
    return value
