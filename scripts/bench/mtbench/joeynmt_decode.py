"""Translates with JoeyNMT in turns: python -m mtbench.joeynmt_decode CONFIG MODEL.

Through its own Python interface, which takes the sentences of one batch.
"""

import sys
from pathlib import Path

from joeynmt.config import load_config, parse_global_args  # type: ignore[import-not-found]
from joeynmt.hub_interface import TranslatorHubInterface  # type: ignore[import-not-found]
from joeynmt.prediction import prepare  # type: ignore[import-not-found]

from mtbench.translating import by_length, take_turns

config, saved = sys.argv[1:]
settings = load_config(Path(config))
settings["testing"]["load_model"] = saved
arguments = parse_global_args(settings, rank=0, mode="translate")
model, _, _, stream = prepare(arguments, rank=0, mode="translate")
joeynmt = TranslatorHubInterface(model, stream, arguments)


def translate(texts: list[str], beam: int) -> list[str]:
    found: list[str] = joeynmt.translate(texts, beam_size=beam)
    return found


take_turns(by_length(translate), parameters=sum(weight.numel() for weight in model.parameters()))
