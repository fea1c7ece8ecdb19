"""Where the primary's data comes from, as inputs of `aws.rds.Instance`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from stacks.origin_settings import PointInTimeOrigin, SnapshotOrigin

# They count when the instance is made. Taking them out of the settings must not replace it.
ORIGIN_INPUTS = ["snapshotIdentifier", "restoreToPointInTime"]


@dataclass(frozen=True)
class Origin:
    """What an origin adds to the instance.

    Attributes:
        kms_key_id: the key that storage is under; it cannot be changed later.
        inputs: the instance's inputs besides.
        import_id: the instance that is imported.
        security_group_ids: security groups that it keeps beside the stack's own.
    """

    kms_key_id: pulumi.Input[str]
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    import_id: str | None = None
    security_group_ids: tuple[str, ...] = ()


def database_origin(
    name: str, deployment: Deployment, keys: EncryptionKeys, opts: pulumi.ResourceOptions
) -> Origin:
    """The origin that the settings name; `stacks.rules` has refused more than one."""
    origin = deployment.settings.database.origin
    if origin.snapshot is not None:
        return _snapshot(name, deployment, origin.snapshot, keys, opts)
    if origin.point_in_time is not None:
        point = origin.point_in_time
        return Origin(point.kms_key_arn, {"restore_to_point_in_time": _point_in_time(point)})
    existing = origin.existing
    if existing is not None:
        return Origin(
            existing.kms_key_arn,
            import_id=existing.identifier,
            security_group_ids=existing.keep_security_group_ids,
        )
    return Origin(keys.database.arn)


def _snapshot(
    name: str,
    deployment: Deployment,
    snapshot: SnapshotOrigin,
    keys: EncryptionKeys,
    opts: pulumi.ResourceOptions,
) -> Origin:
    if snapshot.kms_key_arn is not None:
        return Origin(snapshot.kms_key_arn, {"snapshot_identifier": snapshot.identifier})
    # RDS restores under the snapshot's key. A copy under the stack's own key makes the new
    # instance independent of it, and encrypts a snapshot that is not.
    digest = hashlib.sha256(snapshot.identifier.encode()).hexdigest()[:8]
    copy_name = deployment.name("origin", digest)
    copy = aws.rds.SnapshotCopy(
        f"{name}-origin",
        source_db_snapshot_identifier=snapshot.identifier,
        target_db_snapshot_identifier=copy_name,
        kms_key_id=keys.database.arn,
        tags=deployment.tags(copy_name),
        opts=opts,
    )
    return Origin(keys.database.arn, {"snapshot_identifier": copy.target_db_snapshot_identifier})


def _point_in_time(point: PointInTimeOrigin) -> aws.rds.InstanceRestoreToPointInTimeArgs:
    return aws.rds.InstanceRestoreToPointInTimeArgs(
        source_db_instance_identifier=point.source_identifier,
        source_dbi_resource_id=point.source_resource_id,
        source_db_instance_automated_backups_arn=point.automated_backups_arn,
        restore_time=point.time,
        use_latest_restorable_time=True if point.time is None else None,
    )
