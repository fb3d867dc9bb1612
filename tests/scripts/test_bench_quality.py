"""The benchmark of time to a quality: how it counts, and that it runs. No test judges a time."""

import itertools
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from bench import refusal, run, write_corpus
from mtbench.learning import Point, draw, minutes_to, summarise
from mtbench.stopwatch import SAVED, Stopwatch
from mtbench.work import peer_settings
from omegaconf import OmegaConf

CURVE = [Point(2, 10), Point(4, 30), Point(8, 20), Point(16, 36)]


def test_time_to_a_quality_is_that_of_the_first_crossing():
    assert minutes_to(5, CURVE) == pytest.approx(1)
    assert minutes_to(20, CURVE) == pytest.approx(3)
    assert minutes_to(30, CURVE) == pytest.approx(4)
    assert minutes_to(32, CURVE) == pytest.approx(14)
    assert minutes_to(37, CURVE) is None


def test_shares_are_those_of_the_faster_peer():
    curves = {"mt": [Point(1, 30)], "joeynmt": CURVE, "opennmt": [Point(2, 30), Point(9, 30)]}
    records = summarise(curves, [30, 33])
    assert [record["name"] for record in records] == ["mt", "joeynmt", "opennmt"]
    assert [record["minutes_to_30"] for record in records] == pytest.approx([1, 4, 2])
    assert [record["share_of_peers_time_to_30"] for record in records] == pytest.approx([0.5, 2, 1])
    assert records[0]["minutes_to_33"] is None
    assert records[0]["share_of_peers_time_to_33"] is None
    assert [record["best_bleu"] for record in records] == [30, 36, 30]
    assert summarise({"mt": CURVE}, [30])[0]["share_of_peers_time_to_30"] is None


def test_curves_are_drawn(tmp_path):
    draw({"mt": CURVE, "joeynmt": CURVE[:2]}, tmp_path / "curves.svg")
    assert "<svg" in (tmp_path / "curves.svg").read_text()


def test_a_peer_is_saved_at_its_marks_and_saving_is_not_counted(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mtbench.stopwatch.time.monotonic", lambda: clock.now)
    monkeypatch.setattr("mtbench.stopwatch.os._exit", sys.exit)
    stopwatch = Stopwatch([5, 10, 30, 35])
    steps = []

    def save() -> Path:
        clock.now += 50
        return Path(f"after{len(steps)}")

    def train() -> None:
        for seconds in itertools.chain([2] * 5, [25], itertools.repeat(2)):
            stopwatch.before_step(save)
            steps.append(seconds)
            clock.now += seconds

    with pytest.raises(SystemExit):
        train()
    # the first step after a mark saves; one model stands for both marks that the long step passes
    assert (tmp_path / SAVED).read_text().splitlines() == ["6.0\tafter3", "10.0\tafter5", "35.0\tafter6"]


@pytest.mark.parametrize("peer", ["joeynmt", "opennmt"])
def test_tuned_peers_keep_the_rest_of_their_settings(peer):
    plain, tuned = (OmegaConf.create(peer_settings(peer, tuned=tuned)) for tuned in (False, True))
    assert plain != tuned
    assert OmegaConf.merge(plain, tuned) == tuned
    assert "$root" in peer_settings(peer, tuned=True)


def test_mistakes_are_answered_before_anything_is_trained(tmp_path):
    known = ("--data", str(tmp_path), "--no-peers")
    for wrong, answer in {
        ("--minutes", "4,2"): "minutes: give ascending numbers, not '4,2'",
        ("--minutes", ""): "minutes: give ascending numbers, not ''",
        ("--targets", "many"): "BLEU: give whole numbers",
        ("--picture", "curves.gif"): "curves.gif: .gif is no kind of picture",
        ("--threads", "1"): "train.en.gz does not exist",
    }.items():
        assert answer in refusal("quality", *known, *wrong, home=tmp_path)


@pytest.mark.slow
def test_quality_judges_mt_train_on_its_way(tmp_path):
    write_corpus(tmp_path, train=("train", 300), val=("validation", 10))
    files = ("--json", str(tmp_path / "figures.json"), "--picture", str(tmp_path / "curves.png"))
    where = ("--data", str(tmp_path), "--models", str(tmp_path / "models"), "--vocabulary", "300", "--no-peers")
    small = ("tokenizer.vocab_size=300", "model=small", "trainer.max_steps=6", "trainer.val_check_interval=2")
    done = run("quality", *where, *files, "--threads", "1", *small, home=tmp_path)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads((tmp_path / "figures.json").read_text())
    minutes = [minutes for minutes, _ in record["curve"]]
    assert len(minutes) == 3
    assert minutes == sorted(minutes)
    assert minutes[0] > 0
    assert record["best_bleu"] == max(bleu for _, bleu in record["curve"])
    assert "best BLEU" in done.stdout
    assert (tmp_path / "curves.png").stat().st_size > 1000
