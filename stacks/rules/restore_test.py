"""Rules of the restore test that runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

# The policy iam-no-deletion lets a role delete databases of this name and no others.
SCRATCH_SUFFIX = "-restore-test"


def refusals(settings: Settings) -> Iterator[Refusal]:
    """A name by which the database itself would pass for a scratch instance."""
    name = settings.database.instance_name(settings.prefix)
    if name.endswith(SCRATCH_SUFFIX):
        yield Refusal(
            "database.identifier",
            name,
            f"must not end in {SCRATCH_SUFFIX}",
            "that name is for the scratch instances that restore tests make and delete",
            "Choose another name.",
        )
