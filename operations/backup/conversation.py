"""A program that is asked more while it answers, with neither waiting for the other."""

from __future__ import annotations

import os
import select

_WRITE_BYTES = 64 * 1024


class Conversation:
    """What a program reads and writes through its pipes.

    A plain write could wait for ever: for a program that does not read on before somebody takes
    what it has written.
    """

    def __init__(self, entrance: int, output: int) -> None:
        """By the descriptors of our ends, which whoever made them closes."""
        self._entrance, self._output = entrance, output
        self._unsaid = b""
        os.set_blocking(entrance, False)
        self._poll = select.poll()
        self._poll.register(entrance, select.POLLOUT)
        self._poll.register(output, select.POLLIN)

    def say(self, text: bytes) -> None:
        """Give the program more to read; what its pipe does not take goes with later reads."""
        self._unsaid += text
        self._write()

    def readinto(self, buffer: memoryview, /) -> int:
        """How many bytes the program wrote; 0 at its end, whatever it was still to be told."""
        while self._unsaid:
            ready = {descriptor for descriptor, _ in self._poll.poll()}
            if self._entrance in ready:
                self._write()
            if self._output in ready:
                break
        return os.readv(self._output, [buffer])

    def _write(self) -> None:
        try:
            written = os.write(self._entrance, self._unsaid[:_WRITE_BYTES])
        except BlockingIOError:
            return
        except BrokenPipeError:
            # It has ended: so does its output, and its status says why.
            self._unsaid = b""
            return
        self._unsaid = self._unsaid[written:]
