"""Every light command explains itself at once: `--help` loads none of the libraries that take their time."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "sacrebleu", "matplotlib", "datasets"}


@pytest.mark.parametrize(
    ("command", "option", "unwanted"),
    [
        ("average", "--output", HEAVY | {"numpy"}),
        ("evaluate", "--hypotheses", HEAVY),
        ("lexicon", "--shortlist", HEAVY | {"numpy"}),
        ("export", "--int8", HEAVY | {"numpy", "onnx", "onnxruntime"}),
        ("sweep", "--output", HEAVY | {"numpy"}),
        ("translate", "--beam-size", HEAVY | {"numpy"}),
        ("score", "--summary", HEAVY | {"numpy"}),
        ("rerank", "--reverse-model", HEAVY | {"numpy"}),
    ],
)
def test_runs_as_a_module_and_shows_help_without_torch(command: str, option: str, unwanted: set[str]) -> None:
    program = f"import sys, runpy; sys.argv = ['mt-{command}', '--help']\n"
    program += f"try: runpy.run_module('mt.commands.{command}', run_name='__main__')\n"
    program += f"finally: print(sorted({unwanted} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert option in result.stdout
    assert result.stdout.endswith("[]\n")
