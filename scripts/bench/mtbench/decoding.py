"""`scripts/bench/decoding`: how fast mt and its peers translate."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from mt.errors import ConfigError
from mt.model_folder import load_model
from mtbench.contender import Contender
from mtbench.models import kept_work, made_shortlist, mt_model, peer_model
from mtbench.mt_decode import VARIANTS, mt_decode
from mtbench.multiply_adds import count_decoding
from mtbench.options import PEERS_FOLDER, PROJECT, JsonFile, PeersFolder, Threads, WithPeers, choose, numbers, peers_in
from mtbench.results import PEERS, Record
from mtbench.rounds import check_start, console, report, workplace
from mtbench.task import Setting, Task, test_set
from mtbench.translations import COLUMNS, Turn, length_warnings, summarise

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def decoding(
    data: Annotated[
        Path, typer.Option(help="Multi30k: TEST.en.gz and TEST.de.gz; to train on, train.*.gz and val.*.gz.")
    ],
    model: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="mt's model.", show_default="one is trained and kept")
    ] = None,
    shortlist: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of mt-lexicon.", show_default="made of the training part")
    ] = None,
    test: Annotated[str, typer.Option(help="Name of the sentences to translate.")] = "test_2016_flickr",
    sentences: Annotated[int, typer.Option(min=1, help="Only the first so many.", show_default="all")] = 10**9,
    variants: Annotated[str, typer.Option(metavar="NAME,...", help="Of mt.")] = ",".join(VARIANTS),
    beams: Annotated[str, typer.Option(help="Hypotheses followed at a time; 1 is greedy.")] = "1,5",
    batch_sizes: Annotated[str, typer.Option(help="Sentences translated at once.")] = "1,64",
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each; each takes a share of the sentences.")] = 3,
    seconds: Annotated[
        float, typer.Option(min=0, help="Least length of a turn: a share is translated over and over until then.")
    ] = 2.0,
    threads: Threads = 2,
    peers: WithPeers = True,
    peers_folder: PeersFolder = PEERS_FOLDER,
    peer_models: Annotated[
        Path, typer.Option(show_default=".bench/decoding", help="Where trained models are kept, mt's too.")
    ] = PROJECT / ".bench" / "decoding",
    peer_minutes: Annotated[float, typer.Option(min=0, help="Training of a peer's model that is not there yet.")] = 6.0,
    steps: Annotated[int, typer.Option(min=1, help="Training of mt's model, without --model.")] = 500,
    vocabulary: Annotated[int, typer.Option(min=5, help="Pieces of the joint BPE model that is trained with.")] = 8000,
    json_file: JsonFile = None,
) -> None:
    """Translate with mt, JoeyNMT and OpenNMT-py, in turns within one run.

    Each contender is a process that has loaded its model; all of them stay in memory, and one translates at a time. In
    each round each of them translates the same share of the sentences: every so many-th one, so that all sentences have
    been translated after the last round. A few sentences are translated before each turn without being timed. The
    models are of the same size (work R, mtbench/work.py), but not equally good: those of the peers are trained for some
    minutes, enough to end their sentences. Tokens per sentence show whether they do, and a warning says where not.

    What is timed is the way from raw text to raw text, for everybody: cutting by SentencePiece, making batches, search,
    joining. Loading and start-up are not.

    Batches are of sentences of like length: OpenNMT-py sorts what it is given by itself; mt and JoeyNMT are given the
    share sorted by length in characters, batch by batch. In batches of 1 each sentence is a call of its own, and p50
    and p95 are over the wall times of these calls.

    tokens: pieces of the translation as mt's tokenizer cuts it, and EOS. Ratios are of sentences per second and taken
    within a round. BLEU: sacrebleu's default.

    matmul share: multiply-adds per second of the matrix products of mt's model (mtbench/multiply_adds.py), for the
    source tokens that were read and the hypotheses that were followed, as a share of the rate of large float32 products
    (mtbench/matmul.py), measured in the same process just before and just after each turn.
    """
    with workplace() as folder:
        machine = check_start(json_file)
        settings = [
            Setting(beam=beam, batch=batch)
            for beam, batch in product(numbers("beam", beams, least=1), numbers("batch size", batch_sizes, least=1))
        ]
        ours = choose("variant", variants, VARIANTS)
        sources, references = test_set(data, test, sentences)
        if len(sources) < rounds:
            raise ConfigError(f"{len(sources)} sentences are too few for {rounds} rounds: give --rounds {len(sources)}")
        rivals = peers_in(peers_folder) if peers else {}
        notes = [f"medians of {rounds} rounds of at least {seconds:g} s; OMP_NUM_THREADS={threads}; {machine}"]
        commands: dict[str, list[str]] = {}
        if rivals or model is None:
            work = kept_work(data=data, vocabulary=vocabulary, folder=peer_models)
            for peer, python in rivals.items():
                saved = peer_model(work, peer, python, minutes=peer_minutes, threads=threads)
                notes.append(f"{peer} trained for {saved.seconds / 60:.1f} minutes")
                commands[peer] = [*work.peer_command(peer, python, "decode"), saved.path]
            model = model or mt_model(work, steps=steps, threads=threads)
        loaded = load_model(model)
        task = Task(
            sources=sources,
            references=references,
            tokenizer=loaded.tokenizers.target,
            multiply_adds=count_decoding(loaded.model),
            parameters=sum(weight.numel() for weight in loaded.model.parameters()),
            rounds=rounds,
            seconds=seconds,
        )
        reference_tokens = task.tokens_of(references) / len(references)
        notes.append(f"{reference_tokens:.1f} tokens a sentence in the references")
        if any(VARIANTS[variant].shortlist for variant in ours):
            shortlist = shortlist or made_shortlist(model, data=data, folder=folder, threads=threads)
        commands = {variant: mt_decode(variant, model, shortlist or Path()) for variant in ours} | commands
        turns: dict[tuple[str, Setting], list[Turn]] = {}

        def records() -> list[Record]:
            known = _records(turns, settings, references)
            for warning in length_warnings(known, reference_tokens):
                console.print(f"[bold yellow]warning:[/] {warning}")
            return known

        report(
            lambda: _in_turns(commands, turns, settings=settings, task=task, folder=folder, threads=threads),
            records,
            json_file=json_file,
            note="; ".join(notes),
            columns=COLUMNS,
        )


def _in_turns(
    commands: Mapping[str, Sequence[str]],
    turns: dict[tuple[str, Setting], list[Turn]],
    *,
    settings: Sequence[Setting],
    task: Task,
    folder: Path,
    threads: int,
) -> None:
    """Start all contenders, then let them translate in turns.

    Args:
        commands: by the contenders' names.
        turns: filled while it runs, so that an interruption leaves what was measured.
        settings: each in each round, with all contenders one after the other.
        task: what is translated.
        folder: each contender works in a folder of its own in it.
        threads: of each contender.
    """
    with ExitStack() as stack:
        contenders = []
        for name, command in commands.items():
            contender = Contender(name=name, command=command, folder=folder / name, threads=threads)
            stack.callback(contender.stop)
            contenders.append(contender)
        for contender in contenders:
            console.print(f"waiting for {contender.name} ...")
            contender.ask({"texts": list(task.sources[:1]), **settings[0]._asdict(), "seconds": 0})
        for number in range(task.rounds):
            for setting, contender in product(settings, contenders):
                taken = turns.setdefault((contender.name, setting), [])
                taken.append(task.turn(contender, setting, number))
                speed = f"{taken[-1].sentences_per_second:,.1f} sentences/s"
                console.print(f"{contender.name}/{setting}, turn {len(taken)}: {speed}")


def _records(
    turns: Mapping[tuple[str, Setting], list[Turn]], settings: Sequence[Setting], references: Sequence[str]
) -> list[Record]:
    """Return what is known, setting by setting."""
    records = []
    for setting in settings:
        known = {name: taken for (name, its_setting), taken in turns.items() if its_setting == setting and taken}
        rivals = {peer: known[peer] for peer in PEERS if peer in known}
        for name, taken in known.items():
            more: dict[str, Any] = {"contender": name, **setting._asdict()}
            records.append(summarise(f"{name}/{setting}", taken, rivals, references, **more))
    return records


if __name__ == "__main__":
    app()
