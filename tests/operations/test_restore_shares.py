"""What one worker loads at once: whole tables where that leaves no worker alone at the end."""

from __future__ import annotations

from operations.backup.manifest import RowsInObject, TableRecord
from operations.restore.rows import LARGE_BYTES, shares

MIB = 1024 * 1024


def table(name: str, *pieces_bytes: int) -> TableRecord:
    pieces = tuple(
        RowsInObject(f"{name}-{number}", 0, size, "all", min(size, 1))
        for number, size in enumerate(pieces_bytes)
    )
    return TableRecord("public", name, ("a",), 1, 1, pieces)


def planned(tables: list[TableRecord], workers: int) -> list[tuple[str, int, bool]]:
    return [(one.table.name, len(one.pieces), one.whole) for one in shares(tables, workers)]


def test_tables_of_a_size_are_loaded_whole_and_a_huge_one_in_pieces() -> None:
    partitions = [table(f"part_{number}", 50 * MIB, 50 * MIB) for number in range(8)]
    assert planned(partitions, 2) == [(f"part_{number}", 2, True) for number in range(8)]
    huge = table("huge", *[100 * MIB] * 20)
    assert planned([*partitions, huge], 2) == [
        *[("huge", 1, False)] * 20,
        *[(f"part_{number}", 2, True) for number in range(8)],
    ]


def test_small_and_empty_tables_cost_no_truncate() -> None:
    tables = [table("small", LARGE_BYTES - 1), table("empty", 0), table("large", LARGE_BYTES)]
    assert planned(tables, 2) == [("large", 1, True), ("small", 1, False)]
