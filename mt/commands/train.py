"""`mt-train`: compose a run with Hydra, train with Lightning, leave a model folder."""

import json
import logging
import signal
import sys
from pathlib import Path

import hydra
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import RichProgressBar, Timer

from mt.commands._cli import print_error
from mt.commands._instantiate import build
from mt.commands._logging import set_up_logging
from mt.commands._overrides import check_overrides
from mt.errors import MTError, TrainingError
from mt.pictures import learning_curves
from mt.training.callbacks import Interrupted, ModelExport, Throughput, ValidationReport
from mt.training.module import BLEU, TranslationModule

__all__ = ["main", "train"]

logger = logging.getLogger(__name__)


def train(config: DictConfig) -> float | None:
    """Run one training as composed.

    1. claim the run folder, or find the checkpoint to resume from
    2. load the corpora and train the tokenizers
    3. build model, callbacks and trainer, and fit
    4. draw the learning curves and write the summary

    Returns:
        the best validation BLEU, None if nothing was validated.
    """
    folder = Path(config.run_dir)
    checkpoint = _claim(folder, config)
    set_up_logging(folder / "train.log")
    pl.seed_everything(config.seed, verbose=False)
    data = build(config.datamodule)
    tokenizers = data.load()
    spec = build(config.model, source_vocabulary=len(tokenizers.source), target_vocabulary=len(tokenizers.target))
    module = TranslationModule(
        spec=spec,
        target_tokenizer=tokenizers.target,
        optimizer=build(config.optimizer),
        scheduler=build(config.scheduler),
        label_smoothing=config.label_smoothing,
        seed=config.seed,
    )
    timer = Timer()
    export = ModelExport(
        folder=folder / "model",
        tokenizers=tokenizers,
        decoding=build(config.search),
        data_fingerprint=data.fingerprint,
        timer=timer,
    )
    callbacks = [timer, Throughput(every_steps=config.trainer.log_every_n_steps), export, ValidationReport(timer=timer)]
    callbacks += build(config.callbacks).values()
    if sys.stdout.isatty():
        callbacks.append(RichProgressBar())
    loggers = list(build(config.logger).values())
    trainer = build(config.trainer, callbacks=callbacks, logger=loggers, enable_progress_bar=sys.stdout.isatty())
    parameters = sum(weight.numel() for weight in module.parameters())
    logger.info("%s parameters, %s", f"{parameters:,}", trainer.strategy.root_device)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    finally:
        for writer in loggers:
            writer.finalize("finished")
        _draw(folder)
    _summarise(folder, trainer, module, timer, export.best)
    return export.best


def main() -> None:
    """Run the command."""
    try:
        check_overrides(sys.argv[1:])
        _compose_and_train()
    except MTError as error:
        print_error(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


@hydra.main(version_base="1.3", config_path="pkg://mt.conf", config_name="train")
def _compose_and_train(config: DictConfig) -> float | None:
    try:
        return train(config)
    except MTError as error:
        print_error(str(error))
        sys.exit(2)  # an Exception would become a traceback of Hydra's
    except Interrupted as interrupted:
        print(f"{interrupted}: everything is saved; the same command with ckpt_path=last goes on from here.")
        sys.exit(128 + interrupted.signal_number)


def _claim(folder: Path, config: DictConfig) -> Path | None:
    """Write the config into the run folder and return the checkpoint to resume from.

    Raises:
        TrainingError: if the folder holds another run, or the checkpoint cannot be used.
    """
    last, record = folder / "checkpoints" / "last.ckpt", folder / "config.yaml"
    checkpoint = None
    if config.ckpt_path is not None:
        checkpoint = last if config.ckpt_path == "last" else Path(config.ckpt_path)
        _check_checkpoint(checkpoint)
    elif record.exists():
        advice = "continue it with ckpt_path=last" if last.exists() else "remove the folder if it is of no use"
        raise TrainingError(f"{folder} holds a run already: {advice}, or give this run another name with name=...")
    text = OmegaConf.to_yaml(config, resolve=True)
    if record.exists() and record.read_text(encoding="utf-8") != text:
        earlier = len(list(folder.glob("config.*.yaml"))) + 1
        record.rename(folder / f"config.{earlier}.yaml")
    record.write_text(text, encoding="utf-8")
    return checkpoint


def _check_checkpoint(path: Path) -> None:
    if not path.is_file():
        raise TrainingError(f"{path} does not exist, so there is nothing to continue: leave ckpt_path out to start")
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        others = sorted(path.parent.glob("step*.ckpt"))
        advice = f"try ckpt_path={others[-1]}" if others and others[-1] != path else "start afresh under another name"
        reason = str(error).splitlines()[0]
        raise TrainingError(f"{path} is no usable checkpoint ({reason}): {advice}") from error


def _draw(folder: Path) -> None:
    """Draw the learning curves of all parts of the run, before and after each resumption."""
    parts = sorted((folder / "logs" / "csv").glob("version_*/metrics.csv"), key=lambda part: part.stat().st_mtime)
    learning_curves(parts, folder / "learning_curves.png")


def _summarise(folder: Path, trainer: pl.Trainer, module: TranslationModule, timer: Timer, best: float | None) -> None:
    summary = {
        "steps": trainer.global_step,
        "epochs": trainer.current_epoch,
        "train_seconds": round(timer.time_elapsed("train"), 1),
        BLEU: best,
        "signature": module.signature,
        "parameters": sum(weight.numel() for weight in module.parameters()),
    }
    if trainer.is_global_zero:
        (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    result = "" if best is None else f", best validation BLEU {best:.2f}"
    logger.info(
        "%s steps in %s s%s; the model is in %s",
        trainer.global_step,
        summary["train_seconds"],
        result,
        folder / "model",
    )
