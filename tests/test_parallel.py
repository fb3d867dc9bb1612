"""Translation shared out among processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mt.commands._loading import Loading, devices_of, numbers_of
from mt.errors import ConfigError, ModelFolderError
from mt.parallel import ParallelTranslator
from mt.translator import Translator

TEXTS = ["The old dog sleeps.", "", "A book.", "A young woman reads a book in the garden.", "Dog"] * 3


@pytest.mark.slow
def test_processes_give_what_one_gives_in_order(model_folder: Path):
    options = {"n_best": 2, "window": 4, "sample": True, "seed": 5}
    expected = [*Translator.from_folder(model_folder).translate_n_best(TEXTS, **options)]
    parallel = ParallelTranslator(Loading(models=[str(model_folder)], processes=2), ["cpu", "cpu"])
    found = [*parallel.translate_n_best(TEXTS, **options)]
    assert [[one.ids for one in some] for some in found] == [[one.ids for one in some] for some in expected]


@pytest.mark.slow
def test_what_cannot_be_loaded_is_reported():
    parallel = ParallelTranslator(Loading(models=["nowhere"]), ["cpu", "cpu"])
    with pytest.raises(ModelFolderError, match="nowhere is not a folder"):
        [*parallel.translate_n_best(TEXTS, n_best=1)]


CHILD = """
import sys, time
from mt.commands._loading import Loading
from mt.parallel import ParallelTranslator
if __name__ == "__main__":
    parallel = ParallelTranslator(Loading(models=sys.argv[1:], processes=2), ["cpu", "cpu"])
    found = parallel.translate_n_best((f"Dog {n}." for n in range(10**9)), n_best=1, window=1)
    next(found)
    print(*parallel._pool._processes, flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_processes_do_not_outlive_a_killed_parent(model_folder: Path, tmp_path: Path):
    (tmp_path / "child.py").write_text(CHILD)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "child.py"), str(model_folder)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    workers = [int(number) for number in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not any(map(is_alive, workers)):
            return
        time.sleep(0.1)
    pytest.fail(f"processes {workers} are still there")


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_devices():
    assert devices_of("cpu", 2) == ["cpu", "cpu"]
    assert devices_of("auto", 1) == ["auto"]
    assert devices_of("cuda", 2) == ["cuda:0", "cuda:1"]
    with pytest.raises(ConfigError, match="--devices 2 shares the work among several, but --device cuda:1 is one"):
        devices_of("cuda:1", 2)


def test_numbers():
    assert numbers_of("1,2.5", "--weights") == [1.0, 2.5]
    assert numbers_of(None, "--weights") is None
    with pytest.raises(ConfigError, match="--weights takes numbers separated by commas, not '1;2'"):
        numbers_of("1;2", "--weights")
