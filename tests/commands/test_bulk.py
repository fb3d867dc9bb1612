"""Outputs that are interrupted and gone on with."""

import json
from pathlib import Path

import pytest

from mt.commands._bulk import resumable_output
from mt.errors import ConfigError

SETTINGS = {"beam_size": 5}


def write(
    path: Path, numbers: range, *, resume: bool = False, keep_at: int = 0, fail: bool = False, **settings: object
) -> int:
    """Answer lines with their numbers; return how many had been answered before."""
    with resumable_output(str(path), settings={**SETTINGS, **settings}, resume=resume) as answers:
        done = answers.done
        for number in numbers:
            answers.write([str(number)])
            if number == keep_at:
                answers.keep()
        if fail:
            raise KeyboardInterrupt
    return done


def interrupted(path: Path, numbers: range, keep_at: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(path, numbers, keep_at=keep_at, fail=True)


def test_a_complete_output_leaves_nothing_else(tmp_path):
    assert write(tmp_path / "out", range(1, 4), keep_at=2) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == "1\n2\n3\n"


def test_going_on_gives_the_whole(tmp_path, capsys):
    interrupted(tmp_path / "out", range(1, 6), keep_at=3)
    assert "3 lines are kept in" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert write(tmp_path / "out", range(4, 7), resume=True) == 3
    assert (tmp_path / "out").read_text() == "1\n2\n3\n4\n5\n6\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_came_after_the_record_is_cut_even_in_mid_line(tmp_path):
    """As after SIGKILL, when nobody could tidy up."""
    interrupted(tmp_path / "out", range(1, 4), keep_at=3)
    with (tmp_path / "out.part").open("a") as part:
        part.write("4\n5")
    assert write(tmp_path / "out", range(4, 6), resume=True) == 3
    assert (tmp_path / "out").read_text() == "1\n2\n3\n4\n5\n"


def test_nothing_kept_leaves_nothing(tmp_path):
    interrupted(tmp_path / "out", range(1, 4), keep_at=0)
    assert not [*tmp_path.iterdir()]
    assert write(tmp_path / "out", range(1, 2), resume=True) == 0


def test_an_interrupted_output_is_not_overwritten(tmp_path):
    interrupted(tmp_path / "out", range(1, 4), keep_at=3)
    with pytest.raises(ConfigError, match="go on with --resume, or remove it"):
        write(tmp_path / "out", range(1, 4))
    assert (tmp_path / "out.part").read_text() == "1\n2\n3\n"


def test_other_settings_are_refused(tmp_path):
    interrupted(tmp_path / "out", range(1, 4), keep_at=3)
    with pytest.raises(ConfigError, match=r"other settings \(beam_size was 5 and is 1\)"):
        write(tmp_path / "out", range(4, 5), resume=True, beam_size=1)


@pytest.mark.parametrize("damage", ["[", "{}", '{"lines": "x", "bytes": 1, "settings": {}}'])
def test_a_damaged_record_is_reported(tmp_path, damage):
    interrupted(tmp_path / "out", range(1, 4), keep_at=3)
    (tmp_path / "out.part.json").write_text(damage)
    with pytest.raises(ConfigError, match=r"out.part.json is damaged: remove it"):
        write(tmp_path / "out", range(4, 5), resume=True)


def test_a_shortened_part_is_reported(tmp_path):
    interrupted(tmp_path / "out", range(1, 4), keep_at=3)
    (tmp_path / "out.part").write_text("1\n")
    with pytest.raises(ConfigError, match="is missing or shorter than"):
        write(tmp_path / "out", range(4, 5), resume=True)


@pytest.mark.parametrize("name", [None, "-", "out.gz"])
def test_what_cannot_be_resumed_says_so(tmp_path, name):
    path = name if name in (None, "-") else str(tmp_path / name)
    with (
        pytest.raises(ConfigError, match="--resume goes on with a plain file"),
        resumable_output(path, settings={}, resume=True),
    ):
        pass


def test_the_record_is_plain_data(tmp_path):
    interrupted(tmp_path / "out", range(1, 4), keep_at=2)
    record = json.loads((tmp_path / "out.part.json").read_text())
    assert record == {"lines": 2, "bytes": 4, "settings": SETTINGS}
