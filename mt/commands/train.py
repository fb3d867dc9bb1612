"""`mt-train`: compose a run with Hydra, train with Lightning, leave a model folder."""

import json
import logging
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import hydra
import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import LambdaCallback, RichProgressBar, Timer
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException  # type: ignore[attr-defined]

from mt.averaging import kept_checkpoints
from mt.commands._cli import DISK_FULL, print_error
from mt.commands._instantiate import build, require_values
from mt.commands._logging import set_up_logging
from mt.commands._overrides import check_overrides
from mt.errors import ConfigError, MTError, TrainingError
from mt.evaluation.metrics import VALIDATION_BLEU
from mt.evaluation.sweep import CONFIG, SUMMARY, Run, read_run, settings_fingerprint
from mt.pictures import learning_curves
from mt.training.allocator import keep_freed_memory
from mt.training.callbacks import Interrupted, ModelExport, Throughput, ValidationReport
from mt.training.module import TranslationModule

__all__ = ["main", "train"]

logger = logging.getLogger("mt.commands.train")  # also where __name__ is __main__


def train(config: DictConfig, overrides: Sequence[str] = ()) -> float | None:
    """Run one training as composed.

    1. find the checkpoint to resume from, or make sure that the run folder is free
    2. load the corpora and train the tokenizers
    3. build model, callbacks and trainer, and fit
    4. draw the learning curves and write the summary

    Args:
        config: composed; interpolations may still be open
        overrides: what was typed to compose it, for the summary

    Returns:
        the best validation BLEU, None if nothing was validated.
    """
    require_values(config)
    if type(config.seed) is not int or config.seed < 0:
        raise ConfigError(f"seed must be a whole number of at least 0, not {config.seed!r}")
    origin = {"overrides": list(overrides), "settings_fingerprint": _fingerprint(config)}  # building resolves it
    folder = Path(config.run_dir)
    checkpoint = _find_checkpoint(folder, config.ckpt_path)
    if _is_first_process():
        set_up_logging(folder / "train.log")
    pl.seed_everything(config.seed, verbose=False)
    keep_freed_memory()
    data = build(config.datamodule)
    decoding = build(config.search)
    tokenizers = data.load()
    fingerprint = data.fingerprint
    spec = build(config.model, source_vocabulary=len(tokenizers.source), target_vocabulary=len(tokenizers.target))
    module = TranslationModule(
        spec=spec,
        target_tokenizer=tokenizers.target,
        optimizer=build(config.optimizer),
        scheduler=build(config.scheduler),
        label_smoothing=config.label_smoothing,
        r_drop=config.r_drop,
        minimum_risk=build(config.minimum_risk),
        identity={
            **{f"model.{name}": value for name, value in spec.to_dict().items()},
            **{f"optimizer.{name}": value for name, value in _plain(config.optimizer).items()},
            "seed": config.seed,
            "label_smoothing": config.label_smoothing,
            "r_drop": config.r_drop,
            "data.tokens_per_batch": data.tokens_per_batch,
            "data.bucket_width": data.bucket_width,
            "data.fingerprint": fingerprint,
            "tokenizer.fingerprint": tokenizers.fingerprint,
            "tokenizer.sampling": data.tokenizer.sampling,
            "tokenizer.sample_target": data.tokenizer.sample_target,
        },
        seed=config.seed,
    )
    timer = _timer(config.trainer.max_time)
    export = ModelExport(
        folder=folder / "model",
        tokenizers=tokenizers,
        decoding=decoding,
        data_fingerprint=fingerprint,
        timer=timer,
    )
    # once a checkpoint of other settings would have been refused
    record = LambdaCallback(on_fit_start=lambda trainer, _: _record(config, folder) if trainer.is_global_zero else None)
    callbacks = [
        record,
        timer,
        Throughput(every_steps=config.trainer.log_every_n_steps),
        export,
        ValidationReport(timer=timer),
    ]
    callbacks += build(config.callbacks).values()
    if sys.stdout.isatty():
        callbacks.append(RichProgressBar())
    loggers = list(build(config.logger).values())
    trainer = build(config.trainer, callbacks=callbacks, logger=loggers, enable_progress_bar=sys.stdout.isatty())
    parameters = sum(weight.numel() for weight in module.parameters())
    logger.info("%s parameters, %s", f"{parameters:,}", trainer.strategy.root_device)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        if export.validated_step < trainer.global_step:
            trainer.validate(module, datamodule=data, verbose=False)
        if export.best is None:  # there is no validation, by limit_val_batches=0
            export.export(trainer, module)
    finally:
        for writer in loggers:
            writer.finalize("finished")
        if trainer.is_global_zero:
            _draw(folder)
    _summarise(folder, trainer, timer, export, origin)
    return export.best


def main() -> None:
    """Run the command."""
    failures: list[MTError] = []
    sweeps: dict[str, None] = {}  # folders of those that came to something, each once and in order

    @hydra.main(version_base="1.3", config_path="pkg://mt.conf", config_name="train")
    def compose_and_train(config: DictConfig) -> float | None:
        # an Exception that leaves this function would become a traceback of Hydra's
        try:
            in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
            if in_sweep:
                _require_one_process(config)
                config.run_dir = HydraConfig.get().runtime.output_dir
            finished = _resume_in_sweep(config) if in_sweep else None
            best = finished.bleu if finished else train(config, HydraConfig.get().overrides.task)
            if in_sweep:
                sweeps[HydraConfig.get().sweep.dir] = None
            return best
        except MTError as error:  # the other runs of a sweep go on
            print_error(str(error))
            failures.append(error)
            return None
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            problem = MTError(f"the run cannot be written: {error.strerror}. Its last checkpoint is whole")
            print_error(str(problem))
            failures.append(problem)
            return None
        except Interrupted as interrupted:
            print(f"{interrupted}: everything is saved; the same command with ckpt_path=last goes on from here.")
            sys.exit(128 + interrupted.signal_number)

    try:
        sys.argv[1:] = check_overrides(sys.argv[1:])
        compose_and_train()
        if sweeps and _is_first_process():
            print(f"The table and the picture of this sweep: mt-sweep {shlex.join(sweeps)}")
    except MTError as error:
        print_error(str(error))
        failures.append(error)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    sys.exit(2 if failures else 0)


def _require_one_process(config: DictConfig) -> None:
    """Lightning's launcher would start the whole sweep anew in each of its processes."""
    launched = "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_NTASKS" in os.environ
    if config.trainer.devices not in (1, "1", [1]) and not launched:
        raise ConfigError(
            f"a sweep (-m) runs on one device, but trainer.devices={config.trainer.devices}: set trainer.devices=1, "
            "or start the sweep under torchrun or SLURM"
        )


def _resume_in_sweep(config: DictConfig) -> Run | None:
    """Let ckpt_path=last go on with a whole sweep: what has not begun starts, what has finished is returned and left."""
    if config.ckpt_path != "last":
        return None
    folder = Path(config.run_dir)
    run = read_run(folder)
    if isinstance(run, Run) and (run.seed, run.settings_fingerprint) == (config.seed, _fingerprint(config)):
        print(f"{folder} has finished already.")
        return run
    if not _last_checkpoint(folder).exists():
        config.ckpt_path = None
    return None


def _fingerprint(config: DictConfig) -> str:
    return settings_fingerprint(cast(dict[str, Any], OmegaConf.to_container(config, resolve=False)))


def _last_checkpoint(folder: Path) -> Path:
    return folder / "checkpoints" / "last.ckpt"


def _is_first_process() -> bool:
    """Tell whether this is rank 0, or the process that will start the others."""
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]


def _timer(max_time: str | None) -> Timer:
    """Measure the training, and end it after max_time, "DD:HH:MM:SS"."""
    try:
        return Timer(duration=max_time)
    except MisconfigurationException as error:
        raise ConfigError(f"trainer.max_time cannot be used: {error}") from error


def _plain(node: DictConfig) -> dict[str, Any]:
    """Return a config node as plain values."""
    return cast(dict[str, Any], OmegaConf.to_container(node, resolve=True))


def _find_checkpoint(folder: Path, ckpt_path: str | None) -> Path | None:
    """Return the checkpoint to resume from, None to start.

    Raises:
        TrainingError: if there is none, if it cannot be read, or if starting would overwrite another run.
    """
    last = _last_checkpoint(folder)
    if ckpt_path is not None:
        checkpoint = last if ckpt_path == "last" else Path(ckpt_path)
        _check_checkpoint(checkpoint)
        if checkpoint.resolve().parent == last.parent.resolve():
            return checkpoint
    else:
        checkpoint = None
    if _is_first_process() and (last.parent.exists() or (folder / "model").exists()):
        advice = "continue it with ckpt_path=last" if last.exists() else "remove the folder if it is of no use"
        raise TrainingError(f"{folder} holds a run already: {advice}, or give this run another name with name=...")
    return checkpoint


def _record(config: DictConfig, folder: Path) -> None:
    """Write the config into the run folder, beside those of earlier parts of the run."""
    path, text = folder / CONFIG, OmegaConf.to_yaml(config, resolve=True)
    if path.exists() and path.read_text(encoding="utf-8") != text:
        earlier = len(list(folder.glob("config.*.yaml"))) + 1
        path.rename(folder / f"config.{earlier}.yaml")
    path.write_text(text, encoding="utf-8")


def _check_checkpoint(path: Path) -> None:
    if not path.is_file():
        raise TrainingError(f"{path} does not exist, so there is nothing to continue: leave ckpt_path out to start")
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        others = [other for other in kept_checkpoints(path.parent.parent) if other != path]
        advice = f"try ckpt_path={others[-1]}" if others else "start afresh under another name"
        raise TrainingError(f"{path} is damaged, or no checkpoint at all: {advice}") from error


def _draw(folder: Path) -> None:
    """Draw the learning curves of all parts of the run, before and after each resumption."""
    parts = sorted((folder / "logs" / "csv").glob("version_*/metrics.csv"), key=lambda part: part.stat().st_mtime)
    learning_curves(parts, folder / "learning_curves.png")


def _summarise(folder: Path, trainer: pl.Trainer, timer: Timer, export: ModelExport, origin: dict[str, Any]) -> None:
    train_seconds = timer.time_elapsed("train")
    summary = {
        "steps": trainer.global_step,
        "epochs": trainer.current_epoch,
        "train_seconds": round(train_seconds, 1),
        VALIDATION_BLEU: export.best,
        "signature": export.signature,
        **origin,  # for mt-sweep
    }
    if trainer.is_global_zero:
        (folder / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    minutes, seconds = divmod(int(train_seconds), 60)
    result = "" if export.best is None else f", best validation BLEU {export.best:.2f}"
    logger.info("%s steps in %d:%02d%s", f"{trainer.global_step:,}", minutes, seconds, result)
    logger.info("the model is in %s; try it: mt-translate --model %s", folder / "model", folder / "model")


if __name__ == "__main__":
    main()
