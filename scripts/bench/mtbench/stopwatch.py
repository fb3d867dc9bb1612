"""How long the peers train before they translate.

Only the standard library is imported, since this runs in the peers' environments.
"""

import time

__all__ = ["Stopwatch"]


class Stopwatch:
    """Starts when it is first looked at.

    Args:
        seconds: after which it is over.
    """

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._began: float | None = None

    def is_over(self) -> bool:
        """Tell whether the seconds have passed since the first call."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        return now - self._began >= self._seconds
