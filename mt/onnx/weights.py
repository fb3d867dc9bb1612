"""One file for the weights of several graphs, which have most of them in common."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

__all__ = ["save_graphs"]

SMALLEST = 256  # bytes of a matrix that is kept outside its graph
ALIGNMENT = 64  # bytes


def save_graphs(folder: Path, graphs: Mapping[str, "onnx.ModelProto"], *, weights: str) -> None:
    """Write graphs to the files that they go by in a folder, and their matrices to one more, equal ones once.

    A graph refers to its matrices by their place in that file (ONNX calls it external data), where ONNX Runtime finds
    them. The graphs given are changed.
    """
    from onnx import numpy_helper
    from onnx.external_data_helper import set_external_data

    places: dict[bytes, int] = {}
    with open(folder / weights, "wb") as file:
        for graph in graphs.values():
            for tensor in graph.graph.initializer:
                matrix = numpy_helper.to_array(tensor)
                content = matrix.tobytes()
                if len(content) < SMALLEST:
                    continue
                digest = hashlib.sha256(content).digest()
                if digest not in places:
                    places[digest] = file.seek(-(-file.tell() // ALIGNMENT) * ALIGNMENT)
                    file.write(content)
                tensor.CopyFrom(numpy_helper.from_array(matrix, tensor.name))
                set_external_data(tensor, weights, offset=places[digest], length=len(content))
                tensor.ClearField("raw_data")
    for name, graph in graphs.items():
        (folder / name).write_bytes(graph.SerializeToString(deterministic=True))
