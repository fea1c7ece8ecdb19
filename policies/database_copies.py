"""Rules for what leaves the database: snapshots, copies, replicated backups, proxies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .inventory import Resource
from .requirements import each, flag, given, on_resource, one_of
from .rules import Context, Environment, Outcome, Rule, Severity, Unverified, Violation
from .values import contains_unknown, one_or_many, shown

BACKUP_REPLICATION: Final = (
    "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
)
SNAPSHOT: Final = "aws:rds/snapshot:Snapshot"
SNAPSHOT_COPY: Final = "aws:rds/snapshotCopy:SnapshotCopy"
CLUSTER_SNAPSHOT: Final = "aws:rds/clusterSnapshot:ClusterSnapshot"
CLUSTER_SNAPSHOT_COPY: Final = "aws:rds/clusterSnapshotCopy:ClusterSnapshotCopy"
PROXY: Final = "aws:rds/proxy:Proxy"


def _not_shared(snapshot: Resource, _context: Context) -> Iterator[Outcome]:
    accounts = snapshot.get("sharedAccounts")
    if contains_unknown(accounts):
        yield Unverified(snapshot, "sharedAccounts")
    elif not all(str(one).isdigit() for one in one_or_many(accounts)):
        found = f"is shared with {shown(accounts)}"
        yield Violation(snapshot, found, "be shared with named accounts only, by their number")


RULES: Final = (
    Rule(
        id="rds-copies-customer-key",
        title="Copied backups are under a key of one's own",
        what="kmsKeyId is set on snapshot copies and on replicated automated backups.",
        why="A copy under AWS's own key cannot be restored from another account.",
        remediation="set kms_key_id to a customer key of the target region.",
        severity=Severity.HIGH,
        catalogue=("RDS-24",),
        controls=("CKV_AWS_245", "CKV_AWS_266"),
        types=(BACKUP_REPLICATION, SNAPSHOT_COPY, CLUSTER_SNAPSHOT_COPY),
        check_resource=on_resource(given("kmsKeyId")),
    ),
    Rule(
        id="rds-snapshots-not-shared",
        title="Snapshots are not public",
        what="sharedAccounts of no snapshot has all, or anything that is no account.",
        why="Anyone could restore the whole database into an account of their own.",
        remediation="remove shared_accounts, or name the recovery account.",
        severity=Severity.CRITICAL,
        catalogue=("RDS-25",),
        controls=("CKV_AWS_302", "RDS.1"),
        types=(SNAPSHOT, CLUSTER_SNAPSHOT, SNAPSHOT_COPY, CLUSTER_SNAPSHOT_COPY),
        never_exempt_in=frozenset({Environment.PROD}),
        check_resource=_not_shared,
    ),
    Rule(
        id="rds-proxy-tls",
        title="RDS Proxy takes TLS and IAM only",
        what="requireTls is true, debugLogging false, and every auth has iamAuth REQUIRED and a "
        "secret by ARN.",
        why="The proxy would take passwords in plain text, or write statements into its log.",
        remediation="set require_tls = True, debug_logging = False and iam_auth = REQUIRED.",
        severity=Severity.HIGH,
        catalogue=("RDS-26",),
        controls=("RDS.43",),
        types=(PROXY,),
        check_resource=on_resource(
            flag("requireTls", True, default=False),
            flag("debugLogging", False, default=False),
            each("auths", one_of("iamAuth", ("REQUIRED",)), given("secretArn"), at_least=1),
        ),
    ),
)
