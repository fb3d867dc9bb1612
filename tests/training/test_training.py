"""Whole small trainings in this process: resuming is exact, failures are clean, what a run leaves is complete."""

import json
import math
import os
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from conftest import tiny_spec
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from mt.averaging import average_models, kept_checkpoints
from mt.commands import train as command
from mt.errors import ConfigError, TrainingError
from mt.evaluation.metrics import score_corpus
from mt.model_folder import load_model
from mt.scoring import Scorer
from mt.search import DecodingOptions
from mt.training import callbacks
from mt.training.module import TranslationModule
from mt.training.schedules import constant
from mt.translator import Translator

SMALL = [
    "data=grammar",
    "data.train.pairs=60",
    "data.validation.pairs=12",
    "data.tokens_per_batch=150",
    "data.max_length=100",
    "tokenizer=char",
    "tokenizer.vocab_size=80",
    "model=small",
    "model.embedding_size=8",
    "model.encoder_size=8",
    "model.decoder_size=8",
    "model.attention_size=8",
    "trainer=cpu",
    "trainer.max_steps=14",
    "trainer.val_check_interval=5",
    "trainer.log_every_n_steps=2",
    "scheduler.warmup_steps=3",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(tmp_path, cache, monkeypatch):
    """Train in tmp_path/NAME with `SMALL` and further overrides; returns the folder."""
    monkeypatch.setattr(command, "set_up_logging", lambda _: None)

    def train(name: str, *overrides: str) -> Path:
        with initialize_config_module("mt.conf", version_base="1.3"):
            config = compose(
                "train",
                overrides=[*SMALL, f"data.cache={cache}", f"name={name}", f"run_dir={tmp_path}/{name}", *overrides],
            )
        Path(config.run_dir).mkdir(exist_ok=True)
        command.train(config)
        return Path(config.run_dir)

    return train


def final_state(folder: Path) -> dict:
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {
        "weights": checkpoint["state_dict"],  # or the averages, with callbacks=ema
        "averaged": {name: checkpoint.get(name) for name in ("current_model_state", "averaging_state")},
        "average_updated": checkpoint["callbacks"].get("MovingAverage"),
        "optimizer": checkpoint["optimizer_states"],
        "schedule": checkpoint["lr_schedulers"],
        "step": checkpoint["global_step"],
        "position": checkpoint["loops"]["fit_loop"]["state_dict"].get("combined_loader"),
    }


def assert_identical(a, b, where=""):
    """Equal to the last bit, whatever is nested in what."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_identical(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for place, pair in enumerate(zip(a, b, strict=True)):
            assert_identical(*pair, f"{where}[{place}]")
    else:
        assert a == b, where


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.parametrize(
    ("scheduler", "interval", "accumulate", "further"),
    [
        ("cosine", 5, 1, ""),
        ("plateau", 7, 1, ""),
        ("plateau", 5, 2, "tokenizer.model_type=bpe tokenizer.sampling=0.3"),
        ("plateau", 7, 1, "callbacks=ema"),
        ("cosine", 7, 1, "callbacks=ema minimum_risk=bleu minimum_risk.from_step=6 minimum_risk.candidates=3"),
        ("cosine", 5, 2, "callbacks=ema callbacks.ema.update_every_n_steps=2 callbacks.ema.update_starting_at_step=2"),
    ],
)
def test_resuming_from_any_step_is_bit_identical(run, tmp_path, monkeypatch, scheduler, interval, accumulate, further):
    """Every checkpoint on the way, in mid-epoch, at an epoch's end and at a validation, leads to the same end."""
    options = [f"scheduler={scheduler}", f"trainer.val_check_interval={interval}", "optimizer.lr=0.01"]
    options += further.split()
    options += [f"trainer.accumulate_grad_batches={accumulate}", f"trainer.max_steps={14 // accumulate}"]
    kept = tmp_path / "kept"
    kept.mkdir()
    replace = os.replace

    def replace_and_keep(part, path):
        if str(path).endswith("last.ckpt"):
            shutil.copy(part, kept / f"{len(list(kept.iterdir())):02d}.ckpt")
        replace(part, path)

    monkeypatch.setattr(callbacks.os, "replace", replace_and_keep)
    whole = run("whole", "callbacks.resume.every_seconds=0", *options)
    monkeypatch.setattr(callbacks.os, "replace", replace)
    checkpoints = sorted(kept.iterdir())
    steps = {torch.load(path, weights_only=True)["global_step"] for path in checkpoints}
    assert len(steps) >= 14 // accumulate - 1
    end = final_state(whole)["step"]
    for number, checkpoint in enumerate(checkpoints):
        if torch.load(checkpoint, weights_only=True)["global_step"] == end:
            continue
        resumed = run(f"resumed{number}", f"ckpt_path={checkpoint}", *options)
        assert_identical(final_state(resumed), final_state(whole), checkpoint.name)


def test_one_seed_gives_one_run_and_another_another(run):
    first, again, other = run("first"), run("again"), run("other", "seed=2")
    assert_identical(final_state(first), final_state(again))
    weights = final_state(first)["weights"]
    assert any(not torch.equal(weight, final_state(other)["weights"][name]) for name, weight in weights.items())


def test_what_a_run_leaves(run):
    folder = run("complete")
    left = {path.name for path in folder.iterdir()}
    assert {"config.yaml", "checkpoints", "logs", "model", "learning_curves.png", "summary.json"} <= left
    config = OmegaConf.load(folder / "config.yaml")
    assert config.datamodule.train.pairs == 60
    assert not OmegaConf.missing_keys(config)
    record = json.loads((folder / "model" / "training.json").read_text())
    assert record["metric"]["name"] == "validation/bleu"
    assert record["metric"]["signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a")
    assert record["decoding"] == asdict(DecodingOptions())
    assert {"mt", "torch", "pytorch-lightning", "sentencepiece"} == set(record["versions"])
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["steps"] == 14
    assert summary["train_seconds"] > 0
    assert Translator.from_folder(folder / "model").translate(["The dog sleeps."])[0].token_scores


def test_the_best_validation_is_what_is_exported(run, monkeypatch):
    scores = iter([5.0, 9.0, 3.0])
    seen = []

    def fake_score(hypotheses, references, *, metrics):
        from mt.evaluation.metrics import MetricScore

        seen.append(next(scores))
        return [MetricScore("bleu", seen[-1], "signature")]

    monkeypatch.setattr("mt.training.module.score_corpus", fake_score)
    folder = run("best", "trainer.max_steps=15")
    assert seen == [5.0, 9.0, 3.0]
    record = json.loads((folder / "model" / "training.json").read_text())
    assert (record["metric"]["score"], record["step"]) == (9.0, 10)
    (best,) = folder.glob("checkpoints/step*.ckpt")
    assert best.name == "step10-bleu9.00.ckpt"
    weights = torch.load(best, weights_only=True)["state_dict"]
    model = load_model(folder / "model").model
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, weights[f"model.{name}"])


@pytest.mark.parametrize("choice", ["default", "ema"])
def test_the_kept_checkpoints_of_a_run_can_be_averaged(run, choice):
    """Those of the last validations; and of a run with moving averages, the moving averages."""
    options = ["trainer.max_steps=12", "trainer.val_check_interval=3", "optimizer.lr=0.02"]
    folder = run("kept", f"callbacks={choice}", "callbacks.recent.save_top_k=3", *options)
    kept = kept_checkpoints(folder)[-3:]
    assert [path.name for path in kept] == ["step6.ckpt", "step9.ckpt", "step12.ckpt"]
    states = [torch.load(path, weights_only=True)["state_dict"] for path in kept]
    found = average_models(kept)
    for name, average in found.model.state_dict().items():
        expected = np.mean([state[f"model.{name}"].double().numpy() for state in states], axis=0)
        np.testing.assert_array_equal(average.numpy(), expected.astype(np.float32), err_msg=name)
    assert found.spec == load_model(folder / "model").spec
    assert found.training["data_fingerprint"] == load_model(folder / "model").training["data_fingerprint"]


def test_training_lowers_the_loss(run):
    folder = run("learns", "trainer.max_steps=60", "trainer.val_check_interval=20", "optimizer.lr=0.02")
    (table,) = (folder / "logs" / "csv").glob("version_0/metrics.csv")
    header, *rows = (line.split(",") for line in table.read_text().splitlines())
    losses = [float(row[header.index("validation/loss")]) for row in rows if row[header.index("validation/loss")]]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.2


def test_a_finished_run_can_go_on_by_its_risk(run):
    run("risky", "trainer.max_steps=8", "scheduler=cosine")
    risk = ["minimum_risk=bleu", "minimum_risk.from_step=10", "minimum_risk.candidates=3"]
    schedule = ["scheduler=cosine", "scheduler.total_steps=8", "scheduler.final_share=0.1"]
    folder = run("risky", "trainer.max_steps=14", "ckpt_path=last", *risk, *schedule)
    header, *rows = (line.split(",") for line in (folder / "logs/csv/version_1/metrics.csv").read_text().splitlines())
    logged = [dict(zip(header, row, strict=True)) for row in rows]
    risks = {int(row["step"]): row["train/risk"] for row in logged if row["train/loss"]}
    assert risks.keys() == {9, 11, 13}
    assert not risks[9]
    assert 0 < float(risks[11]) <= 1
    assert 0 < float(risks[13]) <= 1


def test_early_stopping_ends_the_run(run):
    folder = run("early", "optimizer.lr=0.0", "callbacks.early_stopping.patience=1", "trainer.val_check_interval=2")
    assert json.loads((folder / "summary.json").read_text())["steps"] == 4


def test_gradient_accumulation_and_epochs(run):
    folder = run("epochs", "trainer.max_steps=-1", "trainer.max_epochs=2", "trainer.accumulate_grad_batches=3",
                 "scheduler=constant")  # fmt: skip
    assert json.loads((folder / "summary.json").read_text())["epochs"] == 2


@pytest.mark.parametrize("scheduler", ["constant", "inverse_sqrt"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_every_optimizer_and_schedule_trains(run, optimizer, scheduler):
    folder = run("any", f"optimizer={optimizer}", f"scheduler={scheduler}", "trainer.max_steps=2")
    assert json.loads((folder / "summary.json").read_text())["steps"] == 2


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_gradients_are_clipped(run, algorithm, precision, monkeypatch):
    found = []

    def look(self, optimizer):
        gradients = [weight.grad for weight in self.parameters() if weight.grad is not None]
        if gradients:  # there are none before the first step
            found.append(torch.nn.utils.get_total_norm(gradients, norm_type=2.0 if algorithm == "norm" else torch.inf))

    monkeypatch.setattr(TranslationModule, "on_before_zero_grad", look)
    settings = ["trainer.gradient_clip_val=0.001", f"+trainer.gradient_clip_algorithm={algorithm}"]
    run("clipped", f"trainer.precision={precision}", *settings, "trainer.max_steps=4")
    torch.testing.assert_close(torch.stack(found), torch.full((3,), 0.001), rtol=1e-3, atol=0)


def test_what_float16_cannot_do_with_a_fused_optimizer_is_said(tokenizers):
    module = TranslationModule(
        spec=tiny_spec(),
        target_tokenizer=tokenizers.target,
        optimizer=partial(torch.optim.Adam, fused=True),
        scheduler=partial(constant, warmup_steps=1),
        identity={},
    )
    module.trainer = SimpleNamespace(precision="16-mixed", gradient_clip_val=1.0)  # no processor trains in float16
    with pytest.raises(ConfigError, match=r"add optimizer\.fused=false, or choose"):
        module.configure_optimizers()


def test_a_run_is_never_overwritten(run):
    folder = run("precious", "trainer.max_steps=2")
    before = (folder / "config.yaml").read_text()
    with pytest.raises(TrainingError, match=r"precious holds a run already: continue it with ckpt_path=last, or give"):
        run("precious", "trainer.max_steps=3")
    assert (folder / "config.yaml").read_text() == before


def test_a_finished_run_can_be_prolonged_and_keeps_its_records(run):
    folder = run("longer", "trainer.max_steps=4", "trainer.val_check_interval=2")
    run("longer", "trainer.max_steps=8", "trainer.val_check_interval=2", "ckpt_path=last")
    assert json.loads((folder / "summary.json").read_text())["steps"] == 8
    assert OmegaConf.load(folder / "config.1.yaml").trainer.max_steps == 4
    assert len(list((folder / "logs" / "csv").iterdir())) == 2


@pytest.fixture
def steps(monkeypatch):
    """Filled by a training: the weights after each optimizer step."""
    weights: dict[int, dict[str, torch.Tensor]] = {}
    end = callbacks.Throughput.on_train_batch_end

    def look(self, trainer, module, *rest):
        weights[trainer.global_step] = {name: weight.clone() for name, weight in module.state_dict().items()}
        end(self, trainer, module, *rest)

    monkeypatch.setattr(callbacks.Throughput, "on_train_batch_end", look)
    return weights


@pytest.mark.parametrize(("decay", "every", "start"), [(0.999, 1, 0), (0.3, 1, 0), (0.999, 3, 4), (0.999, 1, 100)])
def test_the_moving_average_is_that_of_the_weights(run, steps, decay, every, start):
    options = [f"decay={decay}", f"update_every_n_steps={every}", f"update_starting_at_step={start}"]
    folder = run("average", "callbacks=ema", *(f"callbacks.ema.{option}" for option in options), "optimizer.lr=0.02")
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert_identical(dict(checkpoint["current_model_state"]), steps[14])
    for name, average in checkpoint["state_dict"].items():
        history = [steps[step][name].double().numpy() for step in range(1, 15)]
        expected, updates = history[0], 0
        for step, weight in enumerate(history):
            if step < start:
                expected, updates = weight, 1
            elif (step - start) % every == 0:
                d = min(decay, (1 + updates) / (10 + updates)) if updates else 0.0
                expected, updates = d * expected + (1 - d) * weight, updates + 1
        np.testing.assert_allclose(average.numpy(), expected, rtol=1e-5, atol=1e-7, err_msg=name)
    settled = start > 14
    assert settled == all(torch.equal(checkpoint["state_dict"][name], weight) for name, weight in steps[14].items())


def test_what_is_validated_and_exported_and_kept_as_best_is_the_moving_average(run, steps, monkeypatch):
    validated = {}  # the module's state, its scores and its samples at each validation
    end = callbacks.ValidationReport.on_validation_end

    def look(self, trainer, module):
        state = {name: weight.clone() for name, weight in module.state_dict().items()}
        validated[trainer.global_step] = state, float(trainer.callback_metrics["validation/bleu"]), module.samples
        end(self, trainer, module)

    monkeypatch.setattr(callbacks.ValidationReport, "on_validation_end", look)
    options = ["optimizer.lr=0.02", "trainer.max_steps=45", "trainer.val_check_interval=20"]
    folder = run("average", "callbacks=ema", "callbacks.best.save_top_k=-1", *options)
    assert list(validated) == [20, 40, 45]
    record = json.loads((folder / "model" / "training.json").read_text())
    exported = load_model(folder / "model").model.state_dict()
    state, bleu, samples = validated[record["step"]]
    assert record["metric"]["score"] == bleu == max(score for _, score, _ in validated.values())
    for name, weight in exported.items():
        assert torch.equal(weight, state[f"model.{name}"])
    assert any(not torch.equal(weight, steps[record["step"]][f"model.{name}"]) for name, weight in exported.items())

    again = Translator.from_folder(folder / "model").translate([s.source for s in samples], beam_size=1)
    assert [hypothesis.text for hypothesis in again] == [sample.hypothesis for sample in samples]
    (score,) = score_corpus([h.text for h in again], [sample.reference for sample in samples], metrics=["bleu"])
    assert float(torch.tensor(score.score)) == bleu  # Lightning logs float32

    for step in (20, 40):
        (best,) = folder.glob(f"checkpoints/step{step}-*.ckpt")
        checkpoint = torch.load(best, weights_only=True)
        assert_identical(dict(checkpoint["state_dict"]), validated[step][0])
        assert_identical(dict(checkpoint["current_model_state"]), steps[step])


def test_averaging_changes_no_training_step_even_when_a_finished_run_is_prolonged(run):
    for end in (4, 8):
        options = [f"trainer.max_steps={end}", *(["ckpt_path=last"] if end > 4 else [])]
        plain, averaged = final_state(run("plain", *options)), final_state(run("averaged", "callbacks=ema", *options))
        assert_identical(averaged["averaged"]["current_model_state"], plain["weights"])
        assert_identical(averaged["optimizer"], plain["optimizer"])
        assert averaged["averaged"]["averaging_state"]["n_averaged"] == end


def test_without_validation_the_averages_at_the_end_are_exported(run):
    folder = run("unvalidated", "callbacks=ema", "trainer.limit_val_batches=0", "~callbacks.early_stopping")
    averages = final_state(folder)["weights"]
    for name, weight in load_model(folder / "model").model.state_dict().items():
        assert torch.equal(weight, averages[f"model.{name}"])


@pytest.mark.filterwarnings("ignore:Be aware that when using .ckpt_path")
def test_averages_are_not_mistaken_for_weights(run):
    run("averaged", "callbacks=ema", "trainer.max_steps=2")
    with pytest.raises(TrainingError, match="belongs to a training with averaged weights: resume with callbacks=ema"):
        run("averaged", "ckpt_path=last", "trainer.max_steps=4")


def test_averaging_can_begin_when_a_run_is_resumed(run):
    run("late", "trainer.max_steps=4")
    with pytest.warns(UserWarning, match="Both the current and the average model will be initialized"):
        folder = run("late", "ckpt_path=last", "trainer.max_steps=5", "callbacks=ema")
    averaged = final_state(folder)
    assert_identical(averaged["weights"], dict(averaged["averaged"]["current_model_state"]))
    assert averaged["averaged"]["averaging_state"]["n_averaged"] == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("callbacks.ema.decay=1", r"the weights cannot be averaged: decay must lie in \[0, 1\), not 1"),
        ("callbacks.ema.update_every_n_steps=0", "update_every_n_steps must be a whole number of at least 1, not 0"),
        ("callbacks.ema.update_starting_at_step=x", "update_starting_at_step must be a whole .* at least 0, not 'x'"),
        ("+callbacks.best.save_weights_only=true", "would lack the averaged weights: leave save_weights_only out"),
        (
            "trainer.precision=bf16-true",
            "of trainer.precision=bf16-true cannot be averaged: choose 32-true, bf16-mixed",
        ),
    ],
)
def test_averages_that_would_be_wrong_are_refused(run, override, message):
    with pytest.raises(ConfigError, match=message):
        run("wrong", "callbacks=ema", override)


def test_nothing_to_resume(run):
    with pytest.raises(TrainingError, match=r"last.ckpt does not exist, so there is nothing to continue"):
        run("nothing", "ckpt_path=last")


def test_a_damaged_checkpoint_is_reported_with_a_way_out(run):
    folder = run("damaged")
    last = folder / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"last.ckpt is damaged, or no checkpoint at all: try ckpt_path=.*step\d+"):
        run("damaged", "ckpt_path=last")


def test_a_checkpoint_of_another_model_is_refused(run):
    run("other_model", "trainer.max_steps=2")
    with pytest.raises(TrainingError, match=r"belongs to another training \(model.decoder_size was 8 and is 9\)"):
        run("other_model", "ckpt_path=last", "model.decoder_size=9")


def test_settings_that_a_checkpoint_would_silently_override_are_refused(run):
    run("same", "trainer.max_steps=2", "tokenizer.model_type=bpe")
    names = (
        "optimizer.lr was 0.001 and is 0.5, data.tokens_per_batch was 150 and is 160, data.bucket_width was 1 and is 2, "
        "tokenizer.sampling was 0.0 and is 0.1, tokenizer.sample_target was True and is False"
    )
    changed = ["optimizer.lr=0.5", "data.tokens_per_batch=160", "data.bucket_width=2"]
    changed += ["tokenizer.sampling=0.1", "tokenizer.sample_target=false"]
    with pytest.raises(TrainingError, match=rf"\({names}\)"):
        run("same", "ckpt_path=last", "tokenizer.model_type=bpe", *changed)


def test_another_runs_checkpoint_does_not_overwrite_this_run(run):
    first = run("first", "trainer.max_steps=2")
    run("second", "trainer.max_steps=2")
    with pytest.raises(TrainingError, match="second holds a run already"):
        run("second", f"ckpt_path={first}/checkpoints/last.ckpt")


def test_the_end_is_validated_wherever_it_falls(run):
    folder = run("end", "trainer.max_steps=6", "optimizer.lr=0.02")
    (table,) = (folder / "logs" / "csv").glob("version_0/metrics.csv")
    header, *rows = (line.split(",") for line in table.read_text().splitlines())
    assert len([row for row in rows if row[header.index("validation/loss")]]) == 2


def test_without_validation_the_end_is_exported(run):
    folder = run("unvalidated", "trainer.max_steps=3", "trainer.limit_val_batches=0", "~callbacks.early_stopping")
    assert json.loads((folder / "model" / "training.json").read_text())["metric"] is None


def test_a_time_limit_ends_the_run(run):
    folder = run("timed", "trainer.max_steps=100000", "trainer.max_time=00:00:00:02")
    assert json.loads((folder / "summary.json").read_text())["train_seconds"] < 30


def test_gradients_that_are_not_finite_never_reach_the_weights(run, monkeypatch):
    loss = TranslationModule.training_step

    def poisoned(self, batch, batch_idx):
        value = loss(self, batch, batch_idx)
        if self.global_step == 3:
            value.register_hook(lambda gradient: gradient * float("inf"))
        return value

    monkeypatch.setattr(TranslationModule, "training_step", poisoned)
    with pytest.raises(TrainingError, match=r"the gradient of step 4 is not finite.*pairs of lines \d+, \d+"):
        run("poisoned", "callbacks.resume.every_seconds=0")


def test_checkpoints_hold_plain_data_only(run):
    folder = run("plain")
    for path in (folder / "checkpoints").iterdir():
        torch.load(path, weights_only=True)


OVERFLOWING = ["optimizer.lr=1e38", "scheduler=constant", "scheduler.warmup_steps=0"]


def test_a_loss_that_overflows_names_the_lines(run):
    with pytest.raises(TrainingError, match=r"the loss of step 2 is not finite.*pairs of lines \d+, \d+.*optimizer.lr"):
        run("nan", "data.tokens_per_batch=600", "data.bucket_width=100", *OVERFLOWING)


def test_weights_that_overflow_before_a_validation_are_not_kept(run, tmp_path):
    with pytest.raises(
        TrainingError, match=r"not finite any more after step 1, and translate nothing: start.*optimizer.lr"
    ):
        run("inf", "trainer.val_check_interval=1", *OVERFLOWING)
    assert not list((tmp_path / "inf").rglob("*.ckpt"))
    assert not (tmp_path / "inf" / "model").exists()


def test_a_full_disk_ends_with_one_message_and_a_whole_checkpoint(run, tmp_path, monkeypatch, capsys, cache):
    save = pl.Trainer.save_checkpoint

    def full_disk(self, path, *options):
        if self.global_step >= 7:
            Path(path).write_bytes(b"begun")
            raise OSError(28, "No space left on device")
        save(self, path, *options)

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", full_disk)
    overrides = [*SMALL, f"data.cache={cache}", f"run_dir={tmp_path}/full", "callbacks.resume.every_seconds=0"]
    monkeypatch.setattr("sys.argv", ["mt-train", *overrides])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        command.main()
    assert "the run cannot be written: No space left on device" in capsys.readouterr().err.replace("\n", " ")
    assert final_state(tmp_path / "full")["step"] == 6


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("label_smoothing=1.5", r"label_smoothing must lie in \[0, 1\), not 1.5"),
        ("trainer.max_time=soon", r"trainer.max_time cannot be used: .*soon"),
        ("seed=-1", "seed must be a whole number of at least 0, not -1"),
        ("search.beam_size=0", "beam_size must be a whole number of at least 1, not 0"),
        ("tokenizer.sampling=0.1", "sampling: must be 0 for char, got 0.1: there is but one way to cut"),
        ("data.num_workers=-1", "data.num_workers must be a whole number of at least 0, not -1"),
        ("optimizer.lr=-1", "optimizer or scheduler cannot be built: Invalid learning rate"),
        ("+optimizer.momentum=1", "unexpected keyword argument 'momentum'"),
        ("trainer.max_steps=-1", r"total_steps is -1: set trainer.max_steps"),
        ("minimum_risk=bleu minimum_risk.from_step=1.5", "minimum_risk.from_step must be a whole number of at least 0"),
        ("trainer.precision=float99", r"pytorch_lightning.Trainer cannot be built: .*float99"),
        ("trainer.gradient_clip_val=x", r"pytorch_lightning.Trainer cannot be built: .*gradient_clip_val"),
    ],
)
def test_wrong_settings_end_before_training(run, override, message):
    with pytest.raises(ConfigError, match=message):
        run("wrong", "scheduler=cosine", *override.split())


def test_sentences_of_validation_are_kept_in_order(run, monkeypatch):
    seen = []
    end = callbacks.ValidationReport.on_validation_end

    def look(self, trainer: pl.Trainer, module):
        seen.append([sample.line for sample in module.samples])
        end(self, trainer, module)

    monkeypatch.setattr(callbacks.ValidationReport, "on_validation_end", look)
    run("order", "trainer.max_steps=5")
    assert seen == [list(range(1, 13))]


def test_scoring_gives_the_perplexity_of_the_validation(run, monkeypatch):
    validated = {}
    end = callbacks.ValidationReport.on_validation_end

    def look(self, trainer, module):
        validated[trainer.global_step] = float(trainer.callback_metrics["validation/perplexity"]), module.samples
        end(self, trainer, module)

    monkeypatch.setattr(callbacks.ValidationReport, "on_validation_end", look)
    folder = run("scored")
    perplexity, samples = validated[load_model(folder / "model").training["step"]]
    scores = Scorer.from_folder(folder / "model").score([(one.source, one.reference) for one in samples])
    mean = sum(score.total for score in scores) / sum(score.tokens for score in scores)
    assert math.exp(-mean) == pytest.approx(perplexity, rel=1e-6)
