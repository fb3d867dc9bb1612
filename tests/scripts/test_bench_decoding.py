"""The benchmark of translating: how it counts, and that it runs. No test judges a time."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from bench import refusal, run, spec, write_corpus
from mtbench.contender import Contender
from mtbench.mt_decode import VARIANTS, Counting
from mtbench.multiply_adds import DecodingMultiplyAdds, count_decoding, counted
from mtbench.translating import by_length
from mtbench.translations import Turn, length_warnings, summarise

from mt.evaluation.metrics import score_corpus
from mt.model import build_model
from mt.model_folder import load_model
from mt.nn.cells import CELLS
from mt.nn.decoder import DECODERS
from mt.translator import Translator

KEYS = ["name", "sentences_per_second", "p50_ms", "p95_ms", "ratio_to_joeynmt", "ratio_to_opennmt", "bleu"]
SHOUTS = """
import time
from mtbench.translating import take_turns
calls = []
def shout(texts, *, beam, batch):
    calls.append(len(texts))
    time.sleep(0.01 * len(texts))
    return [text.upper() + "!" * beam for text in texts]
def counts():
    counted = {"texts": sum(calls)}
    calls.clear()
    return counted
take_turns(shout, parameters=7, counts=counts)
"""


def turn(translations: dict[int, str], *, tokens: int, seconds: float, **changes: object) -> Turn:
    values = {"passes": 1, "latencies": [], "multiply_adds": 0.0, "matmul_rate": 1e9, "peak_memory": 10**9}
    sizes = {"parameters": 7, "threads": 2}
    return Turn(translations=translations, tokens=tokens, seconds=seconds, **{**values, **sizes, **changes})


def test_figures_are_medians_and_ratios_are_taken_within_a_round():
    ours = [
        turn({0: "a", 3: "b"}, tokens=10, seconds=1, passes=2, multiply_adds=1e8),  # 4 sentences and 20 tokens a second
        turn({1: "a", 4: "b"}, tokens=6, seconds=1, multiply_adds=3e8),  # 2 and 6
        turn({2: "a"}, tokens=8, seconds=0.1, multiply_adds=5e7),  # 10 and 80
    ]
    theirs = [turn({0: "a", 3: "b"}, tokens=5, seconds=2), turn({1: "a", 4: "b"}, tokens=3, seconds=4)]
    record = summarise("x", ours, {"joeynmt": theirs}, ["a"] * 5, beam=5)
    assert list(record)[:7] == KEYS
    assert record["sentences_per_second"] == pytest.approx(4)
    assert record["tokens_per_second"] == pytest.approx(20)
    assert record["ratio_to_joeynmt"] == pytest.approx(4)  # of 4 / 1 and 2 / 0.5; the third round was broken off
    assert record["token_ratio_to_joeynmt"] == pytest.approx(8)  # of 20 / 2.5 and 6 / 0.75
    assert record["ratio_to_opennmt"] is None
    assert record["mean_tokens"] == pytest.approx(24 / 5)
    assert record["matmul_share"] == pytest.approx(0.3)  # of 0.1, 0.3 and 0.5
    assert record["macs_per_token"] == pytest.approx(4.5e8 / 34)
    assert record["beam"] == 5


def test_ratios_to_others_are_medians_of_rounds_not_ratios_of_medians():
    ours = [turn({place: "a"}, tokens=1, seconds=seconds) for place, seconds in enumerate((1, 2, 8))]
    theirs = [turn({place: "a"}, tokens=1, seconds=seconds) for place, seconds in enumerate((2, 12, 8))]
    assert summarise("x", ours, {"opennmt": theirs}, ["a"] * 3)["ratio_to_opennmt"] == pytest.approx(2)


def test_percentiles_are_over_the_sentences_of_all_rounds():
    latencies = [[0.001 * n for n in range(1, 51)], [0.001 * n for n in range(51, 102)]]
    turns = [turn({n: "a"}, tokens=1, seconds=1, latencies=found) for n, found in enumerate(latencies)]
    record = summarise("x", turns, {}, ["a", "a"])
    assert record["p50_ms"] == pytest.approx(51)
    assert record["p95_ms"] == pytest.approx(96)
    together = summarise("x", [turn({0: "a"}, tokens=1, seconds=1)], {}, ["a"])
    assert together["p50_ms"] is None
    assert together["p95_ms"] is None
    assert together["matmul_share"] is None


def test_bleu_is_that_of_all_that_was_translated_against_its_own_references():
    references = [
        "a cat sits on the mat",
        "a dog runs over the road",
        "two men talk to a woman",
        "never translated yet",
    ]
    translations = {0: "a cat sat on the mat", 1: "a dog runs over a road", 2: "two men talk to a man"}
    shares = [{place: text for place, text in translations.items() if place % 2 == part} for part in (0, 1)]
    record = summarise("x", [turn(share, tokens=9, seconds=1) for share in shares], {}, references)
    (expected,) = score_corpus([translations[n] for n in range(3)], references[:3], metrics=["bleu"])
    assert record["bleu"] == expected.score > 0
    assert record["bleu_signature"] == expected.signature
    assert record["sentences"] == 3


def test_who_does_not_end_its_sentences_is_named():
    records = [{"name": name, "mean_tokens": tokens} for name, tokens in (("a", 12.1), ("b", 14.9), ("c", 15.1))]
    (warning,) = length_warnings(records, 12.0)
    assert warning.startswith("c writes 15.1 tokens a sentence, the references have 12.0")


def test_batches_are_of_like_length_and_give_the_order_back():
    seen = []

    def shout(texts: list[str], beam: int) -> list[str]:
        seen.append([len(text) for text in texts])
        return [f"{text.upper()}{beam}" for text in texts]

    texts = ["aaa", "b", "cccc", "dd", "eeeee"]
    assert by_length(shout)(texts, beam=3, batch=2) == ["AAA3", "B3", "CCCC3", "DD3", "EEEEE3"]
    assert seen == [[5, 4], [3, 2], [1]]


def test_a_contender_translates_when_it_is_told_to(tmp_path):
    contender = Contender(name="a", command=[sys.executable, "-c", SHOUTS], folder=tmp_path / "a", threads=1)
    texts = ["x", "y", "ß"]
    try:
        together = contender.ask({"texts": texts, "beam": 2, "batch": 2, "seconds": 0})
        assert together["translations"] == ["X!!", "Y!!", "SS!!"]
        assert together["passes"] == 1
        assert together["latencies"] == []
        one_by_one = contender.ask({"texts": texts, "beam": 1, "batch": 1, "seconds": 0.05})
        assert one_by_one["translations"] == ["X!", "Y!", "SS!"]
        assert one_by_one["passes"] > 1
        assert len(one_by_one["latencies"]) == 3 * one_by_one["passes"]
        assert all(seconds >= 0.01 for seconds in one_by_one["latencies"])
        assert sum(one_by_one["latencies"]) == pytest.approx(one_by_one["seconds"], rel=0.2)
        for report in (together, one_by_one):  # without what came before the clock was started
            assert report["counts"] == {"texts": 3 * report["passes"]}
            assert report["seconds"] >= 0.03 * report["passes"]
            assert report["matmul_rate"] > 0
            assert (report["parameters"], report["threads"]) == (7, 1)
    finally:
        contender.stop()


def test_multiply_adds_are_those_of_the_equations():
    E, H, C, A, V = 6, 5, 8, 3, 50
    per = count_decoding(build_model(spec(decoder="attentional", cell="standard", attention="additive")))
    encoder, decoder = 2 * 3 * 4 * (E + 4), 3 * H * (E + C + H)
    row = H * A + decoder + (H + C + E) * E
    assert per == pytest.approx((C * H, encoder + C * A, row, A + C, E))
    one_of_each = {"sentences": 1, "source_tokens": 1, "rows": 1, "looks": 1, "logits": V}
    assert per.of(one_of_each) == pytest.approx(sum(per[:4]) + E * V)


@pytest.mark.parametrize("choice", [*({"decoder": name} for name in DECODERS), *({"cell": name} for name in CELLS)])
def test_every_model_can_be_counted(choice):
    assert min(count_decoding(build_model(spec(**choice)))) > 0  # raises if it misses a matrix


@pytest.mark.parametrize("beam", [1, 3])
def test_what_is_counted_is_what_is_computed(model_folder, beam):
    translator = Translator.from_folder(model_folder)
    multiply_adds = count_decoding(load_model(model_folder).model)
    counting = Counting(translator.model)
    texts = ("The old dog sleeps.", "A book.", "Dog")  # one by one: padding is left out of the count
    _, computed = counted(lambda: [translator.translate([text], beam_size=beam) for text in texts])
    assert multiply_adds.of(counting.take()) == pytest.approx(computed)
    assert set(counting.take().values()) == {0}


def test_a_shortlist_is_counted_by_what_it_leaves():
    step = SimpleNamespace(log_probs=np.zeros((6, 20)), attention=np.zeros((6, 9)), state="next")
    model = SimpleNamespace(start=lambda *given: given, step=lambda prev, state: step)
    counting = Counting(model)
    words = np.arange(20)
    assert model.start(np.zeros((2, 9)), np.array([9, 4]), words)[2] is words
    assert model.step(np.zeros(6), "state") is step
    counts = counting.take()
    assert counts == {"sentences": 2, "source_tokens": 13, "rows": 6, "looks": 54, "logits": 120}
    assert DecodingMultiplyAdds(1, 10, 100, 1000, 10_000).of(counts) == 2 + 130 + 600 + 54_000 + 1_200_000


def test_mistakes_are_answered_before_anything_is_measured(tmp_path, model_folder):
    write_corpus(tmp_path, test=("test", 2))
    known = ("--data", str(tmp_path), "--model", str(model_folder), "--no-peers", "--test", "test")
    for wrong, answer in {
        ("--test", "tset"): "tset.en.gz does not exist: did you mean test.en.gz?",
        ("--beams", "0"): "beam: must be at least 1, got 0",
        ("--variants", "float23"): "variant 'float23' is unknown. Did you mean 'float32'?",
        ("--rounds", "3"): "2 sentences are too few for 3 rounds: give --rounds 2",
    }.items():
        assert answer in refusal("decoding", *known, *wrong, home=tmp_path)


@pytest.mark.slow
def test_decoding_measures_every_variant(tmp_path):
    write_corpus(tmp_path, train=("train", 300), val=("validation", 10), test=("test", 8))
    where = ("--data", str(tmp_path), "--peer-models", str(tmp_path / "models"), "--test", "test", "--no-peers")
    small = ("--vocabulary", "300", "--steps", "10", "--rounds", "2", "--sentences", "5", "--seconds", "0")
    settings = ("--beams", "2", "--batch-sizes", "1,4", "--threads", "1")
    done = run("decoding", *where, *small, *settings, "--json", str(tmp_path / "figures.json"), home=tmp_path)
    assert done.returncode == 0, done.stderr
    records = json.loads((tmp_path / "figures.json").read_text())
    names = [f"{name}/beam2/batch{batch}" for batch in (1, 4) for name in VARIANTS]
    assert [record["name"] for record in records] == names
    for record in records:
        assert list(record)[:7] == KEYS
        for key in ("sentences_per_second", "tokens_per_second", "mean_tokens", "matmul_share", "parameters"):
            assert record[key] > 0
        assert record["bleu"] >= 0
        assert record["sentences"] == 5
        assert (record["p50_ms"] is None) == (record["p95_ms"] is None) == (record["batch"] > 1)
        assert record["ratio_to_joeynmt"] is None
        assert record["ratio_to_opennmt"] is None
        assert f"{record['sentences_per_second']:,.1f}" in done.stdout
    alone, together = (record["mean_tokens"] for record in records if record["contender"] == "float32")
    assert alone == together  # what is found does not hang on the batch
    (model,) = (tmp_path / "models").glob("*/mt-10/model")
    assert (model / "joint.spm").is_file()
