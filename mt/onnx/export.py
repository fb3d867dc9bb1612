"""Export of a model to an ONNX model folder; needs torch, onnx, onnxscript and onnxruntime."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.export import Dim

from mt.folder import SHORTLIST_STEP, START, STEP, new_folder, write_plain_parts
from mt.model import Seq2Seq
from mt.model_folder import LoadedModel
from mt.onnx.folder import WEIGHTS, require_packages
from mt.onnx.graphs import StartGraph, StepGraph
from mt.onnx.layers import ByteRows, Rows, exportable
from mt.onnx.model import COVERAGE, MEMORY, OUTPUT_LAYER
from mt.onnx.quantisation import quantised
from mt.onnx.weights import save_graphs
from mt.text.symbols import BOS, EOS

if TYPE_CHECKING:
    import onnx

__all__ = ["export_onnx"]

OPSET = 20  # of ONNX; the one that torch.onnx takes unless told otherwise


def export_onnx(folder: Path, loaded: LoadedModel, *, int8: bool = False) -> None:
    """Write a model as an ONNX model folder; an older one in its place stays whole until the new one is complete.

    Args:
        folder: where to.
        loaded: the model; its record gets an entry `export`.
        int8: see `mt.onnx.quantisation`.

    Raises:
        ConfigError: if a package is not installed.
        OSError: if the folder cannot be written.
    """
    packages = ["onnx", "onnxscript", "onnxruntime"]
    require_packages(*packages)
    with _quietly():
        model = exportable(loaded.model, int8=int8)
        graphs = _graphs(model, output_rows=(ByteRows if int8 else Rows)(model.output.weight.detach()))
        if int8:
            graphs = {name: quantised(graph) for name, graph in graphs.items()}
    export = {"format": "onnx", "int8": int8, "versions": {name: version(name) for name in ("mt", "torch", *packages)}}
    with new_folder(folder) as scratch:
        write_plain_parts(
            scratch,
            settings=loaded.spec.to_dict(),
            tokenizers=loaded.tokenizers,
            training={**loaded.training, "export": export},
        )
        save_graphs(scratch, graphs, weights=WEIGHTS)


def _graphs(model: Seq2Seq, *, output_rows: nn.Module) -> dict[str, "onnx.ModelProto"]:
    """Export what `OnnxModel` runs, with the example of two sentences of three tokens and three hypotheses each."""
    B, S, V = (Dim(name) for name in "BSV")
    N = Dim("N", min=4)  # so that the example's N = 6 may stand for all; the graph takes any
    source = torch.full((2, 3), EOS), torch.tensor([3, 2])
    vocabulary = torch.arange(5)
    with torch.no_grad():
        encoded = model.encoder(*source)
        memory = model.decoder.memory(encoded.values, encoded.mask)
        state = tuple(part.repeat_interleave(3, dim=0) for part in model.decoder.start(memory, encoded.summary))
        output_layer = output_rows(vocabulary).t(), model.output.bias[vocabulary]
    states = [f"state_{number}" for number in range(len(state))]
    state_dims: list[dict[int, Any]] = [{0: N} for _ in state]
    if model.decoder.attending.attention.needs_coverage:
        states[-1], state_dims[-1] = COVERAGE, {0: N, 1: S}
    shortlist_step = _graph(
        StepGraph(model),
        (torch.full((6,), BOS), tuple(memory), state, *output_layer),
        ({0: N}, ({0: B, 1: S},) * len(memory), tuple(state_dims), {1: V}, {0: V}),
        ["prev", *MEMORY, *states, *OUTPUT_LAYER],
        ["log_probs", "attention", *(f"next_{name}" for name in states)],
    )
    start = _graph(
        StartGraph(model, output_rows),
        (*source, vocabulary),
        ({0: B, 1: S}, {0: B}, {0: V}),
        ["src", "lengths", "vocabulary"],
        [*MEMORY, *states, *OUTPUT_LAYER],
    )
    return {
        START: start,
        STEP: _with_output_layer(shortlist_step, model.output),
        SHORTLIST_STEP: shortlist_step,
    }


def _with_output_layer(shortlist_step: "onnx.ModelProto", output: nn.Linear) -> "onnx.ModelProto":
    """Return the step that has the whole output layer in it, which can then be quantised, instead of as an input."""
    from onnx import helper, numpy_helper

    step = copy.deepcopy(shortlist_step)
    graph, (weight, bias) = step.graph, OUTPUT_LAYER
    inputs = [given for given in graph.input if given.name not in OUTPUT_LAYER]
    del graph.input[:]
    graph.input.extend(inputs)
    # as it lies in the model, where it may be the embedding, too: then it is stored once
    rows, numbers = (part.detach().numpy() for part in (output.weight, output.bias))
    graph.initializer.extend([numpy_helper.from_array(rows, "output_rows"), numpy_helper.from_array(numbers, bias)])
    graph.node.insert(0, helper.make_node("Transpose", ["output_rows"], [weight], perm=[1, 0]))
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(numbers)
    return step


def _graph(
    module: nn.Module, example: tuple[Any, ...], dims: tuple[Any, ...], inputs: list[str], outputs: list[str]
) -> "onnx.ModelProto":
    # captured first: torch.onnx.export by itself would fix the sizes of the example rather than fail
    captured = torch.export.export(module, example, dynamic_shapes=dims, strict=False)
    program = torch.onnx.export(
        captured, input_names=inputs, output_names=outputs, opset_version=OPSET, dynamo=True, verbose=False
    )
    assert program is not None
    return program.model_proto


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep from the user what exporters tell about themselves."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
