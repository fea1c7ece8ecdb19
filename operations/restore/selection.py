"""Which of a backup's tables a restore brings back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from operations.backup.catalog import Table
from operations.backup.manifest import Manifest, TableRecord
from operations.errors import OperationError

Named = TypeVar("Named", Table, TableRecord)


@dataclass(frozen=True)
class Selection:
    """Tables as `name` or `schema.name`, and whole schemas; both empty: everything."""

    tables: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.tables and not self.schemas

    def of(self, backup: Manifest) -> list[TableRecord]:
        """The tables of a backup.

        Raises:
            OperationError: the backup has no table or schema of that name, or several.
        """
        return self.among(backup.tables, f"backup {backup.id}")

    def among(self, tables: Sequence[Named], whose: str) -> list[Named]:
        """Those of `tables` that are meant; `whose` names them in a refusal.

        Raises:
            OperationError: there is no table or schema of that name, or several.
        """
        if self.everything:
            return list(tables)
        chosen: dict[str, Named] = {}
        for schema in self.schemas:
            found = [table for table in tables if table.schema == schema]
            if not found:
                raise OperationError(
                    f"{whose} has no table in schema {schema!r}; it has the schemas "
                    f"{_listed(sorted({table.schema for table in tables}))}"
                )
            chosen.update({table.label: table for table in found})
        for name in self.tables:
            found = [table for table in tables if name in (table.name, table.label)]
            if len(found) != 1:
                names = sorted(table.label for table in found or tables)
                what = "several tables" if found else "no table"
                raise OperationError(
                    f"{whose} has {what} called {name!r}: {_listed(names)}; "
                    "give one as schema.table"
                )
            chosen[found[0].label] = found[0]
        return list(chosen.values())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
