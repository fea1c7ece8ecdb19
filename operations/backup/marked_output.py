"""Output of a child in which marks separate what belongs together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

# It stays in the processor's cache while it is searched, counted and compressed.
_READ_BYTES = 256 * 1024


class Output(Protocol):
    """A file without a buffer of its own."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """How many bytes came; 0 at the end."""
        ...


class EndedError(Exception):
    """The output ended where more of it was to come."""


class MarkedOutput:
    """Cuts a stream at its marks, in blocks of one buffer that is used again and again."""

    def __init__(self, output: Output, mark: bytes) -> None:
        """Read `output`; `mark`, whose first byte is rare, is in it once after each section."""
        self._output = output
        self._mark = mark
        self._first = mark[:1]
        self._buffer = bytearray(_READ_BYTES + len(mark))
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        #: Line feeds in the blocks that were given.
        self.lines = 0

    def line(self) -> bytes:
        """The next line, without its end.

        Raises:
            EndedError: there is none.
        """
        while (end := self._buffer.find(b"\n", self._start, self._end)) < 0:
            self._read_on()
        line = bytes(self._view[self._start : end])
        self._start = end + 1
        return line

    def section(self) -> memoryview | None:
        """All before the next mark, if it is there already; else `until_mark` gives it."""
        end = self._find()
        return None if end < 0 else self._take(end, len(self._mark))

    def until_mark(self) -> Iterator[memoryview]:
        """All before the next mark, which is read too; a block is valid until the next one.

        Only the last block may be small, however little comes at once.

        Raises:
            EndedError: there is none.
        """
        while (block := self.section()) is None:
            if self._end - self._start == len(self._buffer):
                # The mark may have begun at the end of what there is.
                yield self._take(self._end - len(self._mark) + 1)
            self._read_on()
        if block:
            yield block

    def _find(self) -> int:
        """Where the next mark is, or -1.

        One byte is found four times as fast as a longer word, and this one is in marks alone.
        """
        found = self._buffer.find(self._first, self._start, self._end)
        while found >= 0 and not self._buffer.startswith(self._mark, found, self._end):
            found = self._buffer.find(self._first, found + 1, self._end)
        return found

    def _take(self, end: int, behind: int = 0) -> memoryview:
        """What is before `end`; as many bytes as `behind` says are passed over."""
        # COPY writes a line feed inside a value as \n, so line feeds end rows and nothing else.
        self.lines += self._buffer.count(b"\n", self._start, end)
        block = self._view[self._start : end]
        self._start = end + behind
        return block

    def _read_on(self) -> None:
        rest = self._end - self._start
        if rest == len(self._buffer):
            self._buffer = self._buffer + bytearray(rest)
            self._view = memoryview(self._buffer)
        elif self._start:
            self._buffer[:rest] = self._buffer[self._start : self._end]
        self._start, self._end = 0, rest
        count = self._output.readinto(self._view[rest:])
        if not count:
            raise EndedError
        self._end += count
