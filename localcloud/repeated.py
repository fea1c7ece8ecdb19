"""Work that is done again and again in the background."""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)

_LAST_RUN_SECONDS = 5.0


class Repeated:
    """Calls something every few seconds, in a thread of its own; a failure is logged and no end."""

    def __init__(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._name, self._seconds, self._action = name, seconds, action
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin, with the first call after the first pause."""
        self._thread.start()

    def stop(self) -> None:
        """Call no more; a call that is at work may take a few seconds to its end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_LAST_RUN_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            try:
                self._action()
            except Exception:
                _log.exception(self._name)
