"""The objects of a run's rows: their names, and how far it is with them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from operations.backup.batches import Batch, Batches
from operations.backup.options import Progress
from operations.backup.rows import DumpedObject, RowDumper
from operations.backup.segments import Segment


@dataclass
class RowObjects:
    """Safe in threads."""

    dumper: RowDumper
    #: Prefix of the backup's objects.
    folder: str
    #: Of all tables on the server's disk.
    total_bytes: int
    progress: Callable[[Progress], None] | None
    _begun: int = 0
    _done_bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def whole(self, large: Segment) -> list[DumpedObject]:
        """A segment that has an object of its own."""
        return [self._dump(iter([Batch((large,), together=False)]))]

    def shared(self, small: Batches) -> list[DumpedObject]:
        """What one session takes of small tables, beside others that do the same."""
        dumped: list[DumpedObject] = []
        while (batches := small.an_object()) is not None:
            dumped.append(self._dump(batches))
        return dumped

    def _dump(self, batches: Iterator[Batch]) -> DumpedObject:
        with self._lock:
            self._begun += 1
            key = f"{self.folder}/rows/{self._begun:06}.zst"
        return self.dumper.dump(batches, key, self._done)

    def _done(self, size_bytes: int) -> None:
        with self._lock:
            self._done_bytes += size_bytes
            done = Progress(self._done_bytes, self.total_bytes)
        if self.progress is not None:
            self.progress(done)
