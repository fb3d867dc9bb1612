"""`scripts/bench/scaling`: how speed and memory change with vocabulary, sentence length and batch size."""

import dataclasses
import json
import sys
from typing import Annotated

import typer
from hydra import compose, initialize_config_module

from mtbench.contender import Turn
from mtbench.options import JsonFile, Threads, numbers
from mtbench.results import Record, summarise
from mtbench.rounds import check_start, in_turns, report, workplace
from mtbench.work import MODEL

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclasses.dataclass(frozen=True)
class Point:
    """What is trained; the defaults are those of work R."""

    vocabulary: int = 8000
    length: int = 25
    """Tokens of each sentence with EOS, on either side."""
    batch_tokens: int = 4096
    """Of either side."""

    def __str__(self) -> str:
        return f"V={self.vocabulary} T={self.length} batch={self.batch_tokens}"


@app.command()
def scaling(
    vocabularies: Annotated[str, typer.Option(help="Pieces.")] = "4000,8000,16000,32000,64000",
    lengths: Annotated[
        str, typer.Option(help="Tokens of each sentence with EOS, on either side.")
    ] = "10,25,50,100,200",
    batch_tokens: Annotated[str, typer.Option(help="Tokens of a batch, of either side.")] = ",".join(
        str(1024 * 2**power) for power in range(6)
    ),
    rounds: Annotated[int, typer.Option(min=1, help="Figures are medians over them.")] = 3,
    seconds: Annotated[float, typer.Option(min=0, help="Least length of a turn.")] = 10.0,
    threads: Threads = 2,
    json_file: JsonFile = None,
) -> None:
    """Train the default decoder of work R on made-up tokens, one of its sizes changed at a time.

    Of model, loss, backward pass, clipping and Adam, without mt-train around them. All sentences of a batch are of the
    same length, so that there is no padding; source and target are equally long. Each point is a process of its own
    in each round. The figures are those of scripts/bench/training, without ratios.
    """
    base = Point()
    axes = {"vocabulary": vocabularies, "length": lengths, "batch_tokens": batch_tokens}
    with workplace() as folder:
        machine = check_start(json_file)
        points = [
            dataclasses.replace(base, **{axis: value})
            for axis, values in axes.items()
            for value in numbers(axis, values, least=5 if axis == "vocabulary" else 1)  # four ids are reserved
        ]
        points = list(dict.fromkeys(points))
        commands = {str(point): _command(point) for point in points}
        turns: dict[str, list[Turn]] = {}

        def run() -> None:
            for _ in range(rounds):
                for name, command in commands.items():
                    in_turns(
                        {name: command},
                        turns,
                        folder=folder,
                        rounds=1,
                        seconds=seconds,
                        warm_up_seconds=min(seconds, 1.0),
                        threads=threads,
                    )

        def records() -> list[Record]:
            return [
                summarise(str(point), turns[str(point)], {}, **dataclasses.asdict(point))
                for point in points
                if str(point) in turns
            ]

        note = f"medians of {rounds} rounds of {seconds:g} s; OMP_NUM_THREADS={threads}; {machine}"
        report(run, records, json_file=json_file, note=note)


def _command(point: Point) -> list[str]:
    with initialize_config_module("mt.conf", version_base="1.3"):
        config = compose("train", overrides=list(MODEL))
    spec = {name: value for name, value in config.model.items() if not str(name).startswith("_")}
    vocabularies = {"source_vocabulary": point.vocabulary, "target_vocabulary": point.vocabulary}
    task = {"spec": {**spec, **vocabularies}, "length": point.length, "batch_tokens": point.batch_tokens}
    return [sys.executable, "-m", "mtbench.synthetic_train", json.dumps(task)]


if __name__ == "__main__":
    app()
