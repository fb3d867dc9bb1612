"""`scripts/bench/quality`: how long mt and its peers train until they translate well."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mt.errors import ConfigError
from mt.evaluation.metrics import score_corpus
from mt.pictures import CURVE_KINDS, check_picture_path
from mtbench.contender import Contender
from mtbench.learning import Point, columns, draw, summarise
from mtbench.models import fit_peer, kept_work, run_to_its_end
from mtbench.mt_curve import CURVE
from mtbench.options import PEERS_FOLDER, PROJECT, JsonFile, PeersFolder, Threads, WithPeers, numbers, peers_in
from mtbench.results import Record
from mtbench.rounds import check_start, console, report, workplace
from mtbench.task import test_set
from mtbench.work import Work

BATCH = 64  # sentences the peers translate at once

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def quality(
    data: Annotated[Path, typer.Option(help="Multi30k: train.en.gz, train.de.gz, val.en.gz, val.de.gz.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Settings of mt-train beside recipe=tiny data=multi30k.")
    ] = None,
    minutes: Annotated[
        str, typer.Option(help="Of training, after which the peers are judged; the last ends it.")
    ] = "2,4,8,12,16,20,30,40",
    targets: Annotated[str, typer.Option(help="BLEU whose times are compared.")] = "30,35",
    vocabulary: Annotated[int, typer.Option(min=5, help="Pieces of the peers' joint BPE model.")] = 10000,
    threads: Threads = 2,
    peers: WithPeers = True,
    peers_folder: PeersFolder = PEERS_FOLDER,
    models: Annotated[
        Path, typer.Option(show_default=".bench/quality", help="Where trained models are left; older ones go.")
    ] = PROJECT / ".bench" / "quality",
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw the curves: .png or .svg.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Train mt, JoeyNMT and OpenNMT-py, one after the other, and judge them on the way.

    BLEU: sacrebleu's default, on the validation part, greedy search, for everybody. mt is judged whenever mt-train
    validates (recipe=tiny data=multi30k, and what OVERRIDES change), the peers after the given minutes, with the
    settings of mtbench/PEER.yaml and, for this data, PEER_tuned.yaml.

    minutes: from the first training step on; neither validating nor saving is counted, for anybody. The time to a BLEU
    is read from straight lines between the points of a curve.
    """
    with workplace() as folder:
        machine = check_start(json_file)
        if picture is not None:
            check_picture_path(picture, CURVE_KINDS)
        marks = numbers("minutes", minutes, least=1)
        if not marks or marks != sorted(set(marks)):
            raise ConfigError(f"minutes: give ascending numbers, not {minutes!r}")
        wanted = numbers("BLEU", targets, least=1)
        rivals = peers_in(peers_folder) if peers else {}
        work = replace(kept_work(data=data, vocabulary=vocabulary, folder=models), tuned=True)
        sources, references = test_set(data, "val", 10**9)
        curves: dict[str, list[Point]] = {}

        def run() -> None:
            curves["mt"] = _mt_curve(work, data, overrides or [], threads)
            for peer, python in rivals.items():
                console.print(f"training {peer} for {marks[-1]} minutes into {work.folder / peer} ...")
                points = curves[peer] = []
                for saved in fit_peer(work, peer, python, seconds=[60 * mark for mark in marks], threads=threads):
                    command = [*work.peer_command(peer, python, "decode"), saved.path]
                    found = _translate(peer, command, sources, folder=folder / peer, threads=threads)
                    (bleu,) = score_corpus(found, references, metrics=["bleu"])
                    points.append(Point(saved.seconds / 60, bleu.score))
                    console.print(f"{peer} after {saved.seconds / 60:.1f} minutes: {bleu.score:.2f}")

        def records() -> list[Record]:
            known = {name: curve for name, curve in curves.items() if curve}
            if picture is not None and known:
                draw(known, picture)
            return summarise(known, wanted)

        report(
            run,
            records,
            json_file=json_file,
            note=f"OMP_NUM_THREADS={threads}; {machine}",
            columns=columns(wanted),
        )


def _mt_curve(work: Work, data: Path, overrides: list[str], threads: int) -> list[Point]:
    place = work.folder / "mt"
    console.print(f"training mt into {place} ...")
    command = [
        *(sys.executable, "-m", "mt.commands.train", "recipe=tiny", "data=multi30k", f"data.root='{data.resolve()}'"),
        *("trainer=cpu", "run_dir=run", "+callbacks.curve._target_=mtbench.mt_curve.NoteCurve", *overrides),
    ]
    run_to_its_end("mt-train", command, folder=place, threads=threads)
    lines = (place / CURVE).read_text(encoding="utf-8").splitlines()
    points = [tuple(map(float, line.split("\t"))) for line in lines]
    return [Point(seconds / 60, bleu) for seconds, bleu in points]


def _translate(name: str, command: list[str], sources: list[str], *, folder: Path, threads: int) -> list[str]:
    contender = Contender(name=name, command=command, folder=folder, threads=threads)
    try:
        found: list[str] = contender.ask({"texts": sources, "beam": 1, "batch": BATCH, "seconds": 0})["translations"]
    finally:
        contender.stop()
    return found


if __name__ == "__main__":
    app()
