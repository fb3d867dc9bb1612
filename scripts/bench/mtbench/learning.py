"""How good a contender was after how long."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from mt.pictures._drawing import save, style, tidy
from mtbench.results import PEERS, Columns, Record

__all__ = ["Point", "columns", "draw", "minutes_to", "summarise"]


class Point(NamedTuple):
    """What a model that was trained for so long is worth."""

    minutes: float
    bleu: float


def minutes_to(target: float, curve: Sequence[Point]) -> float | None:
    """Return when a curve first reaches a BLEU, on straight lines between its points; None if it never does."""
    before = Point(0.0, 0.0)
    for point in curve:
        if point.bleu >= target:
            share = (target - before.bleu) / (point.bleu - before.bleu)
            return before.minutes + share * (point.minutes - before.minutes)
        before = point
    return None


def summarise(curves: Mapping[str, Sequence[Point]], targets: Sequence[int]) -> list[Record]:
    """Return a record for each contender: its time to every target, also as a share of that of the faster peer."""
    records: list[Record] = [
        {"name": name, "best_bleu": max(point.bleu for point in curve)} for name, curve in curves.items()
    ]
    for target in targets:
        times = {name: minutes_to(target, curve) for name, curve in curves.items()}
        fastest = min((time for peer in PEERS if (time := times.get(peer))), default=None)
        for record in records:
            ours = record[f"minutes_to_{target}"] = times[record["name"]]
            record[f"share_of_peers_time_to_{target}"] = ours / fastest if ours and fastest else None
    return [{**record, "curve": [tuple(point) for point in curves[record["name"]]]} for record in records]


def columns(targets: Sequence[int]) -> Columns:
    """Return what a table shows of these records."""
    shown = {"name": ("", 1.0, ""), "best_bleu": ("best BLEU", 1.0, ".2f")}
    for target in targets:
        shown[f"minutes_to_{target}"] = (f"minutes to {target}", 1.0, ".1f")
        shown[f"share_of_peers_time_to_{target}"] = ("share of faster peer's", 1.0, ".0%")
    return shown


def draw(curves: Mapping[str, Sequence[Point]], path: Path) -> None:
    """Draw BLEU against minutes, as the ending of path says. Raises ConfigError if it cannot be written."""
    with style():
        figure = Figure(figsize=(6.5, 3.6), layout="constrained")
        axes = figure.subplots()
        tidy(axes)
        for name, curve in curves.items():
            axes.plot(*zip(*curve, strict=True), marker="o", markersize=3.5, label=name)
        axes.set(xlabel="minutes of training", ylabel="validation BLEU (greedy)")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        save(figure, path)
