"""Who trains or translates when, and what becomes of it when someone presses Ctrl-C."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import typer
from rich.console import Console

from mt.errors import ConfigError, MTError
from mtbench.contender import Contender, ContenderFailed, Turn, allocator_settings
from mtbench.results import COLUMNS, Columns, Record, print_table, write_json

BUSY = 0.5  # load average of a machine that does something else

console = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def workplace() -> Iterator[Path]:
    """Lend a folder, and turn errors into messages: exit code 2 for what the user can mend, 130 for Ctrl-C."""
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="mtbench-") as folder:
            yield Path(folder)
    except (MTError, ContenderFailed) as error:
        console.print("[bold red]error:[/]", str(error), markup=True, soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
    finally:
        signal.signal(signal.SIGTERM, handler)


def in_turns(
    commands: Mapping[str, Sequence[str]],
    turns: dict[str, list[Turn]],
    *,
    folder: Path,
    rounds: int,
    seconds: float,
    warm_up_seconds: float,
    threads: int,
) -> None:
    """Start all contenders, warm each up, then let them train in turns for some rounds.

    Args:
        commands: by the contenders' names.
        turns: filled while it runs, so that an interruption leaves what was measured.
        folder: each contender works in a folder of its own in it.
        rounds: turns of each.
        seconds: least length of a turn.
        warm_up_seconds: of a turn before the first round, which is not counted.
        threads: of each contender.
    """
    with ExitStack() as stack:
        contenders = []
        for name, command in commands.items():
            console.print(f"starting {name} ...")
            place = folder / name.replace("/", "-")
            contender = Contender(name=name, command=command, folder=place, threads=threads)
            stack.callback(contender.stop)
            contender.turn(warm_up_seconds)
            contenders.append(contender)
        for _ in range(rounds):
            for contender in contenders:
                taken = turns.setdefault(contender.name, [])
                taken.append(contender.turn(seconds))
                console.print(f"{contender.name}, turn {len(taken)}: {taken[-1].tokens_per_second:,.0f} tokens/s")


def report(
    run: Callable[[], None],
    records: Callable[[], list[Record]],
    *,
    json_file: Path | None,
    note: str,
    columns: Columns = COLUMNS,
) -> None:
    """Run, then show what is known, also when it is broken off.

    Args:
        run: measures.
        records: returns what is known so far.
        json_file: written unless None.
        note: about the run, for the caption.
        columns: of the table.
    """
    try:
        run()
    finally:
        known = records()
        if known:
            settings = " ".join(f"{name}={value}" for name, value in allocator_settings(os.environ).items())
            print_table(known, caption=f"{note}; allocator of all: {settings}", columns=columns)
        if json_file is not None:
            write_json(known, json_file)


def check_start(json_file: Path | None) -> str:
    """Find out now what would spoil the run; return a note about the machine."""
    if json_file is not None and not json_file.resolve().parent.is_dir():
        raise ConfigError(f"{json_file} cannot be written: there is no such folder")
    load = os.getloadavg()[0]
    if load > BUSY:
        console.print(f"[bold yellow]warning:[/] the machine is busy (load {load:.1f}): timings will mislead")
    return f"load before the start {load:.1f}"
