"""What the runs of a sweep came to: the runs that differ in nothing but the seed, with their mean and spread."""

import csv
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import yaml

from mt.errors import DataError
from mt.evaluation.metrics import VALIDATION_BLEU

__all__ = [
    "CONFIG",
    "SUMMARY",
    "LeftOut",
    "Run",
    "Sweep",
    "SweepCell",
    "read_run",
    "read_sweep",
    "settings_fingerprint",
]

CONFIG, SUMMARY = "config.yaml", "summary.json"
OF_ONE_RUN = ("seed", "name", "run_dir", "ckpt_path")  # they tell runs apart, not settings
ADVICE = "mt-train -m ... seed=1,2,3 name=NAME leaves a sweep in runs/NAME"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run, as its folder describes it."""

    folder: Path
    seed: int
    overrides: dict[str, str]
    """What was typed on the command line, by setting or group."""
    settings_fingerprint: str
    """Equal for runs whose composed settings differ in nothing but the seed."""
    config: dict[str, Any]
    bleu: float | None
    """The best of its validations; None if it had none."""
    signature: str
    steps: int
    train_seconds: float
    tokens_per_second: float | None
    """The median of what was logged; None where there is no CSV log."""


@dataclass(frozen=True)
class LeftOut:
    """A run that is not counted, and why not."""

    folder: Path
    reason: str


@dataclass(frozen=True)
class SweepCell:
    """The runs that differ in nothing but the seed."""

    settings: dict[str, str]
    """What tells this cell from the others, as typed on the command line; empty text where it was not given."""
    runs: tuple[Run, ...]

    @property
    def scores(self) -> list[float]:
        """Validation BLEU of each run that was validated."""
        return [run.bleu for run in self.runs if run.bleu is not None]

    @property
    def mean(self) -> float | None:
        """Mean validation BLEU; None without a score."""
        return fmean(self.scores) if self.scores else None

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation of validation BLEU, with n - 1; None for fewer than two scores."""
        return stdev(self.scores) if len(self.scores) > 1 else None

    @property
    def signature(self) -> str:
        """The sacrebleu signature of the scores; empty if there are none."""
        return self.runs[0].signature

    @property
    def steps(self) -> float:
        """Mean optimizer steps."""
        return fmean(run.steps for run in self.runs)

    @property
    def train_seconds(self) -> float:
        """Mean wall time of training."""
        return fmean(run.train_seconds for run in self.runs)

    @property
    def tokens_per_second(self) -> float | None:
        """Mean throughput of training; None if no run logged it."""
        logged = [run.tokens_per_second for run in self.runs if run.tokens_per_second is not None]
        return fmean(logged) if logged else None


@dataclass(frozen=True)
class Sweep:
    """All cells, the best mean first, and the runs that are in none."""

    cells: tuple[SweepCell, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def signatures(self) -> list[str]:
        """The different signatures of the scores; scores under different ones cannot be compared."""
        return sorted({cell.signature for cell in self.cells} - {""})


def settings_fingerprint(settings: dict[str, Any]) -> str:
    """Return what is equal for two runs if their settings differ in nothing but the seed, the name and the folder.

    Args:
        settings: as composed and not yet resolved, so that what follows the seed or the folder still says so
    """
    shared = {key: value for key, value in settings.items() if key not in OF_ONE_RUN}
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:32]


def read_sweep(folders: Sequence[Path]) -> Sweep:
    """Read every run in these folders, each the folder of a sweep or of one run, and put equal settings together.

    1. runs without an end, and runs that repeat a seed of their cell, are left out
    2. runs share a cell if the settings they were composed to are equal but for the seed, and their signatures too
    3. a cell is named by the settings of the command line that differ between cells, and by its signature if that
       differs; where this does not tell all cells apart (somebody edited a YAML file), by its folders too

    Raises:
        DataError: a folder holds no run, or no run has finished.
    """
    found = {path.resolve(): path for folder in folders for path in _run_folders(folder)}
    read = [read_run(path) for path in found.values()]
    left_out = [one for one in read if isinstance(one, LeftOut)]
    groups: dict[tuple[str, str], dict[int, Run]] = {}
    for run in (one for one in read if isinstance(one, Run)):
        same = groups.setdefault((run.settings_fingerprint, run.signature), {})
        first = same.setdefault(run.seed, run)
        if first is not run:
            left_out.append(LeftOut(run.folder, f"repeats {first.folder}: the same settings and seed"))
    if not groups:
        reasons = "; ".join(f"{one.folder} {one.reason}" for one in left_out)
        raise DataError(f"there is nothing to compare yet: {reasons}.")
    cells = _named([tuple(same.values()) for same in groups.values()])
    cells.sort(key=lambda cell: -math.inf if cell.mean is None else cell.mean, reverse=True)
    return Sweep(tuple(cells), tuple(left_out))


def _run_folders(folder: Path) -> list[Path]:
    """Return the folder itself if it is a run, and the numbered ones in it."""
    if not folder.exists():
        raise DataError(f"there is no folder {folder}: {ADVICE}.")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file; give the folder of a sweep or of a run: {ADVICE}.")
    inside = [path for path in folder.iterdir() if path.is_dir()]
    runs = [folder] if _is_run(folder) else []
    runs += sorted((path for path in inside if path.name.isdecimal()), key=lambda path: int(path.name))
    if not runs:
        nearby = sorted(path for path in inside if _is_run(path) or any(_is_run(below) for below in path.iterdir()))
        hint = f"try mt-sweep {nearby[0]}" if nearby else ADVICE
        raise DataError(f"{folder} holds no runs, neither numbered folders nor a {SUMMARY}: {hint}.")
    return runs


def _is_run(folder: Path) -> bool:
    return (folder / CONFIG).is_file() or (folder / SUMMARY).is_file()


def read_run(folder: Path) -> Run | LeftOut:
    """Return what a run came to, or why it counts for nothing."""
    if not (folder / CONFIG).is_file():
        return LeftOut(folder, "did not begin to train")
    if not (folder / SUMMARY).is_file():
        return LeftOut(folder, "has not finished")
    try:
        config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        return Run(
            folder=folder,
            seed=config["seed"],
            overrides=dict(_parsed(text) for text in summary["overrides"]),
            settings_fingerprint=summary["settings_fingerprint"],
            config=config,
            bleu=summary[VALIDATION_BLEU],
            signature=summary["signature"],
            steps=summary["steps"],
            train_seconds=summary["train_seconds"],
            tokens_per_second=_throughput(folder),
        )
    except KeyError as error:
        return LeftOut(folder, f"does not say what is needed: {error} is missing in its {SUMMARY} or {CONFIG}")
    except (ValueError, TypeError, yaml.YAMLError, OSError) as error:
        return LeftOut(folder, f"cannot be read: {' '.join(str(error).split())}")


def _parsed(override: str) -> tuple[str, str]:
    """Split Hydra's `key=value`, `+key=value` or `~key`."""
    key, _, value = override.lstrip("+~").partition("=")
    return key, "removed" if override.startswith("~") else value


def _throughput(folder: Path) -> float | None:
    """Return the median of the logged target tokens per second, over all parts of the run."""
    logged: list[float] = []
    for path in folder.glob("logs/csv/version_*/metrics.csv"):
        with path.open(encoding="utf-8", newline="") as table:
            values = [row.get("train/tokens_per_second") for row in csv.DictReader(table)]
        logged += [float(value) for value in values if value]
    return median(logged) if logged else None


def _named(groups: Sequence[tuple[Run, ...]]) -> list[SweepCell]:
    """Name each group by what differs between the groups."""
    typed = dict.fromkeys(key for runs in groups for run in runs for key in run.overrides if key not in OF_ONE_RUN)
    names: list[dict[str, str]] = [{key: _setting(runs, key) for key in typed} for runs in groups]
    varied = [key for key in typed if len({name[key] for name in names}) > 1]
    names = [{key: name[key] for key in varied} for name in names]
    if len({runs[0].signature for runs in groups} - {""}) > 1:
        for name, runs in zip(names, groups, strict=True):
            name["signature"] = runs[0].signature
    if len({tuple(name.values()) for name in names}) < len(groups):
        for name, runs in zip(names, groups, strict=True):
            name["run"] = ", ".join(str(run.folder) for run in runs)
    return [SweepCell(name, runs) for name, runs in zip(names, groups, strict=True)]


def _setting(runs: Sequence[Run], key: str) -> str:
    """Return the value of a setting, or the choice of a group, which differs within a cell only if it is the seed's."""
    values = dict.fromkeys(value for run in runs for value in _values(run, key))
    return ", ".join(values)


def _values(run: Run, key: str) -> Iterator[str]:
    """Yield the value from the config if there is just one, else what was typed, if anything was."""
    node: Any = run.config
    for part in key.split("."):
        node = node.get(part, {}) if isinstance(node, dict) else {}
    if not isinstance(node, dict):
        yield node if isinstance(node, str) else json.dumps(node, ensure_ascii=False)
    elif key in run.overrides:
        yield run.overrides[key]
