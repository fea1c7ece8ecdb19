"""Which of a backup's tables a restore brings back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operations.backup.manifest import Manifest, TableRecord
from operations.errors import OperationError


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
        """The tables.

        Raises:
            OperationError: the backup has no table or schema of that name, or several.
        """
        if self.everything:
            return list(backup.tables)
        chosen: dict[str, TableRecord] = {}
        for schema in self.schemas:
            found = [table for table in backup.tables if table.schema == schema]
            if not found:
                raise OperationError(
                    f"backup {backup.id} has no table in schema {schema!r}; it has the schemas "
                    f"{_listed(sorted({table.schema for table in backup.tables}))}"
                )
            chosen.update({table.label: table for table in found})
        for name in self.tables:
            found = [table for table in backup.tables if name in (table.name, table.label)]
            if len(found) != 1:
                names = sorted(table.label for table in found or backup.tables)
                what = "several tables" if found else "no table"
                raise OperationError(
                    f"backup {backup.id} has {what} called {name!r}: {_listed(names)}; "
                    "give one as schema.table"
                )
            chosen[found[0].label] = found[0]
        return list(chosen.values())


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
