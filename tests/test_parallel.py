"""Translation shared out among processes."""

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
