"""Puts together what the objects of a backup say about each table."""

from __future__ import annotations

from collections.abc import Sequence

from operations.backup.catalog import Catalog, Table
from operations.backup.fingerprints import Fingerprint
from operations.backup.manifest import RowsInObject, TableRecord
from operations.backup.rows import DumpedObject


def tables(found: Catalog, objects: Sequence[DumpedObject]) -> tuple[TableRecord, ...]:
    """One record for each table: its segments together."""
    dumped: dict[tuple[str, str], list[tuple[RowsInObject, Fingerprint]]] = {}
    for one in objects:
        for table, where, fingerprint in one.segments:
            dumped.setdefault((table.schema, table.name), []).append((where, fingerprint))
    return tuple(
        _record(table, () if table.empty else dumped[table.schema, table.name])
        for table in found.tables
    )


def _record(table: Table, parts: Sequence[tuple[RowsInObject, Fingerprint]]) -> TableRecord:
    whole = parts[0][1] if parts else Fingerprint(0, 0)
    for _, fingerprint in parts[1:]:
        whole += fingerprint
    return TableRecord(
        schema=table.schema,
        name=table.name,
        columns=tuple([column.name for column in table.columns]),
        rows=whole.rows,
        hash=whole.hash,
        segments=tuple([where for where, _ in parts]),
    )
