"""`pgkeep backup prune`: what retention lets go, each with its reason."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from operations.backup import retention
from operations.backup.retention import Decision
from operations.restore import report
from pgkeep.backup.access import console, print_json, refusals_as_lines, store
from pgkeep.deployed import DeployedStack

_KEYS_A_REQUEST = 1_000


def run(stack_name: str, *, dry_run: bool, as_json: bool) -> None:
    """Explain every keep and removal; remove unless `dry_run`.

    The bucket is versioned: a removed backup can be brought back until its versions expire.
    """
    stack = DeployedStack.find(stack_name)
    with refusals_as_lines():
        s3 = stack.client("s3")
        decisions = retention.decide(
            store(stack).find().backups,
            proven=report.proven(s3, stack.bucket),
            now=datetime.now(UTC),
        )
        if not dry_run:
            for decision in decisions:
                if not decision.keep:
                    _remove(s3, stack.bucket, decision)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "decisions": [
                    {
                        "id": one.backup.id,
                        "class": one.backup.backup_class,
                        "keep": one.keep,
                        "reason": one.reason,
                    }
                    for one in decisions
                ],
            }
        )
        return
    for one in decisions:
        word = "[green]keep[/green]" if one.keep else "[red]remove[/red]"
        console.print(f"{word} {one.backup.id} ({one.backup.backup_class}): {one.reason}")
    removed = sum(not one.keep for one in decisions)
    verb = "would be removed" if dry_run else "removed"
    console.print(f"{len(decisions) - removed} kept, {removed} {verb}.")


def _remove(s3: Any, bucket: str, decision: Decision) -> None:
    """The manifest first: from then on there is no backup, whatever else remains."""
    backup = decision.backup
    s3.delete_object(Bucket=bucket, Key=backup.key)
    keys = [{"Key": stored.key} for stored in backup.objects]
    for first in range(0, len(keys), _KEYS_A_REQUEST):
        s3.delete_objects(
            Bucket=bucket,
            Delete={"Objects": keys[first : first + _KEYS_A_REQUEST], "Quiet": True},
        )
