"""What a backup is asked for: its class, where it goes, and how it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from operations.backup.object_writer import LARGEST_OBJECT_BYTES

SCHEDULED_CLASSES = ("daily", "weekly", "monthly")
#: Pre-migration backups stay until a person removes them (guide spike-land).
CLASSES = (*SCHEDULED_CLASSES, "pre-migration", "manual")
# More sessions than this pass 256 MiB, and no machine that this runs on has as many processors.
MOST_WORKERS = 16
_MIB = 1024 * 1024
# This process with its parts on their way (tests/operations/test_memory.py), and what a program
# needs for any database.
_OWN_MEMORY_BYTES = 256 * _MIB
_LEAST_PROGRAM_BYTES = 96 * _MIB


@dataclass(frozen=True)
class BackupTarget:
    """Where backups go, and for how many days by class; without an entry, until removed.

    The days are recorded in the manifest; the bucket's lifecycle enforces them. `mac_key` is a KMS
    HMAC key that signs manifests.
    """

    bucket: str
    kms_key: str
    retention_days: Mapping[str, int]
    mac_key: str | None = None


@dataclass(frozen=True)
class Progress:
    """How far a backup is, in bytes of the tables on the server's disk."""

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Options:
    """How a backup works. `time_limit_seconds` is how long it may take from now.

    `budget_seconds` is less, for who wants a long one made elsewhere; it stops no run. Without
    `too_large_fails` a run that needs more time or memory than it has (`TooLargeError`) is no
    failure yet: its caller hands it over, or says so by `failed`.
    """

    workers: int = 2
    # Level 1 of zstd is faster than gzip and smaller; the processor is the bottleneck, not S3.
    compression_level: int = 1
    largest_hashed_table_bytes: int | None = None
    #: Where a stream goes on in a further object.
    largest_object_bytes: int = LARGEST_OBJECT_BYTES
    time_limit_seconds: float | None = None
    budget_seconds: float | None = None
    #: What this process and its programs may use; None: as much as there is.
    memory_bytes: int | None = None
    too_large_fails: bool = True
    progress: Callable[[Progress], None] | None = None
    #: What kind of machine this is: only backups of the same kind tell how fast it is.
    worker: str = "host"

    @property
    def program_memory_bytes(self) -> int | None:
        """The most address space of one pg_dump or psql: they work side by side, one a worker.

        COPY hands over whole rows, and libpq holds one up to three times (its buffer doubles, and
        a row is copied out of it): a row may have about a third of this as text.
        """
        if self.memory_bytes is None:
            return None
        share = (self.memory_bytes - _OWN_MEMORY_BYTES) // self.workers
        return max(share, _LEAST_PROGRAM_BYTES)
