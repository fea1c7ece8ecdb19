"""SQL migrations as a door: parsed with pglast, followed statement by statement.

Only this package needs pglast, and it is imported only where SQL is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..database.migrations import migrations, read
from ..evaluation import Judge, Verdict
from ..inventory import Resource, Stack
from ..rules import Context

__all__ = ["judge_files", "migrations", "read"]


def judge_files(
    paths: Sequence[Path | str],
    context: Context,
    *,
    manifest: Mapping[str, object] | None = None,
    exemptions: object = None,
) -> list[Verdict]:
    """Judge SQL files, in their order, as the rules do resources.

    With the `manifest` of the roles function its kinds say which roles are applications, and its
    owner applies the files; without, every role but whoever runs the files is an application,
    unless the setting `deleting_roles` of db-app-cannot-delete names it. A verdict's `urn` is
    `file:line`. Raises `OSError` for a file that cannot be read.
    """
    door: Resource = migrations([read(path) for path in paths], manifest)
    judge = Judge(context, exemptions)
    return judge.stack(Stack([door]))
