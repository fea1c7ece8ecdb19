"""What rows are not: definitions and large objects, as pg_dump's custom format."""

from __future__ import annotations

from collections.abc import Sequence

from operations.backup.children import Children
from operations.backup.object_writer import ObjectWriter, StoredObject

#: Words for pg_dump.
SCHEMA = ("--section=pre-data", "--section=post-data")
LARGE_OBJECTS = ("--section=data", "--exclude-table-data=*.*")
_READ_BYTES = 1024 * 1024


def dump(
    children: Children, writer: ObjectWriter, words: Sequence[str], compression_level: int
) -> StoredObject:
    """Run pg_dump into one object.

    Raises:
        OperationError: pg_dump did not end with 0; the object then does not exist.
    """
    everything = ["--format=custom", f"--compress=zstd:{compression_level}", "--no-password"]
    try:
        with children.output("pg_dump", [*everything, *words]) as output:
            while block := output.read(_READ_BYTES):
                writer.write(block)
        return writer.close()
    except BaseException:
        writer.abort()
        raise


def client_version(children: Children) -> str:
    """Such as `17.6`."""
    with children.output("pg_dump", ["--version"]) as output:
        return output.read().decode().strip().rsplit(" ", maxsplit=1)[-1]
