"""Output of a child in which marks separate what belongs together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

_READ_BYTES = 1024 * 1024


class EndedError(Exception):
    """The output ended where more of it was to come."""


class MarkedOutput:
    """Cuts a stream at its marks, in blocks, with one block in memory."""

    def __init__(self, output: IO[bytes], mark: bytes) -> None:
        """Read `output`; `mark` is in it once after each section."""
        self._output = output
        self._mark = mark
        self._block = b""
        self._position = 0

    def line(self) -> bytes:
        """The next line, without its end.

        Raises:
            EndedError: there is none.
        """
        while (end := self._block.find(b"\n", self._position)) < 0:
            self._read_on()
        line = self._block[self._position : end]
        self._position = end + 1
        return line

    def until_mark(self) -> Iterator[bytes]:
        """All before the next mark, which is read too.

        Raises:
            EndedError: there is none.
        """
        while (end := self._block.find(self._mark, self._position)) < 0:
            # The mark may have begun at the end of the block.
            end = max(len(self._block) - len(self._mark) + 1, self._position)
            if end > self._position:
                yield self._block[self._position : end]
                self._position = end
            self._read_on()
        if end > self._position:
            yield self._block[self._position : end]
        self._position = end + len(self._mark)

    def _read_on(self) -> None:
        block = self._output.read(_READ_BYTES)
        if not block:
            raise EndedError
        self._block = self._block[self._position :] + block
        self._position = 0
