"""The end that a run may not pass."""

from __future__ import annotations

import threading
from collections.abc import Callable

from operations.errors import OperationError


class TimeLimit:
    """Stops a run in time to clean up, and says so in place of what the stop broke."""

    def __init__(self, seconds: float | None, stop: Callable[[], None]) -> None:
        self._seconds = seconds
        self._passed = False
        self._stop = stop
        self._timer = threading.Timer(seconds, self._pass) if seconds is not None else None

    def __enter__(self) -> TimeLimit:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def check(self) -> None:
        """Raises `OperationError` once the limit has passed."""
        if self._passed:
            raise OperationError(
                f"stopped after {self._seconds:.0f} s, the limit of this run; no backup was made. "
                "Raise the limit, or run it on a larger worker"
            )

    def _pass(self) -> None:
        self._passed = True
        self._stop()
