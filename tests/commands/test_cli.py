"""Commands end cleanly, and read and write text without loss."""

import errno
import functools
import gzip
import io
import lzma
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow
import pytest
import typer
from typer.testing import CliRunner

from mt.commands._cli import application, open_output, read_lines, show_progress
from mt.errors import ConfigError, DataError, MTError

TEXT = "Grüße\u2028aus Köln\n\n  Ende\n"
LINES = ["Grüße\u2028aus Köln", "", "  Ende"]
PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": functools.partial(pyarrow.compress, codec="zstd", asbytes=True),
}


def process(program: str, **options: object) -> "subprocess.Popen[bytes]":
    """Start a Python process with the helpers imported and pipes at its three ends."""
    imports = "import sys\nfrom mt.commands._cli import *\n"
    command = [sys.executable, "-c", imports + textwrap.dedent(program)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, **{**pipes, **options})  # type: ignore[call-overload, no-any-return]


# --- application ---


@pytest.mark.parametrize(
    ("raised", "code", "message"),
    [
        (DataError("line 3 of x.txt is [red]."), 2, "error: line 3 of x.txt is [red].\n"),
        (KeyboardInterrupt(), 130, ""),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "error: The output cannot be written: No space left"),
    ],
)
def test_errors_become_messages_and_exit_codes(
    raised: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mt.commands._cli._discard_output", lambda: None)  # the test's own output is still needed

    def command() -> None:
        raise raised

    result = CliRunner().invoke(application(command))
    assert result.exit_code == code
    assert result.stderr.startswith(message)
    assert bool(result.stderr) == bool(message)
    assert result.stdout == ""


def test_a_bug_keeps_its_traceback() -> None:
    def command() -> None:
        raise RuntimeError("a bug")

    result = CliRunner().invoke(application(command))
    assert isinstance(result.exception, RuntimeError)
    assert result.exit_code == 1


def test_wrong_usage_exits_with_2() -> None:
    def command(number: int = typer.Option(1)) -> None:
        print(number)

    result = CliRunner().invoke(application(command), ["--number", "x"])
    assert result.exit_code == 2
    assert "--number" in result.stderr
    assert CliRunner().invoke(application(command), ["--number", "7"]).stdout == "7\n"


def test_a_reader_may_leave_early() -> None:
    program = """
        def command():
            with open_output(None) as stream:
                for number in range(1_000_000):
                    stream.write(f"{number}\\n")
        application(command)()
        """
    with process(program, stdin=None) as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline() == b"0\n"
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is simulated by /dev/full")
def test_full_disk_under_the_standard_output() -> None:
    with (
        open("/dev/full", "wb") as full,
        process("application(lambda: print('x'))()", stdin=None, stdout=full) as child,
    ):
        assert child.stderr
        assert child.stderr.read() == b"error: The output cannot be written: No space left on device.\n"
    assert child.returncode == 2


# --- read_lines ---


@pytest.mark.parametrize("ending", PACK)
def test_read_lines(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"text{ending}"
    path.write_bytes(PACK[ending](TEXT.encode()))
    assert list(read_lines(str(path))) == LINES


def test_line_ends_and_byte_order_mark_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\r\nd")
    assert list(read_lines(str(path))) == ["a", "b\rc", "d"]


def test_standard_input_gives_the_same_lines(tmp_path: Path) -> None:
    program = "print(list(read_lines('-')) == list(read_lines(sys.argv[1])))"
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n\nd")
    with process(program.replace("sys.argv[1]", repr(str(path)))) as child:
        assert child.communicate(path.read_bytes()) == (b"True\n", b"")


def test_standard_input_is_read_as_it_arrives() -> None:
    with process("for line in read_lines('-'): print(line, flush=True)") as child:
        assert child.stdin
        assert child.stdout
        for line in (b"one\n", b"two\n"):
            child.stdin.write(line)
            child.stdin.flush()
            assert child.stdout.readline() == line  # hangs unless the line came through at once
        child.stdin.close()


def test_broken_utf8_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("gut\nschön\n".encode("latin-1"))
    lines = read_lines(str(path))
    assert next(lines) == "gut"
    with pytest.raises(DataError, match=r"latin\.txt, line 2: .*UTF-8"):
        next(lines)


def test_broken_utf8_in_the_standard_input() -> None:
    with process("application(lambda: print(len(list(read_lines('-')))))()") as child:
        output, errors = child.communicate("gut\nschön\n".encode("latin-1"))
    assert child.returncode == 2
    assert output == b""
    assert errors.startswith(b"error: standard input, line 2: not UTF-8")


def test_missing_file_and_folder_are_noticed_before_reading(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\.txt: there is no such file"):
        read_lines(str(tmp_path / "missing.txt"))
    with pytest.raises(DataError, match="is a folder"):
        read_lines(str(tmp_path))


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_truncated_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"text{ending}"
    packed = PACK[ending](os.urandom(5000).hex().encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=f"text{ending}"):
        list(read_lines(str(path)))


# --- open_output ---


@pytest.mark.parametrize("ending", PACK)
def test_open_output_writes_what_read_lines_reads(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"text{ending}"
    with open_output(str(path)) as stream:
        stream.write(TEXT)
        assert not path.exists()
    assert list(read_lines(str(path))) == LINES
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("old", encoding="utf-8")

    def fail_halfway() -> None:
        with open_output(str(path)) as stream:
            stream.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_survives(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with open_output(str(tmp_path / "link")) as stream:
        stream.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == "new"


def test_devices_are_written_to_not_replaced() -> None:
    with open_output(os.devnull) as stream:
        stream.write("nothing")
    assert not Path(os.devnull).is_file()


def test_impossible_outputs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"), open_output(str(tmp_path)):
        pass
    with pytest.raises(ConfigError, match=r"folder .*missing does not exist"), open_output(str(tmp_path / "missing/x")):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is simulated by /dev/full")
def test_full_disk() -> None:
    with pytest.raises(MTError, match="/dev/full cannot be written: No space left"), open_output("/dev/full") as stream:
        stream.write("x")


@pytest.mark.parametrize("path", [None, "-"])
def test_standard_output_is_utf8_and_immediate(path: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    with open_output(path) as stream:
        stream.write("Łódź\n")
        assert written.getvalue() == "Łódź\n".encode()


# --- show_progress ---


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("terminal", [True, False])
def test_progress_hands_everything_on(shown: bool, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    assert list(show_progress(iter("abc"), doing="scored", shown=shown)) == ["a", "b", "c"]
    assert ("scored" in screen.getvalue()) == (shown and terminal)
