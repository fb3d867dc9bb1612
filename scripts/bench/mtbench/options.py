"""What the benchmarks' command lines share."""

from collections.abc import Iterable
from pathlib import Path

from mt.errors import ConfigError, did_you_mean
from mtbench.results import PEERS
from mtbench.rounds import console

__all__ = ["PEERS_FOLDER", "PROJECT", "choose", "numbers", "peers_in"]

PROJECT = Path(__file__).resolve().parents[3]
PEERS_FOLDER = PROJECT / ".bench" / "peers"


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
