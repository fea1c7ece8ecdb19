"""A stream of any length as a series of objects: one ends where S3 takes no more of it.

An object has at most 10,000 parts, and a part has to fit into memory; the stream goes on in a
further object. Reading the objects one after the other gives the stream again.
"""

from __future__ import annotations

from operations.backup.object_writer import (
    LARGEST_OBJECT_BYTES,
    ObjectWriter,
    StoredObject,
    Uploads,
)


class SeriesWriter:
    """`write` blocks, then `close` to make all objects exist, or `abort`: none is left then.

    The first object has the key that was given, the others `.2`, `.3` and so on after it.
    """

    def __init__(
        self, uploads: Uploads, key: str, largest_object_bytes: int = LARGEST_OBJECT_BYTES
    ) -> None:
        """Nothing is sent before the first part is full."""
        self._uploads = uploads
        self._key = key
        self._largest_bytes = largest_object_bytes
        self._writers = [uploads.open(key)]

    def write(self, block: bytes) -> None:
        """Take a block; raises whatever the upload of an earlier part raised."""
        present = self._writers[-1]
        if present.size_bytes and present.size_bytes + len(block) > self._largest_bytes:
            # Completed only at the end of the stream: nobody knows yet whether it ends well.
            present.finish()
            present = self._next()
        present.write(block)

    def close(self) -> tuple[StoredObject, ...]:
        """Make the objects exist, in the stream's order. Raises what S3 raised."""
        for writer in self._writers:
            writer.finish()
        return tuple(writer.close() for writer in self._writers)

    def abort(self) -> None:
        """Leave nothing of what is not closed."""
        for writer in self._writers:
            writer.abort()

    def _next(self) -> ObjectWriter:
        self._writers.append(self._uploads.open(f"{self._key}.{len(self._writers) + 1}"))
        return self._writers[-1]
