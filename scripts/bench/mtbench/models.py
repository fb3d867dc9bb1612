"""The models that translate: mt's and the peers', each trained once on work R and kept."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mt.data.lines import existing_file
from mtbench.contender import ContenderFailed, contender_environment, last_words
from mtbench.rounds import console
from mtbench.stopwatch import SAVED
from mtbench.work import LANGUAGES, PARTS, Work, peer_settings, prepare

__all__ = ["SavedModel", "fit_peer", "kept_work", "made_shortlist", "mt_model", "peer_model", "run_to_its_end"]


class SavedModel(NamedTuple):
    """A peer's model on its way."""

    seconds: float
    """Of training, without the saving."""
    path: str


def kept_work(*, data: Path, vocabulary: int, folder: Path) -> Work:
    """Prepare work R in a folder of its own within folder: other data or another vocabulary take another one.

    Raises:
        MTError: if the data cannot be used.
    """
    digest = hashlib.sha256(str(vocabulary).encode())
    for part in PARTS:
        for language in LANGUAGES:
            digest.update(existing_file(str(data / f"{part}.{language}.gz"), "--data").read_bytes())
    place = folder.resolve() / digest.hexdigest()[:12]
    place.mkdir(parents=True, exist_ok=True)
    return prepare(data=data, vocabulary=vocabulary, folder=place)


def mt_model(work: Work, *, steps: int, threads: int) -> Path:
    """Return the folder of a model that mt-train has trained for so many steps, now or before.

    Raises:
        ContenderFailed: if the training fails.
    """
    run = work.folder / f"mt-{steps}"
    if not (run / "model" / "model.yaml").is_file():  # written at the end, with the only validation
        console.print(f"training mt for {steps} steps into {run} ...")
        run_to_its_end("mt-train", work.mt_fit(steps=steps, run=run), folder=run, threads=threads)
    return run / "model"


def peer_model(work: Work, peer: str, python: Path, *, minutes: float, threads: int) -> SavedModel:
    """Return a peer's model in work.folder/PEER: trained with the settings of today, now or before.

    Raises:
        ContenderFailed: if the training fails.
    """
    place = work.folder / peer
    stamp = place / "trained.json"
    settings = hashlib.sha256(peer_settings(peer, tuned=work.tuned).encode()).hexdigest()
    if stamp.is_file():
        trained = json.loads(stamp.read_text(encoding="utf-8"))
        if trained["settings"] == settings:
            console.print(f"{peer}: model of {trained['seconds'] / 60:.1f} minutes' training, from {place}")
            return SavedModel(trained["seconds"], trained["path"])
    console.print(f"training {peer} for {minutes:g} minutes into {place} ...")
    (model,) = fit_peer(work, peer, python, seconds=[60 * minutes], threads=threads)
    # written last: an interrupted training leaves no stamp, and is begun again
    stamp.write_text(json.dumps({**model._asdict(), "settings": settings}) + "\n", encoding="utf-8")
    return model


def fit_peer(work: Work, peer: str, python: Path, *, seconds: Sequence[float], threads: int) -> list[SavedModel]:
    """Train a peer in work.folder/PEER, which is emptied before, and return what it saved after so many seconds.

    Raises:
        ContenderFailed: if the training fails.
    """
    place = work.folder / peer
    command = [*work.peer_command(peer, python, "fit"), *map(str, seconds)]
    run_to_its_end(peer, command, folder=place, threads=threads)
    saved = (line.split("\t") for line in (place / SAVED).read_text(encoding="utf-8").splitlines())
    return [SavedModel(float(after), path) for after, path in saved]


def made_shortlist(model: Path, *, data: Path, folder: Path, threads: int) -> Path:
    """Return a shortlist for a model, which mt-lexicon makes of the training corpus.

    Raises:
        ContenderFailed: if it fails.
    """
    console.print("making the shortlist ...")
    place = folder / "lexicon"
    shortlist = place / "shortlist.npz"
    corpus = [str((data / f"train.{language}.gz").resolve()) for language in LANGUAGES]
    options = "--model", str(model.resolve()), "--shortlist", str(shortlist.resolve())
    command = [sys.executable, "-m", "mt.commands.lexicon", *corpus, *options]
    run_to_its_end("mt-lexicon", command, folder=place, threads=threads)
    return shortlist.resolve()


def run_to_its_end(name: str, command: Sequence[str], *, folder: Path, threads: int) -> None:
    """Run a command in an empty folder; what it says goes to a file beside it.

    Raises:
        ContenderFailed: if it fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    log = folder.with_name(f"{folder.name}.log")
    with log.open("w") as output:
        done = subprocess.run(
            command,
            cwd=folder,
            env=contender_environment(threads),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        raise ContenderFailed(f"{name} ended with status {done.returncode}. {last_words(log)}")
