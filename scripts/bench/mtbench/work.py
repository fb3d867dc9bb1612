"""Work R, on which trainings and translations are compared: Multi30k English-German, the same model and batches for every contender.

Joint BPE of 8,000 pieces, embeddings 256, one bidirectional GRU layer 2 x 256, GRU decoder 512, dropout 0.3, label
smoothing 0.1, Adam with 0.001, clipping at 5, batches of 4,096 tokens, float32. Nobody validates or saves meanwhile.
"""

import gzip
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from omegaconf import OmegaConf

NEVER = 10**9
PARTS, LANGUAGES = ("train", "val"), ("en", "de")
MODEL = (
    "model=base",
    "model.embedding_size=256",
    "model.encoder_layers=1",
    "model.encoder_size=256",
    "model.decoder_layers=1",
    "model.decoder_size=512",
    "model.attention=additive",
    "model.attention_size=256",
    "model.dropout=0.3",
)
TRAINING = (
    "data=multi30k",
    f"data.source={LANGUAGES[0]}",
    f"data.target={LANGUAGES[1]}",
    "data.tokens_per_batch=4096",
    "tokenizer=bpe",
    "tokenizer.joint=true",
    "optimizer=adam",
    "optimizer.lr=0.001",
    "scheduler=constant",
    "label_smoothing=0.1",
    "trainer=cpu",
    "trainer.gradient_clip_val=5.0",
    f"trainer.max_steps={NEVER}",
    "trainer.limit_val_batches=0",
    f"callbacks.resume.every_seconds={NEVER}",
)


@dataclass(frozen=True, kw_only=True)
class Work:
    """Work R, ready in a folder.

    Args:
        folder: in which everybody works.
        overrides: that compose it for `mt-train`.
        decoder: that `mt-train` takes unless told otherwise.
        cell: likewise.
        tuned: whether the peers train as suits the data best (PEER_tuned.yaml) and not like everybody.
    """

    folder: Path
    overrides: tuple[str, ...]
    decoder: str
    cell: str
    tuned: bool = False

    def mt_train(self, *, decoder: str, cell: str) -> list[str]:
        """Return the command of a training with `mt-train`."""
        return [
            *(sys.executable, "-m", "mt.commands.train", *self.overrides),
            *(f"model.decoder={decoder}", f"model.cell={cell}", f"run_dir='{self.folder}/{decoder}-{cell}/run'"),
            "+callbacks.turns._target_=mtbench.mt_train.TakeTurns",
        ]

    def mt_fit(self, *, steps: int, run: Path) -> list[str]:
        """Return the command that trains a model with `mt-train`, to be found in run/model."""
        until_then = (
            f"trainer.max_steps={steps}",
            f"trainer.val_check_interval={steps}",
            "trainer.limit_val_batches=1.0",
        )
        return [sys.executable, "-m", "mt.commands.train", *self.overrides, *until_then, f"run_dir='{run}'"]

    def peer_train(self, peer: str, python: Path) -> list[str]:
        """Return the command of a training with a peer."""
        return self.peer_command(peer, python, "train")

    def peer_command(self, peer: str, python: Path, what: str) -> list[str]:
        """Return the command that runs mtbench.PEER_WHAT with the peer's settings, written beside the data."""
        config = self.folder / f"{peer}.yaml"
        text = Template(peer_settings(peer, tuned=self.tuned)).substitute(root=self.folder, peer=self.folder / peer)
        config.write_text(text, encoding="utf-8")
        return [str(python), "-W", "ignore", "-m", f"mtbench.{peer}_{what}", str(config)]


def peer_settings(peer: str, *, tuned: bool) -> str:
    """Return a peer's settings as YAML, with $root and $peer in the place of folders; see `Work`."""
    settings = OmegaConf.load(Path(__file__).with_name(f"{peer}.yaml"))
    if tuned:
        settings.merge_with(OmegaConf.load(Path(__file__).with_name(f"{peer}_tuned.yaml")))
    return OmegaConf.to_yaml(settings)


def prepare(*, data: Path, vocabulary: int, folder: Path) -> Work:
    """Write what the contenders read into a folder: text, the SentencePiece model, vocabularies.

    Args:
        data: folder of train.en.gz, train.de.gz, val.en.gz, val.de.gz.
        vocabulary: pieces of the joint BPE model.
        folder: to write into.

    Raises:
        MTError: if the data cannot be used.
    """
    overrides = (
        *MODEL,
        *TRAINING,
        f"data.root='{data.resolve()}'",
        f"tokenizer.vocab_size={vocabulary}",
    )
    with initialize_config_module("mt.conf", version_base="1.3"):
        config = compose("train", overrides=list(overrides))
    # trains the tokenizer and encodes the corpus, so that mt-train finds both in its caches
    tokenizer = instantiate(config.datamodule, _convert_="all").load().target
    tokenizer.save(folder / "joint.spm")
    pieces = tokenizer.pieces(range(len(tokenizer)))
    (folder / "joeynmt.vocabulary").write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")
    # OpenNMT-py calls padding <blank>, and adds it by itself
    counted = [f"{piece}\t1\n" for piece in pieces if piece != "<pad>"]
    (folder / "opennmt.vocabulary").write_text("".join(counted), encoding="utf-8")
    for part in PARTS:
        for language in LANGUAGES:
            with (
                gzip.open(data / f"{part}.{language}.gz") as packed,
                (folder / f"{part}.{language}").open("wb") as text,
            ):
                shutil.copyfileobj(packed, text)
    return Work(folder=folder, overrides=overrides, decoder=config.model.decoder, cell=config.model.cell)
