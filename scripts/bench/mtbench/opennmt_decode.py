"""Translates with OpenNMT-py in turns: python -m mtbench.opennmt_decode CONFIG MODEL.

With the inference engine behind `onmt_translate`, which sorts all sentences by length and cuts batches from them.
"""

import os
import sys
from pathlib import Path

import yaml
from onmt.bin.translate import _get_parser  # type: ignore[import-not-found]
from onmt.inference_engine import InferenceEnginePY  # type: ignore[import-not-found]
from onmt.inputters import dynamic_iterator  # type: ignore[import-not-found]
from onmt.utils.parse import ArgumentParser  # type: ignore[import-not-found]

from mtbench.translating import take_turns

config, model = sys.argv[1:]
pieces = yaml.safe_load(Path(config).read_text(encoding="utf-8"))["src_subword_model"]
options = _get_parser().parse_args(
    [
        *("-model", model, "-src", os.devnull, "-output", os.devnull, "-gpu", "-1"),
        *("-batch_type", "sents", "-max_length", "100", "-transforms", "sentencepiece"),
        *("-src_subword_model", pieces, "-tgt_subword_model", pieces),
    ]
)
ArgumentParser.validate_translate_opts(options)
ArgumentParser._get_all_transform_translate(options)
ArgumentParser._validate_transforms_opts(options)
ArgumentParser.validate_translate_opts_dynamic(options)
engine = InferenceEnginePY(options)
# by itself it loads the SentencePiece model again at each call, which would count as translating
made = dynamic_iterator.make_transforms(options, engine.transforms_cls, engine.vocabs)
dynamic_iterator.make_transforms = lambda *_: made


def translate(texts: list[str], *, beam: int, batch: int) -> list[str]:
    options.batch_size, engine.translator.beam_size = batch, beam
    _, found = engine.infer_list(texts)
    return [n_best[0] for n_best in found]


take_turns(translate, parameters=sum(weight.numel() for weight in engine.translator.model.parameters()))
