"""How fast this process multiplies matrices: what the speed of a training is held against."""

import statistics
import time

import torch

SHAPES = ((2048, 512, 1536), (2048, 1280, 256), (256, 256, 8000))
"""Rows, inner size and columns: gates of a decoder, its readout, a piece of the output layer."""

SECONDS = 0.2
"""Spent on each shape."""


def matmul_rate() -> float:
    """Return the multiply-adds per second of large float32 matrix products: the median of the shapes' medians."""
    with torch.no_grad():
        return statistics.median(_rate_of(*shape) for shape in SHAPES)


def _rate_of(rows: int, inner: int, columns: int) -> float:
    a, b, out = torch.ones(rows, inner), torch.ones(inner, columns), torch.empty(rows, columns)
    torch.mm(a, b, out=out)  # wakes the threads and touches the memory
    seconds: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or not seconds:
        began = time.perf_counter()
        torch.mm(a, b, out=out)
        seconds.append(time.perf_counter() - began)
    return rows * inner * columns / statistics.median(seconds)
