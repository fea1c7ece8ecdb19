"""What rows are not: definitions and large objects, as pg_dump's custom format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from operations.backup import session
from operations.backup.children import Children

#: Words for pg_dump.
SCHEMA = ("--section=pre-data", "--section=post-data")
LARGE_OBJECTS = ("--section=data", "--exclude-table-data=*.*")
_READ_BYTES = 1024 * 1024
#: For its session. From about 3,000 tables PostgreSQL would compile the query that reads the types
#: (its estimate passes jit_above_cost), which takes as long as the query itself.
NO_COMPILATION = "-c jit=off"


#: What has become of a stream in the bucket.
StoredT = TypeVar("StoredT")
_StoredT_co = TypeVar("_StoredT_co", covariant=True)


class Writer(Protocol[_StoredT_co]):
    """Of one object (`ObjectWriter`) or of a series of them (`SeriesWriter`)."""

    def write(self, block: bytes, /) -> None:
        """Take a block."""
        ...

    def close(self) -> _StoredT_co:
        """Make it exist."""
        ...

    def abort(self) -> None:
        """Leave nothing."""
        ...


def dump(
    children: Children,
    opened: Callable[[], Writer[StoredT]],
    words: Sequence[str],
    compression_level: int,
) -> StoredT:
    """Run pg_dump into the writer that `opened` gives, once there is something to write.

    Raises:
        OperationError: pg_dump did not end with 0; then nothing of it exists.
    """
    everything = [
        "--format=custom",
        f"--compress=zstd:{compression_level}",
        "--no-password",
        f"--lock-wait-timeout={session.LONGEST_WAIT_SECONDS}s",
    ]
    writer: Writer[StoredT] | None = None
    try:
        with children.output(
            "pg_dump", [*everything, *words], server_options=NO_COMPILATION
        ) as output:
            while block := output.read(_READ_BYTES):
                writer = writer or opened()
                writer.write(block)
        writer = writer or opened()
        return writer.close()
    except BaseException:
        if writer is not None:
            writer.abort()
        raise


def client_version(children: Children) -> str:
    """Such as `17.6`."""
    with children.output("pg_dump", ["--version"]) as output:
        # pg_dump (PostgreSQL) 17.6 (Debian 17.6-1)
        return output.read().decode().split(") ", maxsplit=1)[-1].split()[0]
