"""From turns to figures: one record a configuration, as a table and as JSON."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mtbench.contender import Turn

Record = dict[str, Any]
PEERS = ("joeynmt", "opennmt")
Columns = Mapping[str, tuple[str, float, str]]
"""What a table shows of a record: by its key the heading, its unit, and how."""

COLUMNS: Columns = {
    "name": ("", 1, ""),
    "tokens_per_second": ("tokens/s", 1, ",.0f"),
    "ratio_to_joeynmt": ("/ Joey NMT", 1, ".2f"),
    "ratio_to_opennmt": ("/ Open NMT", 1, ".2f"),
    "matmul_share": ("matmul share", 1, ".1%"),
    "peak_memory_mb": ("peak MB", 1, ",.0f"),
    "parameters": ("M weights", 1e6, ".2f"),
    "macs_per_token": ("M MACs /token", 1e6, ".2f"),
    "matmul_rate": ("matmul G MACs/s", 1e9, ".1f"),
}
"""Of a record of training."""


def summarise(name: str, turns: Sequence[Turn], rivals: Mapping[str, Sequence[Turn]], **more: Any) -> Record:
    """Return the medians over the rounds; ratios are taken within each round, since the machine's speed drifts.

    Args:
        name: of the configuration.
        turns: one a round.
        rivals: the turns of the peers by name, in the same rounds.
        more: entries of the record.
    """
    ratios = {}
    for peer in PEERS:
        pairs = zip(turns, rivals.get(peer, ()), strict=False)  # the last round may have been broken off
        ratios[peer] = [ours.tokens_per_second / theirs.tokens_per_second for ours, theirs in pairs]
    counted = any(turn.multiply_adds for turn in turns)
    return {
        "name": name,
        "tokens_per_second": statistics.median(turn.tokens_per_second for turn in turns),
        "matmul_share": statistics.median(turn.matmul_share for turn in turns) if counted else None,
        "peak_memory_mb": max(turn.peak_memory for turn in turns) / 1e6,
        **{f"ratio_to_{peer}": statistics.median(ratios[peer]) if ratios[peer] else None for peer in PEERS},
        "parameters": turns[-1].parameters,
        "macs_per_token": sum(turn.multiply_adds for turn in turns) / sum(turn.tokens for turn in turns)
        if counted
        else None,
        "matmul_rate": statistics.median(turn.matmul_rate for turn in turns),
        "tokens_per_second_by_round": [turn.tokens_per_second for turn in turns],
        "steps": sum(turn.steps for turn in turns),
        "threads": turns[-1].threads,
        **more,
    }


def write_json(records: Sequence[Record], path: Path) -> None:
    """Write the records as a list."""
    path.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")


def print_table(records: Sequence[Record], *, caption: str, columns: Columns = COLUMNS) -> None:
    """Print a table on a terminal, and tab-separated lines into a pipe or a file, the caption to standard error."""
    console = Console()
    peers = [{"name": name, **figures} for name, figures in records[-1].get("peers", {}).items()]
    shown = [
        [_show(record.get(key), scale, form) for key, (_, scale, form) in columns.items()]
        for record in [*records, *peers]
    ]
    if not console.is_terminal:
        for row in [[heading or "name" for heading, *_ in columns.values()], *shown]:
            print(*row, sep="\t")
        Console(stderr=True, highlight=False).print(caption, soft_wrap=True)
        return
    headings = (heading for heading, *_ in columns.values())
    table = Table(*headings, box=SIMPLE_HEAD, padding=(0, 0, 0, 1), caption=caption, caption_justify="left")
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify, column.overflow = "right", "fold"
    for row in shown:
        table.add_row(*row)
    console.print(table)


def _show(value: Any, scale: float, form: str) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, str) else format(value / scale, form)
