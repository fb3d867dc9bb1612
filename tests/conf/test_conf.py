"""Every config composes and instantiates; every mistake on the command line is named with its nearest remedy."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from mt.commands._instantiate import build, require_values
from mt.commands._overrides import check_overrides
from mt.errors import ConfigError
from mt.model import build_model
from mt.training.module import TranslationModule

CONF = Path(__file__).parents[2] / "conf"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
CHOICES = sorted(
    f"{path.parent.name}={path.stem}" for path in CONF.glob("*/*.yaml") if path.parent.name != "experiment"
)
MISSING = [f"data.{key}=x" for key in ("root", "source", "target", "name")]


@pytest.fixture
def _hydra():
    with initialize_config_module("mt.conf", version_base="1.3"):
        yield


@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_instantiates(experiment, tmp_path, tokenizers):
    config = compose("train", overrides=[f"experiment={experiment}", f"run_dir={tmp_path}"])
    assert config.name == experiment
    OmegaConf.to_yaml(config, resolve=True)
    data = build(config.datamodule)
    assert callable(data._load_train)
    spec = build(config.model, source_vocabulary=50, target_vocabulary=50)
    module = TranslationModule(
        spec=spec,
        target_tokenizer=tokenizers.target,
        optimizer=build(config.optimizer),
        scheduler=build(config.scheduler),
        identity={},
        label_smoothing=config.label_smoothing,
        seed=config.seed,
    )
    callbacks = list(build(config.callbacks).values())
    loggers = list(build(config.logger).values())
    trainer = build(config.trainer, callbacks=callbacks, logger=loggers, enable_progress_bar=False)
    assert trainer.max_steps == config.trainer.max_steps
    module.trainer = trainer
    (optimizer,), (schedule, *_) = module.configure_optimizers()
    assert schedule["scheduler"].optimizer is optimizer


@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_composes(choice):
    group, name = choice.split("=")
    extra = MISSING if group == "data" and name in ("files", "hub") else []
    if choice in ("data=table", "data=jsonl", "data=parquet"):
        extra = ["data.train.path=a.tsv", "data.validation.path=b.tsv"]
    if group == "minimum_risk":
        extra = ["minimum_risk.from_step=10"]
    if choice == "data=base":
        return  # what the others build on
    extra = [override for override in extra if not (name == "files" and "name" in override)]
    if name == "hub":
        extra = [override for override in extra if "root" not in override]
    config = compose("train", overrides=[choice, *extra])
    OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    if group == "trainer" and name in ("gpu", "ddp"):
        return  # needs a GPU to be built
    if group in ("tokenizer", "search", "callbacks", "logger", "minimum_risk", "trainer"):
        build(config[group])
    if group in ("model", "recipe", "ablation"):
        spec = build(config.model, source_vocabulary=50, target_vocabulary=50)
        with torch.device("meta"):
            build_model(spec)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "ablation=glob(x*)"], "ablation=glob(x*) matches no choice of ablation"),
        (["optimizer=adm"], "there is no optimizer=adm. Did you mean 'adam'? Valid: adam, adamw."),
        (["experiment=quickstar"], "there is no experiment=quickstar. Did you mean 'quickstart'?"),
        (["optimizer.lrr=1"], "there is no setting 'optimizer.lrr'. Did you mean 'optimizer.lr'?"),
        (["optimzer=adam"], "there is no setting 'optimzer'. Did you mean 'optimizer'?"),
        (["modle.dropout=0.1"], "there is no setting 'modle'. Did you mean 'model'?"),
        (["model.dropout.rate=1"], "model.dropout is a value and has no setting 'rate'"),
        (["trainer.max_step=5"], "Did you mean 'trainer.max_steps'?"),
        (["quickstart"], "'quickstart' is no setting; write NAME=VALUE"),
        (["seed=1,2"], "seed=1,2 asks for several runs: add -m"),
        (["-m", "seed=1,2", "optimizer=adam,adamx"], "there is no optimizer=adamx"),
    ],
)
def test_mistakes_are_named_with_the_nearest_remedy(arguments, message):
    with pytest.raises(ConfigError) as caught:
        check_overrides(arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["experiment=quickstart", "trainer.max_steps=5"],
        ["+trainer.fast_dev_run=true", "~logger.tensorboard"],
        ["-m", "seed=1,2,3", "optimizer=adam,adamw", "model.dropout=range(0,3)"],
        ["hydra.job.chdir=false", "--cfg", "job"],
    ],
)
def test_good_command_lines_pass(arguments):
    check_overrides(arguments)


def test_overrides_may_stand_on_both_sides_of_an_option():
    assert check_overrides(["seed=1,2", "-m", "name=a"]) == ["-m", "seed=1,2", "name=a"]


def test_a_folder_of_own_experiments_is_searched(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nname: mine\n")
    check_overrides(["--config-dir", str(tmp_path), "experiment=mine"])
    with pytest.raises(ConfigError, match="no experiment=mine"):
        check_overrides(["experiment=mine"])


@pytest.mark.usefixtures("_hydra")
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.cell=standrd"], "cell 'standrd' is unknown. Did you mean 'standard'?"),
        (["model.dropout=2"], r"dropout must lie in \[0, 1\), not 2"),
        (["+model.layers=2"], "mt.model.ModelSpec cannot be built: .*unexpected keyword argument 'layers'"),
    ],
)
def test_wrong_values_reach_the_user_unwrapped(overrides, message):
    config = compose("train", overrides=overrides)
    with pytest.raises(ConfigError, match=message):
        build(config.model, source_vocabulary=5, target_vocabulary=5)


@pytest.mark.usefixtures("_hydra")
def test_a_missing_value_is_named():
    config = compose("train", overrides=["data=files", "data.source=en", "data.target=de"])
    require_values(compose("train"))
    named = [f"data.{part}.{side}=file" for part in ("train", "validation") for side in ("source", "target")]
    require_values(compose("train", overrides=["data=files", *named]))  # then data.root is of no use
    with pytest.raises(ConfigError, match=r"no value was given for data.root: write data.root=... on the command line"):
        require_values(config)
