"""What the tests of the benchmarks share."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

from mt.data.grammar.corpus import generate
from mt.model import ModelSpec

BENCH = Path(__file__).parents[2] / "scripts" / "bench"
sys.path.insert(0, str(BENCH))


def spec(**changes: object) -> ModelSpec:
    """Describe a model of which no two sizes are equal."""
    sizes = {"embedding_size": 6, "encoder_size": 4, "decoder_size": 5, "attention_size": 3, "decoder_layers": 1}
    return ModelSpec.from_dict({"source_vocabulary": 40, "target_vocabulary": 50, **sizes, **changes})


def write_corpus(folder: Path, **parts: tuple[str, int]) -> None:
    """Write sentence pairs of the grammar. Args: parts: by the name of the file, the split and how many."""
    for part, (split, pairs) in parts.items():
        rows = list(generate(pairs, seed=1, split=split))
        for language, texts in (("en", [row.source for row in rows]), ("de", [row.target for row in rows])):
            with gzip.open(folder / f"{part}.{language}.gz", "wt", encoding="utf-8") as packed:
                packed.writelines(f"{text}\n" for text in texts)


def run(script: str, *options: str, home: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a script of scripts/bench, with caches of its own if home is given."""
    environment = {**os.environ, **({"HOME": str(home)} if home else {})}
    environment.pop("HF_HOME", None)
    return subprocess.run([str(BENCH / script), *options], env=environment, capture_output=True, text=True, timeout=600)


def refusal(script: str, *options: str, home: Path) -> str:
    """Run a script with a mistake that it must answer with exit code 2; return the answer on one line."""
    done = run(script, *options, home=home)
    assert done.returncode == 2
    return done.stderr.replace("\n", " ")
