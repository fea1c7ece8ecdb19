"""Migrations as a resource beside those of a stack, so that every rule sees all doors at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..inventory import Resource

MIGRATIONS: Final = "pgkeep:database/migrations:Migrations"
STATEMENT: Final = "pgkeep:database/statement:Statement"


def read(path: Path | str) -> tuple[str, str]:
    """Name and text of a file; bytes that are no UTF-8 stay, to be refused with their line."""
    file = Path(path)
    return file.as_posix(), file.read_bytes().decode("utf-8", "surrogateescape")


def migrations(
    files: Sequence[tuple[str, str]], manifest: Mapping[str, object] | None = None
) -> Resource:
    """Files (name, text) in the order in which they are applied, as a resource."""
    return Resource.of(
        type=MIGRATIONS,
        name="migrations",
        properties={
            "files": [{"name": name, "text": text} for name, text in files],
            **({"manifest": manifest} if manifest is not None else {}),
        },
    )


def statement(file: str, line: int) -> Resource:
    """What a violation in SQL is about: the statement at a line, with `file:line` as its URN."""
    place = f"{file}:{line}"
    found = Resource.of(type=STATEMENT, name=place, urn=place, properties={})
    return replace(found, declared_type="SQL")
