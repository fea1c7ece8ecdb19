"""Rules for RDS: TLS, encryption, exposure, point-in-time recovery."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from .inventory import Resource, Stack
from .rules import (
    Context,
    Environment,
    Outcome,
    Rule,
    Severity,
    Unverified,
    Violation,
    require,
)
from .values import UNKNOWN, Unknown, Wrong, boolean, contains_unknown, integer, sequence, shown

INSTANCE: Final = "aws:rds/instance:Instance"
CLUSTER: Final = "aws:rds/cluster:Cluster"
GLOBAL_CLUSTER: Final = "aws:rds/globalCluster:GlobalCluster"
CLUSTER_INSTANCE: Final = "aws:rds/clusterInstance:ClusterInstance"
PARAMETER_GROUP: Final = "aws:rds/parameterGroup:ParameterGroup"
CLUSTER_PARAMETER_GROUP: Final = "aws:rds/clusterParameterGroup:ClusterParameterGroup"

_DATABASE_IDENTITIES: Final = ("identifier", "arn", "id")
GROUP_IDENTITIES: Final = ("name", "id")

# Families whose parameter rds.force_ssl is set in a group of this type (for Aurora it is a
# parameter of the cluster, not of the instance).
POSTGRES_FAMILIES: Final = {
    PARAMETER_GROUP: re.compile(r"postgres\d"),
    CLUSTER_PARAMETER_GROUP: re.compile(r"(aurora-)?postgres"),
}
GROUP_PROPERTIES: Final = {
    INSTANCE: ("parameterGroupName", PARAMETER_GROUP),
    CLUSTER: ("dbClusterParameterGroupName", CLUSTER_PARAMETER_GROUP),
}

# Days of point-in-time recovery. dev: a long weekend; staging: a release cycle; prod: the node-pass
# guide's recommended tier; local: the least that keeps WAL archiving on.
MINIMUM_RETENTION_DAYS: Final = {
    Environment.LOCAL: 1,
    Environment.DEV: 3,
    Environment.STAGING: 7,
    Environment.PROD: 30,
}
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.html
MAXIMUM_RETENTION_DAYS: Final = 35
# CreateDBInstance and CreateDBCluster keep one day if nothing is said.
_AWS_DEFAULT_RETENTION_DAYS: Final = 1


def _storage_encrypted(database: Resource, _context: Context) -> Iterator[Outcome]:
    if database.get("storageEncrypted") is None and is_replica(database):
        return  # A replica has its source's encryption: judged with the stack.
    if database.type == GLOBAL_CLUSTER and database.get("sourceDbClusterIdentifier"):
        return  # It has the encryption of the cluster that it is made of.
    # Aurora Serverless v1 is always encrypted (Aurora user guide, "Encrypting Aurora resources").
    silent = database.type == CLUSTER and database.get("engineMode") == "serverless"
    encrypted = boolean(database.get("storageEncrypted"), default=silent)
    yield from require(database, "storageEncrypted", encrypted, bool, "be true")


def _replica_storage_encrypted(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for replica in stack.of_type(INSTANCE):
        silent = replica.get("storageEncrypted") is None and replica.get("kmsKeyId") is None
        if not silent or not is_replica(replica):
            continue
        sources = stack.referenced(replica, "replicateSourceDb", [INSTANCE], _DATABASE_IDENTITIES)
        if sources is UNKNOWN:
            yield Unverified(replica, "replicateSourceDb")
        elif not sources:
            source = shown(replica.get("replicateSourceDb"))
            yield Violation(
                replica,
                f"has no storageEncrypted, and its source {source} is not in this stack",
                "have storageEncrypted = true, or kmsKeyId for a replica in another region",
            )


def _not_public(database: Resource, _context: Context) -> Iterator[Outcome]:
    public = boolean(database.get("publiclyAccessible"), default=False)
    yield from require(database, "publiclyAccessible", public, lambda it: not it, "be false")


def _retention(database: Resource, context: Context) -> Iterator[Outcome]:
    if is_replica(database):
        return  # Recovery starts from the primary's backups.
    least = MINIMUM_RETENTION_DAYS[context.environment]
    configured = context.thresholds.get(PITR_RETENTION.id, {}).get("minimumDays")
    if isinstance(configured, int | float):
        least = int(configured)
    days = integer(database.get("backupRetentionPeriod"), default=_AWS_DEFAULT_RETENTION_DAYS)
    yield from require(
        database,
        "backupRetentionPeriod",
        days,
        lambda it: least <= it <= MAXIMUM_RETENTION_DAYS,
        f"be {least} to {MAXIMUM_RETENTION_DAYS} days in {context.environment} "
        f"(AWS keeps {_AWS_DEFAULT_RETENTION_DAYS} if it is not set)",
    )


def _group_forces_ssl(group: Resource, _context: Context) -> Iterator[Outcome]:
    family = group.get("family")
    if isinstance(family, str) and not POSTGRES_FAMILIES[group.type].match(family):
        return
    for outcome in forced(group):
        if family is not UNKNOWN:
            yield outcome
        else:
            yield Unverified(group, "family")


def _databases_force_ssl(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for database in stack.of_type(INSTANCE, CLUSTER):
        yield from _database_forces_ssl(stack, database)


def _database_forces_ssl(stack: Stack, database: Resource) -> Iterator[Outcome]:
    engine = database.get("engine")
    if isinstance(engine, str) and engine and not re.search("postgres", engine, re.IGNORECASE):
        return
    holder = group_holder(stack, database)
    if isinstance(holder, Violation | Unverified):
        yield holder
        return
    property_name, group_type = GROUP_PROPERTIES[holder.type]
    groups = stack.referenced(holder, property_name, [group_type], GROUP_IDENTITIES)
    limit = f"have {property_name} of a group in this stack that sets rds.force_ssl = 1"
    if groups is UNKNOWN:
        yield Unverified(database, property_name)
    elif holder.get(property_name) in (None, ""):
        yield Violation(
            database, f"has no {property_name}: AWS's default group differs by version", limit
        )
    elif not groups:
        given = shown(holder.get(property_name))
        yield Violation(database, f"has {property_name} = {given}, not in this stack", limit)
    else:
        for group in groups:
            family = group.get("family")
            pattern = POSTGRES_FAMILIES[group.type]
            if not engine and isinstance(family, str) and not pattern.match(family):
                continue  # The engine comes from the source or the snapshot: not PostgreSQL.
            for outcome in forced(group):
                if isinstance(outcome, Violation):
                    found = f"uses {group.label}, which {outcome.found}"
                    yield Violation(database, found, limit, cause=group)
                else:
                    yield Unverified(database, f"{outcome.needs} of {group.label}", cause=group)


def group_holder(stack: Stack, database: Resource) -> Resource | Violation | Unverified:
    """The database whose parameter group applies: a replica without its own takes its source's.

    That holds within one region (CreateDBInstanceReadReplica, DBParameterGroupName); a source given
    by ARN may be in another, where the default group would apply.
    """
    seen: list[Resource] = []
    while database.type == INSTANCE and is_replica(database) and database not in seen:
        seen.append(database)
        if database.get("parameterGroupName") not in (None, ""):
            return database
        source = database.get("replicateSourceDb")
        if isinstance(source, str) and source.startswith("arn:"):
            return Violation(
                seen[0],
                "has no parameterGroupName, and its source is given by ARN: in another region "
                "AWS's default group applies",
                "have a parameterGroupName of its own",
            )
        sources = stack.referenced(database, "replicateSourceDb", [INSTANCE], _DATABASE_IDENTITIES)
        if sources is UNKNOWN:
            return Unverified(seen[0], "replicateSourceDb")
        if not sources:
            return Violation(
                seen[0],
                f"has no parameterGroupName, and its source {shown(source)} is not in this stack",
                "have a parameterGroupName of a group that sets rds.force_ssl = 1",
            )
        database = sources[0]
    return database


def forced(group: Resource) -> Iterator[Outcome]:
    """Whether rds.force_ssl is 1 in `group`, whatever its family."""
    limit = "set rds.force_ssl to 1"
    parameters = sequence(group.get("parameters"))
    if parameters is UNKNOWN:
        yield Unverified(group, "parameters")
        return
    if isinstance(parameters, Wrong):
        yield Violation(group, f"has parameters = {shown(parameters)}", limit)
        return
    found = False
    for parameter in parameters:
        if not isinstance(parameter, dict):
            if parameter is not UNKNOWN:
                yield Violation(group, f"has the parameter {shown(parameter)}", limit)
            continue
        fields = cast("dict[str, object]", parameter)
        name = fields.get("name")
        if not isinstance(name, str) or name.lower() != "rds.force_ssl":
            continue
        found = True
        yield from _forced_by(group, fields, limit)
    if not found:
        if contains_unknown(parameters):
            yield Unverified(group, "parameters")
        else:
            yield Violation(group, "does not set rds.force_ssl", limit)


def _forced_by(group: Resource, parameter: dict[str, object], limit: str) -> Iterator[Outcome]:
    value = parameter.get("value")
    if isinstance(value, Unknown):
        yield Unverified(group, "the value of rds.force_ssl")
    elif isinstance(value, bool) or value not in (1, "1"):
        # RDS accepts exactly 0 and 1 (DescribeDBParameters, AllowedValues).
        hint = ", which RDS does not accept" if value not in (0, "0", None) else ""
        yield Violation(group, f"has rds.force_ssl = {shown(value)}{hint}", limit)
    method = parameter.get("applyMethod")
    if isinstance(method, Unknown):
        yield Unverified(group, "applyMethod of rds.force_ssl")
    elif method not in (None, "immediate"):
        # The parameter is dynamic; waiting for a reboot leaves plain text allowed until then.
        yield Violation(
            group, f"has rds.force_ssl with applyMethod = {shown(method)}", "apply it immediately"
        )


def is_replica(database: Resource) -> bool:
    return database.get("replicateSourceDb") not in (None, "")


SSL_ENFORCED: Final = Rule(
    id="rds-ssl-enforced",
    title="PostgreSQL refuses connections without TLS",
    what="Every PostgreSQL database uses a parameter group of the stack with rds.force_ssl = 1.",
    why="Without it the server accepts passwords and data in plain text.",
    remediation="set the parameter rds.force_ssl = 1 in the database's parameter group "
    "(aws.rds.ParameterGroup) and give the group to the instance as parameter_group_name.",
    severity=Severity.CRITICAL,
    catalogue=("PGP-01",),
    controls=("CKV2_AWS_69", "RDS.38", "5.8", "6.8", "rds-postgres-instance-encrypted-in-transit"),
    types=(PARAMETER_GROUP, CLUSTER_PARAMETER_GROUP),
    never_exempt_in=frozenset({Environment.PROD}),
    check_resource=_group_forces_ssl,
    check_stack=_databases_force_ssl,
)

STORAGE_ENCRYPTED: Final = Rule(
    id="rds-storage-encrypted",
    title="Database storage is encrypted",
    what="storageEncrypted is true on every database.",
    why="Unencrypted storage also makes every snapshot and replica of it unencrypted, and it "
    "cannot be encrypted later without a new instance.",
    remediation="set storage_encrypted = True (and kms_key_id to a key of your own).",
    severity=Severity.HIGH,
    catalogue=("RDS-01",),
    controls=(
        "CKV_AWS_16",
        "CKV_AWS_96",
        "CKV_AWS_140",
        "RDS.3",
        "3.2.1",
        "rds-storage-encrypted",
        "disallowUnencryptedStorage",
    ),
    types=(INSTANCE, CLUSTER, GLOBAL_CLUSTER),
    check_resource=_storage_encrypted,
    check_stack=_replica_storage_encrypted,
)

NOT_PUBLIC: Final = Rule(
    id="rds-not-public",
    title="Databases have no public address",
    what="publiclyAccessible is false on every database instance.",
    why="A public address leaves a security group rule as the only thing between the internet "
    "and the data.",
    remediation="set publicly_accessible = False; reach the database from inside the VPC "
    "(pooler, migration runner, EC2 Instance Connect Endpoint).",
    severity=Severity.CRITICAL,
    catalogue=("RDS-03",),
    controls=(
        "CKV_AWS_17",
        "RDS.2",
        "3.2.3",
        "rds-instance-public-access",
        "disallowPublicAccess",
    ),
    types=(INSTANCE, CLUSTER_INSTANCE),
    never_exempt_in=frozenset({Environment.PROD}),
    check_resource=_not_public,
)

PITR_RETENTION: Final = Rule(
    id="rds-pitr-retention",
    title="Point-in-time recovery reaches back far enough",
    what="backupRetentionPeriod is at least 1 (local), 3 (dev), 7 (staging) or 30 (prod) days.",
    why="A deletion that is noticed later than this cannot be undone.",
    remediation="raise the database's backup retention in stacks/Pulumi.<environment>.yaml "
    "(backup_retention_period of aws.rds.Instance).",
    severity=Severity.HIGH,
    catalogue=("RDS-05",),
    controls=("CKV_AWS_133", "RDS.11", "rds-instance-backup-enabled", "configureBackupRetention"),
    types=(INSTANCE, CLUSTER),
    settings_schema={
        "minimumDays": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAXIMUM_RETENTION_DAYS,
            "description": "Least days of point-in-time recovery, in place of the environment's.",
        }
    },
    check_resource=_retention,
)

RULES: Final = (SSL_ENFORCED, STORAGE_ENCRYPTED, NOT_PUBLIC, PITR_RETENTION)
