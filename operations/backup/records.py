"""Puts together what the pieces of a backup say about each table."""

from __future__ import annotations

from collections.abc import Sequence

from operations.backup.catalog import Catalog
from operations.backup.fingerprints import Fingerprint
from operations.backup.manifest import RowsInObject, TableRecord
from operations.backup.rows import DumpedPiece


def tables(found: Catalog, pieces: Sequence[DumpedPiece]) -> tuple[TableRecord, ...]:
    """One record for each table: its pieces together."""
    dumped: dict[tuple[str, str], list[tuple[RowsInObject, Fingerprint]]] = {}
    for piece in pieces:
        for table, where, fingerprint in piece.segments:
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
