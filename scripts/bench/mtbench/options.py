"""What the benchmarks' command lines share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from mt.errors import ConfigError, did_you_mean
from mtbench.results import PEERS
from mtbench.rounds import console

__all__ = [
    "PEERS_FOLDER",
    "PROJECT",
    "JsonFile",
    "PeersFolder",
    "Threads",
    "WithPeers",
    "choose",
    "numbers",
    "peers_in",
]

PROJECT = Path(__file__).resolve().parents[3]
PEERS_FOLDER = PROJECT / ".bench" / "peers"

Threads = Annotated[int, typer.Option(min=1, help="OMP_NUM_THREADS, for everybody.")]
WithPeers = Annotated[bool, typer.Option(help="Compare with those that scripts/bench/peers has set up.")]
PeersFolder = Annotated[
    Path,
    typer.Option(
        envvar="MT_BENCH_PEERS", show_default=".bench/peers", help="Where scripts/bench/peers has set them up."
    ),
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write a list of records here.")]


def numbers(setting: str, values: str, *, least: int) -> list[int]:
    """Read whole numbers with commas between them.

    Raises:
        ConfigError: if they are none, or one is too small.
    """
    try:
        found = [int(value) for value in values.split(",") if value]
    except ValueError:
        raise ConfigError(f"{setting}: give whole numbers with commas between them, not {values!r}") from None
    if min(found, default=least) < least:
        raise ConfigError(f"{setting}: must be at least {least}, got {min(found)}")
    return found


def choose(kind: str, names: str | None, known: Iterable[str]) -> list[str]:
    """Read names with commas between them. Raises ConfigError at unknown ones."""
    table = list(known)
    chosen = names.split(",") if names else []
    for name in chosen:
        if name not in table:
            raise ConfigError(f"{kind} {name!r} is unknown. {did_you_mean(name, table)}")
    return chosen


def peers_in(folder: Path) -> dict[str, Path]:
    """Return the Python of each peer that scripts/bench/peers has set up in a folder; say which it has not."""
    found = {peer: folder / peer / "bin" / "python" for peer in PEERS if (folder / peer / "installed").is_file()}
    for peer in PEERS:
        if peer not in found:
            console.print(f"{peer} is not set up in {folder}: left out. scripts/bench/peers does it.")
    return found
