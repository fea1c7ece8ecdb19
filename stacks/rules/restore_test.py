"""Rules of the restore test that runs by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

POLICY_RULE = "iam-no-deletion"
RESOURCE = "aws:iam/rolePolicy:RolePolicy::restore-test-policy"
ACTION = "rds:DeleteDBInstance"


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Its function deletes an instance, which no role may without a person's written exemption."""
    if not settings.restore_test.enabled:
        return
    covered = any(
        exemption.rule == POLICY_RULE
        and exemption.resource == RESOURCE
        and exemption.covers == (ACTION,)
        for exemption in settings.policy_exemptions
    )
    if not covered:
        yield Refusal(
            "restore_test.enabled",
            True,
            f"needs an entry of policy_exemptions for {POLICY_RULE}: resource {RESOURCE}, "
            f"covers [{ACTION}]",
            "its function deletes its own scratch instance, and somebody has to have agreed that "
            "a role may delete one",
            "Have the exemption reviewed and add it (docs/restores.md), or set it to false and "
            "test restores with `pgkeep restore`.",
        )
