"""Corpora: one function per kind, each reads one split into a `datasets.Dataset` with the same three columns.

The columns are `source` and `target` (text) and `line`, the 1-based line or row of the original file, which stays with
its pair through every later step so that an error can name it. A missing value becomes the empty text, which
`mt.data.cleaning` then drops and counts. Everything but a Hub data set is read once into the cache of `datasets`
and memory-mapped from there; a changed file is read again.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mt.data.cache import cache_key, quiet_unless_terminal
from mt.data.lines import existing_file, suffix_without_compression
from mt.data.readers import (
    Row,
    columns_to_read,
    grammar_rows,
    hub_rows,
    jsonl_rows,
    parquet_rows,
    table_rows,
    text_rows,
)
from mt.errors import ConfigError, DataError, MTError

if TYPE_CHECKING:
    from datasets import Dataset, Features

__all__ = ["grammar", "hub", "jsonl", "local_or_hub", "parquet", "table", "text_files"]

READER_CODE = [Path(__file__).with_name(name) for name in ("sources.py", "readers.py", "lines.py")]


def text_files(*, source: str, target: str) -> "Dataset":
    """Read two text files, plain or .gz, .xz, .zst, where line n of one translates line n of the other.

    Raises:
        DataError: a file is missing, empty, damaged or not UTF-8, or the files differ in their number of lines
    """
    files = [existing_file(source, "source"), existing_file(target, "target")]
    return _cached(text_rows, files, source=files[0], target=files[1])


def table(*, path: str, source: str, target: str, delimiter: str | None = None) -> "Dataset":
    """Read the columns named `source` and `target` of a table whose first row names its columns.

    Args:
        path: .csv or .tsv, also compressed; any other suffix needs `delimiter`
        source: name of the source's column
        target: name of the target's column
        delimiter: one character; None takes it from the suffix. Tab-separated cells are taken to the letter, cells
            separated by anything else may be quoted as in CSV.

    Raises:
        ConfigError: `delimiter` is more than one character
        DataError: the file is missing, empty, damaged or not UTF-8, a column is missing, or a row is malformed
    """
    file = existing_file(path, "path")
    if delimiter is None:
        delimiter = {".csv": ",", ".tsv": "\t"}.get(suffix_without_compression(file))
        if delimiter is None:
            raise DataError(f"{file} ends neither in .csv nor in .tsv: set `delimiter` to what separates its cells")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ConfigError(f"delimiter: must be one character other than a quotation mark, got {delimiter!r}")
    return _cached(table_rows, [file], path=file, source=source, target=target, delimiter=delimiter)


def jsonl(*, path: str, source: str, target: str) -> "Dataset":
    """Read one JSON object per line: text under the keys `source` and `target`, or both inside "translation".

    Raises:
        DataError: the file is missing, empty, damaged or not UTF-8, or a line is not an object with both texts
    """
    file = existing_file(path, "path")
    return _cached(jsonl_rows, [file], path=file, source=source, target=target)


def parquet(*, path: str, source: str, target: str) -> "Dataset":
    """Read the text columns `source` and `target` of a Parquet file, or both inside a column "translation".

    Raises:
        DataError: the file is missing, empty or damaged, or a column is missing or does not hold text
    """
    file = existing_file(path, "path")
    return _cached(parquet_rows, [file], path=file, source=source, target=target)


def grammar(*, pairs: int, seed: int, split: str) -> "Dataset":
    """Generate `pairs` sentence pairs of the built-in English-German grammar (`mt.data.grammar`)."""
    import mt.data.grammar

    # The pairs depend on the rules as much as on the arguments, so the rules' files are part of the cache's key.
    rules = [file for file in Path(mt.data.grammar.__file__).parent.iterdir() if file.is_file()]
    return _cached(grammar_rows, sorted(rules), pairs=pairs, seed=seed, split=split)


def hub(
    *, name: str, split: str, source: str, target: str, config: str | None = None, revision: str | None = None
) -> "Dataset":
    """Load a data set of the Hugging Face Hub, or a local folder in the Hub's layout.

    Args:
        name: "owner/name" on the Hub, or a folder
        split: "train", or a slice such as "train[:10000]"
        source: the source's column, or its key (often a language code) in the column "translation"
        target: likewise for the target
        config: which configuration, where the data set has several
        revision: branch, tag or commit, to pin what is downloaded

    Raises:
        DataError: the data set cannot be reached or loaded, or a column is missing or does not hold text
    """
    import datasets

    try:
        with quiet_unless_terminal():
            corpus = datasets.load_dataset(name, config, split=split, revision=revision)
    except ConnectionError as error:
        raise DataError(
            f"the Hub cannot be reached for the data set {name!r}: {error}. Check the network; or download the data "
            "set on another machine and give its folder as `name`, or its text as two files (mt.data.sources.text_files)"
        ) from error
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise DataError(f"the data set {name!r} cannot be loaded: {error}") from error
    if not len(corpus):
        raise DataError(f"the data set {name!r} has no rows in split {split!r}")
    where = f"data set {name!r}, split {split!r}"
    corpus = corpus.select_columns(columns_to_read(corpus.column_names, source, target, where))
    with quiet_unless_terminal():
        return corpus.map(
            hub_rows,
            batched=True,
            with_indices=True,
            remove_columns=corpus.column_names,
            features=_features(),
            fn_kwargs={"source": source, "target": target, "where": where},
            new_fingerprint=cache_key(corpus._fingerprint, source, target, files=READER_CODE),
        )


def local_or_hub(*, root: str | None, part: str, name: str, split: str, source: str, target: str) -> "Dataset":
    """Load a well-known data set from files ROOT/PART.LANGUAGE.gz, or from the Hub where there is no root.

    Args:
        root: folder of the files; None asks the Hub.
        part: the files' name for this part of the data set.
        name: of the data set on the Hub.
        split: the Hub's name for this part.
        source: source language, which is the files' ending and the Hub's column.
        target: target language, likewise.

    Raises:
        DataError: see `text_files` and `hub`.
    """
    if root is None:
        return hub(name=name, split=split, source=source, target=target)
    return text_files(source=f"{root}/{part}.{source}.gz", target=f"{root}/{part}.{target}.gz")


def _features() -> "Features":
    from datasets import Features, Value

    return Features({"source": Value("string"), "target": Value("string"), "line": Value("int64")})


def _cached(rows: Callable[..., Iterator[Row]], files: Sequence[Path], **arguments: Any) -> "Dataset":
    """Write what `rows(**arguments)` yields to an Arrow file, or find it there, and return it memory-mapped."""
    from datasets import Dataset, config
    from datasets.exceptions import DatasetGenerationError

    named = {name: str(value) for name, value in arguments.items()}
    try:
        with quiet_unless_terminal():
            return Dataset.from_generator(
                _at_least_one,
                features=_features(),
                gen_kwargs={"rows": rows, "arguments": arguments},
                fingerprint=cache_key(rows.__name__, named, files=[*READER_CODE, *files]),
            )
    except (DatasetGenerationError, OSError) as error:
        cause = error.__cause__ if isinstance(error, DatasetGenerationError) else error
        if isinstance(cause, MTError):
            raise cause from None
        if isinstance(cause, OSError):
            raise DataError(
                f"the corpus cannot be cached under {config.HF_DATASETS_CACHE}: {cause}; "
                "make room there, or set the environment variable HF_HOME to another folder"
            ) from error
        raise


def _at_least_one(rows: Callable[..., Iterator[Row]], arguments: dict[str, Any]) -> Iterator[Row]:
    empty = True
    for row in rows(**arguments):
        empty = False
        yield row
    if empty:
        names = " and ".join(str(value) for value in arguments.values() if isinstance(value, Path))
        raise DataError(f"no sentence pairs in {names}")
