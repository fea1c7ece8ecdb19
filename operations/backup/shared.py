"""What the parts of one run share, and how they all end."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from operations.backup.children import Children
from operations.backup.object_writer import Uploads
from operations.backup.session import Snapshot


@dataclass(frozen=True)
class Shared:
    """Of one run; leaving its block leaves nothing at work. Parts may begin to read at once."""

    snapshot: Snapshot
    children: Children
    #: Prefix of the objects.
    folder: str
    pool: ThreadPoolExecutor
    _allowed: Future[Uploads] = field(default_factory=Future[Uploads])

    @property
    def uploads(self) -> Uploads:
        """Waits until the run may write; raises `CancelledError` when it never may."""
        return self._allowed.result()

    def allow(self, uploads: Uploads) -> None:
        """From here on the run may write, unless it was stopped before."""
        if self._allowed.set_running_or_notify_cancel():
            self._allowed.set_result(uploads)

    def stop(self) -> None:
        """End everything that is still at work."""
        if not self._allowed.cancel():
            self._allowed.result().stop()
        self.children.stop()

    def __enter__(self) -> Shared:
        """For the run's whole time."""
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        """After a failure nothing is waited for but what has to be cleaned up."""
        if failure is not None:
            self.stop()
        self.children.stop()
        self.pool.shutdown(cancel_futures=True)
        if not self._allowed.cancel():
            self._allowed.result().shutdown()
