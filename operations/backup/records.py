"""Puts together what the objects of a backup say about each table."""

from __future__ import annotations

from collections.abc import Sequence

from operations.backup.catalog import Catalog
from operations.backup.fingerprints import Fingerprint
from operations.backup.manifest import RowsInObject, TableRecord
from operations.backup.rows import DumpedObject


def tables(found: Catalog, objects: Sequence[DumpedObject]) -> tuple[TableRecord, ...]:
    """One record for each table: its segments together."""
    dumped: dict[tuple[str, str], list[tuple[RowsInObject, Fingerprint]]] = {}
    for one in objects:
        for table, where, fingerprint in one.segments:
            dumped.setdefault((table.schema, table.name), []).append((where, fingerprint))
    made: list[TableRecord] = []
    for table in found.tables:
        parts = dumped[table.schema, table.name]
        (_, whole), *others = parts
        for _, fingerprint in others:
            whole += fingerprint
        made.append(
            TableRecord(
                schema=table.schema,
                name=table.name,
                columns=tuple(column.name for column in table.columns),
                rows=whole.rows,
                hash=whole.hash,
                segments=tuple(where for where, _ in parts),
            )
        )
    return tuple(made)
