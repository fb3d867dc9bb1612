"""Reads the YAML files of the grammar into frozen dataclasses and says what is wrong with an entry, and where."""

from dataclasses import MISSING, fields
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from mt.errors import DataError, did_you_mean

__all__ = ["RecordT", "lookup", "read_yaml", "record"]

RecordT = TypeVar("RecordT")


@cache
def read_yaml(name: str) -> dict[str, Any]:
    """Return the content of one of the package's own YAML files."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is there in all usual builds, and 7x faster
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.load(text, Loader=loader)  # a safe loader, whichever it is
    return content


def record(cls: type[RecordT], entry: Any, where: str, **known: Any) -> RecordT:
    """Build the dataclass `cls` from a YAML mapping and the fields `known` from its surroundings.

    Raises:
        DataError: the entry is no mapping, a key is not a field of `cls`, or a field without default is missing.
    """
    if not isinstance(entry, dict):
        raise DataError(f"{where}: expected `key: value` pairs, found {entry!r}.")
    names = [field.name for field in fields(cls) if field.name not in known]  # type: ignore[arg-type]
    for key in entry:
        if key not in names:
            raise DataError(f"{where}: unknown key {key!r}. {did_you_mean(str(key), names)}")
    given = {**known, **entry}
    for field in fields(cls):  # type: ignore[arg-type]
        if field.name not in given and field.default is MISSING and field.default_factory is MISSING:
            raise DataError(f"{where}: the key {field.name!r} is missing.")
    return cls(**given)


def lookup(table: dict[str, RecordT], name: str, where: str) -> RecordT:
    """Return `table[name]`; a name that is not there raises a DataError with the nearest one."""
    if name not in table:
        raise DataError(f"{where}: unknown name {name!r}. {did_you_mean(name, table)}")
    return table[name]
