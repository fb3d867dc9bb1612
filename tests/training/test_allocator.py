"""Freed buffers stay with the process, as glibc itself counts them."""

import ctypes
import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
import torch
from mt.training.allocator import keep_freed_memory

class Counts(ctypes.Structure):  # mallinfo2, malloc.h
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]

counts = ctypes.CDLL(None).mallinfo2
counts.restype = Counts
if sys.argv[1] == "keep":
    keep_freed_memory()
before = counts().fordblks
buffers = [torch.ones(5_000_000), torch.ones(6_000_000)]
del buffers
print(counts().fordblks - before)
"""


def bytes_kept(choice, **environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, choice],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33")
def test_freed_buffers_are_kept():
    assert bytes_kept("leave") < 1_000_000
    assert bytes_kept("keep") > 43_000_000
    assert bytes_kept("keep", GLIBC_TUNABLES="glibc.malloc.arena_max=1") < 1_000_000  # somebody has decided already
