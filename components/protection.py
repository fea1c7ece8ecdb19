"""What Pulumi must refuse to delete, and what it must leave in AWS: the whole list.

A guarded stack (`database.deletion_protection`) ends in two steps. First deletion_protection is set
to false and deployed: that lifts every protection below. Then the stack is destroyed: what still
holds or unlocks data stays in AWS without Pulumi, for a final snapshot or a backup is worth nothing
without its key, and a bucket nothing without its guards.

Log groups stay until monitoring.log_deletion_protection is deployed as false: AWS itself would
refuse to delete them. A function or a replica is removed in one step, and its log outlives it.

Not in the list, on purpose: read replicas (the primary has their data; making one anew costs time
only), the load balancer (it refuses deletion itself while the stack is protected).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass

import pulumi

from components.deployment import Deployment
from stacks.rules.environments import GUARDED
from stacks.settings import Settings


@dataclass(frozen=True)
class Guarded:
    """Resources of one type whose Pulumi name matches `name`, and why they are guarded."""

    type: str
    name: str
    reason: str

    def covers(self, type_: str, name: str) -> bool:
        """Whether a resource is meant."""
        return fnmatch.fnmatchcase(type_, self.type) and fnmatch.fnmatchcase(name, self.name)


PROTECTED = (
    Guarded("aws:rds/instance:Instance", "database-instance", "the data itself"),
    Guarded("aws:kms/key:Key", "*", "without its key encrypted data is lost"),
    Guarded("aws:kms/replicaKey:ReplicaKey", "*", "without it copies cannot be verified"),
    Guarded("aws:secretsmanager/secret:Secret", "*", "without its logins nobody gets in"),
    Guarded("aws:s3/bucket:Bucket", "*", "the backups and what is recorded about them"),
    Guarded("aws:backup/vault:Vault", "*", "the snapshots that no role of the stack can delete"),
    Guarded("aws:cloudwatch/logGroup:LogGroup", "database-log-*", "who did what in the database"),
)

_Kept = Callable[[Settings], bool]


def _backups_stay(settings: Settings) -> bool:
    return settings.backups.keep_bucket


def _database_key_stays(settings: Settings) -> bool:
    return settings.database.keep_kms_key


def _logs_stay(settings: Settings) -> bool:
    return settings.monitoring.log_deletion_protection


# What a destroyed stack leaves in AWS, and when. `pulumi import` takes it back into a new stack.
RETAINED: tuple[tuple[Guarded, _Kept], ...] = (
    (Guarded("aws:s3/bucket*", "*", "the backups, with what guards their bucket"), _backups_stay),
    (Guarded("aws:s3/inventory:*", "*", "what is in the buckets"), _backups_stay),
    (Guarded("aws:backup/vault*", "*", "snapshots, with what guards their vault"), _backups_stay),
    (Guarded("aws:kms/key:Key", "keys-backups", "opens the backups"), _backups_stay),
    (Guarded("aws:kms/key:Key", "keys-manifests", "tells whose backups they are"), _backups_stay),
    (
        Guarded("aws:kms/replicaKey:ReplicaKey", "keys-manifests-replica", "tells it there too"),
        _backups_stay,
    ),
    (Guarded("aws:kms/key:Key", "backups-copies-key", "opens the copies"), _backups_stay),
    (Guarded("aws:kms/key:Key", "keys-database", "opens the snapshots"), _database_key_stays),
    (Guarded("aws:cloudwatch/logGroup:LogGroup", "*", "who did what, to the end"), _logs_stay),
    (Guarded("aws:kms/key:Key", "keys-telemetry", "opens the logs"), _logs_stay),
    (
        Guarded("aws:kms/key:Key", "database-key-*", "opens copies in another region"),
        _database_key_stays,
    ),
)


def deletion_notice(settings: Settings) -> str | None:
    """What the second of the two steps would delete and leave; None where it is no surprise."""
    database = settings.database
    if database.deletion_protection:
        return None
    days = database.pitr_retention_days
    kept = {
        "a final snapshot": database.final_snapshot,
        f"automated backups of {days} day{'' if days == 1 else 's'}": (
            database.keep_automated_backups
        ),
        "the database's key": _database_key_stays(settings),
        "the backup bucket": _backups_stay(settings),
        "the logs": _logs_stay(settings),
    }
    left = [what for what, stays in kept.items() if stays]
    if not left and settings.environment not in GUARDED:
        return None
    return (
        "database.deletion_protection is false: nothing refuses a deletion any more, and `pulumi "
        f"destroy` ends the database. In AWS remain: {', '.join(left) or 'nothing'}. To guard the "
        "stack again, set it to true and run `pulumi up` (docs/database.md, deletion in two steps)."
    )


def guard(deployment: Deployment) -> pulumi.ResourceTransformation:
    """The transformation that protects and retains; for the options of the outermost component."""
    settings = deployment.settings

    def transform(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        protect = deployment.protected and any(
            guarded.covers(args.type_, args.name) for guarded in PROTECTED
        )
        retain = any(
            guarded.covers(args.type_, args.name) and kept(settings) for guarded, kept in RETAINED
        )
        if not (protect or retain):
            return None
        change = pulumi.ResourceOptions(protect=protect or None, retain_on_delete=retain or None)
        return pulumi.ResourceTransformationResult(
            args.props, pulumi.ResourceOptions.merge(args.opts, change)
        )

    return transform
