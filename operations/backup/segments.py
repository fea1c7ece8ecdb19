"""Divides the rows of a database into segments that workers dump side by side. Pure arithmetic.

A large table is cut by ranges of its pages (`ctid`): any table, without a key, and each range is
read once and in order. Small tables share an object, so that ten thousand of them are not ten
thousand requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operations.backup.catalog import Table

MIB = 1024 * 1024
# Large enough that starting one costs nothing beside it; small enough that the last worker
# is not alone for long and a lost connection repeats little.
SMALLEST_SEGMENT_BYTES = 64 * MIB
LARGEST_SEGMENT_BYTES = 1024 * MIB
# Segments that every worker gets, so that unequal ones even out.
SEGMENTS_PER_WORKER = 8
# Tables up to this size share objects (`operations.backup.batches`).
SMALL_TABLE_BYTES = 16 * MIB


@dataclass(frozen=True)
class Segment:
    """The rows of a table on the pages from `first_page` to before `end_page`.

    Both None: the whole table. `end_page` None: to the end, so that pages which were added after
    the sizes were read are not lost.
    """

    table: Table
    first_page: int | None = None
    end_page: int | None = None
    size_bytes: int = 0

    @property
    def whole(self) -> bool:
        """Whether it is all of the table."""
        return self.first_page is None

    @property
    def pages_label(self) -> str:
        """For the manifest and for people."""
        return "all" if self.whole else f"{self.first_page}-{self.end_page or 'end'}"


@dataclass(frozen=True)
class Plan:
    """Segments that cover every table once, the largest first.

    Each of `large` has an object of its own; those of `small` share some.
    """

    large: tuple[Segment, ...]
    small: tuple[Segment, ...]

    @property
    def size_bytes(self) -> int:
        """On the server's disk."""
        return sum(segment.size_bytes for segment in (*self.large, *self.small))


def plan(tables: Sequence[Table], workers: int) -> Plan:
    """How so many workers divide the tables."""
    total = sum(table.size_bytes for table in tables)
    target = total // (max(workers, 1) * SEGMENTS_PER_WORKER)
    target = min(max(target, SMALLEST_SEGMENT_BYTES), LARGEST_SEGMENT_BYTES)
    large: list[Segment] = []
    small: list[Segment] = []
    for table in tables:
        if table.size_bytes > SMALL_TABLE_BYTES:
            large.extend(_cut(table, target))
        else:
            small.append(Segment(table, size_bytes=table.size_bytes))
    return Plan(_largest_first(large), _largest_first(small))


def _largest_first(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted(segments, key=lambda one: -one.size_bytes))


def _cut(table: Table, target_bytes: int) -> list[Segment]:
    count = min(round(table.size_bytes / target_bytes), table.pages)
    # A condition of an extension cannot be joined to a range without knowing its words.
    if count <= 1 or table.condition:
        return [Segment(table, size_bytes=table.size_bytes)]
    bounds = [table.pages * number // count for number in range(count)]
    return [
        Segment(table, first, end, table.size_bytes // count)
        for first, end in zip(bounds, [*bounds[1:], None], strict=True)
    ]
