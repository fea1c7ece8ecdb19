"""What would be lost when a resource that holds data is deleted or replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pgkeep.plan.model import Change, Operation, Properties

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Guard:
    """What refuses the deletion, or what remains after it."""

    text: str
    alarming: bool = False
    """Whether it makes the loss worse instead of better."""


@dataclass(frozen=True)
class Loss:
    """One resource with data that goes away, what goes with it and why it happens."""

    change: Change
    lost: str
    instead: str
    """What stands in its place."""
    cause: str
    guards: tuple[Guard, ...]


def losses(changes: Sequence[Change]) -> tuple[Loss, ...]:
    """Every deletion and replacement of a resource that holds data, in a stable order."""
    found = [
        _loss(change)
        for change in changes
        if change.operation in (Operation.DELETE, Operation.REPLACE)
        and change.type in LOST
        # What is under a key that stays can be read as before.
        and not (change.retained and change.type in _KEYS)
    ]
    order = list(LOST)
    return tuple(sorted(found, key=lambda loss: (order.index(loss.change.type), loss.change.urn)))


def _loss(change: Change) -> Loss:
    old = change.old or {}
    guards = list(GUARDS.get(change.type, _no_guards)(old))
    if change.retained:
        guards.append(Guard("the one before stays in AWS (retain on delete)"))
    if change.protected:
        guards.append(Guard("protect: Pulumi refuses until it is taken off in an update before"))
    return Loss(
        change=change,
        lost=LOST[change.type](old),
        instead=_instead(change, old),
        cause=_cause(change),
        guards=tuple(guards),
    )


def _instead(change: Change, old: Properties) -> str:
    if change.operation is Operation.DELETE:
        return "nothing takes its place"
    if old.get("replicateSourceDb"):
        return "a new copy of the primary takes its place"
    return "a new, empty one takes its place"


def _cause(change: Change) -> str:
    if change.operation is Operation.DELETE:
        return "the program does not have it any more"
    causes = [p for p in change.properties if p.replaces] or list(change.properties)
    if not causes:
        return "something that it depends on is replaced"
    return ", ".join(f"{p.path}: {p.old or '(none)'} → {p.new or '(none)'}" for p in causes)


def _gib(old: Properties) -> str:
    size = old.get("allocatedStorage")
    return f" ({int(size):,} GiB allocated)" if isinstance(size, (int, float)) else ""


def _database(old: Properties) -> str:
    name = old.get("identifier", "the instance")
    if old.get("replicateSourceDb"):
        return f"read replica {name}: its reads stop; its data is that of its primary"
    return f"database {name}{_gib(old)} with every row in it"


def _database_guards(old: Properties) -> list[Guard]:
    guards: list[Guard] = []
    if old.get("deletionProtection"):
        guards.append(Guard("deletion protection: AWS refuses until deletionProtection is off"))
    if old.get("replicateSourceDb"):
        return guards
    if old.get("skipFinalSnapshot"):
        guards.append(Guard("no final snapshot is taken (skipFinalSnapshot)", alarming=True))
    else:
        guards.append(Guard("a final snapshot is taken first"))
    days = int(old.get("backupRetentionPeriod") or 0)
    if not days:
        guards.append(Guard("there are no automated backups", alarming=True))
    elif old.get("deleteAutomatedBackups", True):
        text = f"its automated backups ({_days(days)}) are deleted with it"
        guards.append(Guard(text, alarming=True))
    else:
        guards.append(Guard(f"its automated backups ({_days(days)}) are retained"))
    return guards


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _key(old: Properties) -> str:
    if old.get("keyUsage") == "GENERATE_VERIFY_MAC":
        return (
            f"KMS key “{old.get('description') or 'without description'}”: nobody can verify any "
            "more what it has signed (the manifests of backups)"
        )
    return (
        f"KMS key “{old.get('description') or 'without description'}”: what is encrypted with it "
        "(storage, snapshots, backups, secrets) cannot be read any more, by anybody"
    )


def _key_guards(old: Properties) -> list[Guard]:
    days = int(old.get("deletionWindowInDays") or 30)
    return [Guard(f"it can be cancelled for {_days(days)} (aws kms cancel-key-deletion)")]


def _bucket(old: Properties) -> str:
    return f"bucket {old.get('bucket', '')} with every object and version in it"


def _bucket_guards(old: Properties) -> list[Guard]:
    if old.get("forceDestroy"):
        return [Guard("forceDestroy is on: its objects are deleted with it", alarming=True)]
    return [Guard("AWS refuses to delete a bucket that is not empty")]


def _secret(old: Properties) -> str:
    return f"secret {old.get('name', '')} with its versions"


def _secret_guards(old: Properties) -> list[Guard]:
    days = old.get("recoveryWindowInDays", 30)
    if not days:
        return [Guard("recoveryWindowInDays is 0: it is gone at once", alarming=True)]
    return [Guard(f"it can be restored for {_days(int(days))} (secretsmanager restore-secret)")]


def _logs(old: Properties) -> str:
    return f"log group {old.get('name', '')} with its log lines"


def _queue(old: Properties) -> str:
    return f"queue {old.get('name', '')} with the messages in it"


def _queue_guards(old: Properties) -> list[Guard]:
    days = int(old.get("messageRetentionSeconds") or 4 * DAY_SECONDS) // DAY_SECONDS
    return [Guard(f"it keeps messages for {_days(days)}")]


def _snapshot(old: Properties) -> str:
    return f"snapshot {old.get('dbSnapshotIdentifier') or old.get('snapshotId') or ''}"


def _copies(_old: Properties) -> str:
    return "the automated backups in the second region"


def _vault(old: Properties) -> str:
    return f"the vault {old.get('name', '')} with every snapshot in it"


def _vault_guards(old: Properties) -> list[Guard]:
    if old.get("forceDestroy"):
        return [Guard("forceDestroy is on: its snapshots are deleted with it", alarming=True)]
    return [Guard("AWS refuses to delete a vault that is not empty")]


def _volume(old: Properties) -> str:
    return f"volume of {old.get('size', '?')} GiB with its content"


def _parameter(old: Properties) -> str:
    return f"parameter {old.get('name', '')} with its value and history"


def _no_guards(_old: Properties) -> list[Guard]:
    return []


_KEYS = ("aws:kms/key:Key", "aws:kms/replicaKey:ReplicaKey")

# The order is from the gravest loss to the least.
LOST: Mapping[str, Callable[[Properties], str]] = {
    "aws:rds/instance:Instance": _database,
    "aws:kms/key:Key": _key,
    "aws:kms/replicaKey:ReplicaKey": _key,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:rds/snapshot:Snapshot": _snapshot,
    "aws:rds/snapshotCopy:SnapshotCopy": _snapshot,
    "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication": _copies,
    "aws:backup/vault:Vault": _vault,
    "aws:ebs/volume:Volume": _volume,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:ssm/parameter:Parameter": _parameter,
    "aws:cloudwatch/logGroup:LogGroup": _logs,
    "aws:sqs/queue:Queue": _queue,
}

GUARDS: Mapping[str, Callable[[Properties], list[Guard]]] = {
    "aws:rds/instance:Instance": _database_guards,
    "aws:kms/key:Key": _key_guards,
    "aws:kms/replicaKey:ReplicaKey": _key_guards,
    "aws:s3/bucket:Bucket": _bucket_guards,
    "aws:backup/vault:Vault": _vault_guards,
    "aws:secretsmanager/secret:Secret": _secret_guards,
    "aws:sqs/queue:Queue": _queue_guards,
}
