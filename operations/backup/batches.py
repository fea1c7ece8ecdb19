"""Small tables in batches that sessions take until none is left. Pure bookkeeping.

Nobody knows before how fast a session will be: the one that waited for pg_dump begins late. So what
is small is not divided beforehand, and all sessions end at nearly the same moment.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from operations.backup.segments import MIB, Segment

#: What shares an object. It is one session's, which keeps what it knows of each table (10 to 20 KB)
#: in the server's memory.
GROUP_BYTES = 32 * MIB
LARGEST_GROUP_TABLES = 2_000
# Of one statement that counts and hashes them, or of the statements that do so one by one.
_TABLES_A_BATCH = 50
_BATCH_BYTES = 4 * MIB
# Towards the end, so that no session is long alone with the last one.
_LEAST_TABLES_A_BATCH = 10
# What a table costs a session besides its bytes, and what it costs to begin one, as so many bytes.
_TABLE_BYTES = 16 * 1024
_SESSION_BYTES = 200 * _TABLE_BYTES


@dataclass(frozen=True)
class Batch:
    """Tables that are asked for at once."""

    segments: Sequence[Segment]
    #: Whether one statement counts and hashes all of them, or one each.
    together: bool

    @property
    def size_bytes(self) -> int:
        """On the server's disk."""
        return sum(segment.size_bytes for segment in self.segments)


def cut(small: Sequence[Segment], sessions: int, *, together: bool) -> Iterator[Batch]:
    """Batches of `small`, in its order, that so many `sessions` take side by side."""
    most_bytes = min(_BATCH_BYTES, GROUP_BYTES)
    batch: list[Segment] = []
    batch_bytes = 0
    for place, segment in enumerate(small):
        share = (len(small) - place + len(batch)) // (2 * sessions)
        most = min(max(share, _LEAST_TABLES_A_BATCH), _TABLES_A_BATCH)
        if batch and (len(batch) >= most or batch_bytes + segment.size_bytes > most_bytes):
            yield Batch(batch, together)
            batch, batch_bytes = [], 0
        batch.append(segment)
        batch_bytes += segment.size_bytes
    if batch:
        yield Batch(batch, together)


class Batches:
    """What is left of the batches. Safe in threads."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        """The first one is taken first."""
        self._left = deque(batches)
        self._left_bytes = sum(_cost_bytes(batch) for batch in self._left)
        self._objects = 0
        self._lock = threading.Lock()

    def an_object(self) -> Iterator[Batch] | None:
        """Batches for one object, taken as the iterator is asked for them.

        None where nothing is left, or so little that those at work are through with it before
        another session has begun. The iterator is used to its end, or the whole run fails.
        """
        with self._lock:
            if not self._left or (self._objects and self._left_bytes < _SESSION_BYTES):
                return None
            self._objects += 1
            first = self._pop()
        return self._of_object(first)

    def _of_object(self, first: Batch) -> Iterator[Batch]:
        batch: Batch | None = first
        tables = size_bytes = 0
        while batch is not None:
            tables += len(batch.segments)
            size_bytes += batch.size_bytes
            yield batch
            with self._lock:
                batch = self._next(tables, size_bytes)
                if batch is None:
                    self._objects -= 1

    def _next(self, tables: int, size_bytes: int) -> Batch | None:
        if not self._left:
            return None
        tables += len(self._left[0].segments)
        size_bytes += self._left[0].size_bytes
        fits = tables <= LARGEST_GROUP_TABLES and size_bytes <= GROUP_BYTES
        return self._pop() if fits else None

    def _pop(self) -> Batch:
        batch = self._left.popleft()
        self._left_bytes -= _cost_bytes(batch)
        return batch


def _cost_bytes(batch: Batch) -> int:
    return batch.size_bytes + len(batch.segments) * _TABLE_BYTES
