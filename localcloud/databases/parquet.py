"""Rows of one table as a Parquet file, with the types that RDS gives them.

Source of the types: AWS RDS user guide, "PostgreSQL data type mapping to Parquet".
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

# Everything else becomes a string, as PostgreSQL writes it.
_TYPES: dict[str, tuple[str, Any]] = {
    "bool": ("boolean", pa.bool_()),
    "bytea": ("binary", pa.binary()),
    "float4": ("float", pa.float32()),
    "float8": ("double", pa.float64()),
    "int2": ("int32", pa.int32()),
    "int4": ("int32", pa.int32()),
    "int8": ("int64", pa.int64()),
}
_STRING = ("binary (UTF8)", pa.string())
# Bounds the memory: so many rows are held at once.
_ROWS_A_GROUP = 2_000


@dataclass(frozen=True)
class Column:
    """A column and PostgreSQL's name of its type."""

    name: str
    type: str

    @property
    def exported_type(self) -> str:
        """Parquet's type of it."""
        return _TYPES.get(self.type, _STRING)[0]

    @property
    def field(self) -> Any:
        """Arrow's description of it."""
        return pa.field(self.name, _TYPES.get(self.type, _STRING)[1])

    @property
    def expression(self) -> sql.Composable:
        """What is selected for it."""
        name = sql.Identifier(self.name)
        return name if self.type in _TYPES else sql.SQL("{}::text").format(name)


def write(
    connection: psycopg.Connection[Any],
    table: sql.Composable,
    columns: Sequence[Column],
    folder: Path,
) -> Path | None:
    """Write `table` to a file in `folder`; None when it has no row or no column, as RDS."""
    if not columns:
        return None
    path = folder / f"{uuid.uuid4()}.parquet"
    schema = pa.schema([column.field for column in columns])
    statement = sql.SQL("SELECT {} FROM ONLY {}").format(
        sql.SQL(", ").join(column.expression for column in columns), table
    )
    with (
        connection.transaction(),
        connection.cursor("export") as cursor,
        pq.ParquetWriter(path, schema, compression="gzip") as writer,
    ):
        cursor.execute(statement)
        found = False
        while rows := cursor.fetchmany(_ROWS_A_GROUP):
            found = True
            values = [
                pa.array(one, type=field.type)
                for one, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(values, schema=schema))
    if not found:
        path.unlink()
        return None
    return path
