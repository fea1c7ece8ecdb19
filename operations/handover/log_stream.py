"""Standard output of a worker, line by line, as a stream of CloudWatch Logs.

Lambda does this for its functions; metrics inside the lines are then read out of them.
"""

from __future__ import annotations

import io
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

_PAUSE_SECONDS = 1.0
# PutLogEvents takes 10,000 events and 1 MiB, each event 256 KiB with 26 bytes on top.
_MOST_EVENTS = 100
_LONGEST_LINE = 8_000
_LAST_LINES_SECONDS = 60.0


class LogStream(io.TextIOBase):
    """Takes the place of standard output; what it was still gets every line."""

    def __init__(self, client: Any, group: str, stream: str, also: TextIO) -> None:
        """Make the stream; `client` is CloudWatch Logs'."""
        with suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        self._client, self._group, self._stream, self._also = client, group, stream, also
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._partial = ""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._send_all, name="log-stream", daemon=True)
        self._thread.start()

    def write(self, text: str, /) -> int:
        """Take text; whole lines are sent within a second."""
        self._also.write(text)
        with self._lock:
            *lines, self._partial = (self._partial + text).split("\n")
        now = int(time.time() * 1000)
        for line in filter(None, lines):
            self._lines.put({"timestamp": now, "message": line[:_LONGEST_LINE]})
        return len(text)

    def flush(self) -> None:
        """Pass on to what standard output was."""
        self._also.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send the last lines."""
        self._lines.put(None)
        self._thread.join(_LAST_LINES_SECONDS)

    def _send_all(self) -> None:
        while (first := self._lines.get()) is not None:
            events = [first]
            time.sleep(_PAUSE_SECONDS)
            last = False
            while not self._lines.empty() and len(events) < _MOST_EVENTS:
                event = self._lines.get()
                if event is None:
                    last = True
                    break
                events.append(event)
            self._send(events)
            if last:
                return

    def _send(self, events: Sequence[dict[str, Any]]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_log_events(
                logGroupName=self._group, logStreamName=self._stream, logEvents=events
            )
        except (BotoCoreError, ClientError) as error:
            # A backup does not end because its log could not be written.
            self._also.write(f"log lines were lost: {error}\n")
