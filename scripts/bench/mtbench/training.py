"""`scripts/bench/training`: how fast, and in how much memory, mt and its peers train the same work."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mt.nn.cells import CELLS
from mt.nn.decoder import DECODERS
from mtbench.contender import Turn
from mtbench.options import PEERS_FOLDER, JsonFile, PeersFolder, Threads, WithPeers, choose, peers_in
from mtbench.results import PEERS, Record, summarise
from mtbench.rounds import check_start, in_turns, report, workplace
from mtbench.work import Work, prepare

WARM_UP_SECONDS = 10.0

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def training(
    data: Annotated[Path, typer.Option(help="Multi30k: train.en.gz, train.de.gz, val.en.gz, val.de.gz.")],
    decoders: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Only these decoders, with the standard cell.")
    ] = None,
    cells: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Only these cells, with the default decoder.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each contender; figures are medians over them.")] = 3,
    seconds: Annotated[float, typer.Option(min=0, help="Least length of a turn.")] = 25.0,
    vocabulary: Annotated[int, typer.Option(min=5, help="Pieces of the joint BPE model, for everybody.")] = 8000,
    threads: Threads = 2,
    peers: WithPeers = True,
    peers_folder: PeersFolder = PEERS_FOLDER,
    json_file: JsonFile = None,
) -> None:
    """Train work R (mtbench/work.py) with mt-train, JoeyNMT and OpenNMT-py, in turns within one run.

    Every decoder is measured with the standard cell, and every cell with the default decoder; --decoders or --cells
    alone leave out the others. Each configuration is a process of its own; all of them stay in memory, and one trains
    at a time.

    tokens per second: real target tokens, EOS counted, padding not, over whole training steps: loading the batch,
    model, clipping, optimizer, logging. Start-up, validation, checkpoints, a warm-up and the first step of each turn
    are left out. Ratios are taken within a round.

    matmul share: multiply-adds per second of the matrix products on real tokens, forward and backward
    (mtbench/multiply_adds.py), as a share of the rate of large float32 products (mtbench/matmul.py), measured in the
    same process just before and just after each turn.

    peak memory: largest resident set of the process, in MB of 10^6 bytes.
    """
    with workplace() as folder:
        machine = check_start(json_file)
        work = prepare(data=data, vocabulary=vocabulary, folder=folder)
        ours = {f"{decoder}/{cell}": (decoder, cell) for decoder, cell in _configurations(work, decoders, cells)}
        commands = {name: work.mt_train(decoder=decoder, cell=cell) for name, (decoder, cell) in ours.items()}
        rivals = peers_in(peers_folder) if peers else {}
        commands |= {peer: work.peer_train(peer, python) for peer, python in rivals.items()}
        turns: dict[str, list[Turn]] = {}

        def run() -> None:
            warm_up = min(seconds, WARM_UP_SECONDS)
            in_turns(
                commands,
                turns,
                folder=folder,
                rounds=rounds,
                seconds=seconds,
                warm_up_seconds=warm_up,
                threads=threads,
            )

        report(
            run,
            lambda: _records(turns, ours),
            json_file=json_file,
            note=f"medians of {rounds} rounds of {seconds:g} s; OMP_NUM_THREADS={threads}; {machine}",
        )


def _records(turns: Mapping[str, list[Turn]], ours: Mapping[str, tuple[str, str]]) -> list[Record]:
    """Return those of our configurations; the peers' figures are in each under "peers"."""
    rivals = {name: turns[name] for name in PEERS if name in turns}
    shown = ("tokens_per_second", "peak_memory_mb", "parameters", "matmul_rate", "tokens_per_second_by_round", "steps")
    found: dict[str, Any] = {}
    for peer, theirs in rivals.items():
        record = summarise(peer, theirs, rivals)
        found[peer] = {key: record[key] for key in shown}
    return [
        summarise(name, turns[name], rivals, decoder=decoder, cell=cell, peers=found)
        for name, (decoder, cell) in ours.items()
        if name in turns
    ]


def _configurations(work: Work, decoders: str | None, cells: str | None) -> list[tuple[str, str]]:
    """Return pairs of a decoder and a cell, each once."""
    everything = decoders is None and cells is None
    chosen_decoders = choose("decoder", ",".join(DECODERS) if everything else decoders, DECODERS)
    chosen_cells = choose("cell", ",".join(CELLS) if everything else cells, CELLS)
    pairs = [(decoder, work.cell) for decoder in chosen_decoders] + [(work.decoder, cell) for cell in chosen_cells]
    return list(dict.fromkeys(pairs))


if __name__ == "__main__":
    app()
