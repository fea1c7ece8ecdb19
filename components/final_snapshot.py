"""The name of the snapshot that the database leaves when it is deleted."""

from __future__ import annotations

import hashlib
import json

import pulumi

from components.deployment import Deployment


def final_snapshot_name(
    deployment: Deployment,
    *,
    identifier: str,
    zone: str | None,
    storage_key: pulumi.Input[str],
    stack_life: pulumi.Input[str],
) -> pulumi.Output[str]:
    """A name that no earlier instance has used, yet the same in every run.

    RDS refuses a snapshot name that exists, and snapshots outlive stacks. `stack_life` is an id
    that AWS makes anew with each life of the stack; the rest are the inputs whose change replaces
    the instance within one life, each with its own instance and snapshot.
    """
    settings = deployment.settings.database

    def name(known: list[str]) -> str:
        replacing = [*known, zone, settings.name, settings.master_username]
        digest = hashlib.sha256(json.dumps(replacing).encode()).hexdigest()
        return f"{identifier}-final-{digest[:12]}"

    return pulumi.Output.all(stack_life, storage_key).apply(name)
