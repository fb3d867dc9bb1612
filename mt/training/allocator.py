"""Memory that is freed and asked for again: PyTorch leaves it to the C library, whose habits cost time."""

import ctypes
import os
import sys

__all__ = ["KEEP_BELOW", "TRIM_ABOVE", "keep_freed_memory"]

KEEP_BELOW = 2**25  # bytes of an allocation, the most that glibc takes
TRIM_ABOVE = 2**31 - 1  # bytes


def keep_freed_memory() -> None:
    """Let glibc keep the buffers of a training step for the next one.

    By itself it returns those of some MiB to the kernel when they are freed. The kernel then hands out their pages one
    by one again, zeroed, at every step. Other C libraries are left as they are, and so is a glibc that was told
    something else by the environment.
    """
    told = "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or any(
        name.startswith("MALLOC_") for name in os.environ
    )
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None and not told:
        M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
        mallopt(M_MMAP_THRESHOLD, KEEP_BELOW)
        mallopt(M_TRIM_THRESHOLD, TRIM_ABOVE)
