"""Weights of one byte: matrix products of integers, by ONNX Runtime's dynamic quantisation."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

__all__ = ["quantised"]


def quantised(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Return a graph with the matrices of its products in int8.

    Each column of a matrix has a scale of its own, and what it is multiplied with is brought to uint8 while the graph
    runs, with one scale for all rows: a translation depends a little on what is translated beside it. The operators GRU
    and Scan, in which encoders loop, keep float32.

    Weights use 7 bits (`reduce_range`): on processors without VNNI instructions, sums of two products of 8 bits
    overflow the 16 bits that they are given.
    """
    import onnx
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as scratch:
        given, prepared, result = (Path(scratch, f"{name}.onnx") for name in ("given", "prepared", "result"))
        onnx.save(model, given)
        # computes in advance what depends on weights alone, which quantisation does not look through
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_dynamic(
            prepared,
            result,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=_with_vectors(onnx.load(prepared)),
        )
        return onnx.load(result)


def _with_vectors(model: "onnx.ModelProto") -> list[str]:
    """Name the products with a vector, which would lose accuracy and gain no time."""
    vectors = {weight.name for weight in model.graph.initializer if 1 in weight.dims}
    return [node.name for node in model.graph.node if node.op_type == "MatMul" and vectors & {*node.input}]
