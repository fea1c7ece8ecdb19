"""Rules for what stands around a database: group, replicas, copies, protection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .buckets import BUCKETS
from .database_copies import CLUSTER_SNAPSHOT, CLUSTER_SNAPSHOT_COPY, SNAPSHOT, SNAPSHOT_COPY
from .databases import (
    CLUSTER,
    CLUSTER_PARAMETER_GROUP,
    INSTANCE,
    PARAMETER_GROUP,
    is_replica,
)
from .instances import is_other_engine
from .inventory import Resource, Stack
from .links import targets
from .requirements import (
    ADVISORY_BELOW_STAGING,
    ADVISORY_EVERYWHERE,
)
from .resource_policies import KEY
from .rules import Context, Outcome, Phase, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, Wrong, boolean, contains_unknown, integer, one_or_many, shown, text

VAULT: Final = "aws:backup/vault:Vault"
_GROUPS: Final = {
    INSTANCE: ("parameterGroupName", PARAMETER_GROUP),
    CLUSTER: ("dbClusterParameterGroupName", CLUSTER_PARAMETER_GROUP),
}
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html (Port)
_DEFAULT_PORTS: Final = (
    ("postgres", 5432),
    *(("mysql", 3306), ("mariadb", 3306), ("aurora", 3306)),
    *(("oracle", 1521), ("sqlserver", 1433), ("db2", 50_000)),
)

_STATEFUL: Final = (INSTANCE, CLUSTER, *BUCKETS, KEY, VAULT)


def _other_port(database: Resource, _context: Context) -> Iterator[Outcome]:
    if is_replica(database):
        return
    if database.get("engine") is UNKNOWN:
        yield Unverified(database, "engine")
        return
    engine = str(database.get("engine") or "postgres").lower()
    usual = next((port for name, port in _DEFAULT_PORTS if name in engine), 0)
    port = integer(database.get("port"), default=usual)
    if port is UNKNOWN:
        yield Unverified(database, "port")
    elif isinstance(port, Wrong) or port == usual:
        found = f"has port = {shown(database.get('port'))}"
        yield Violation(database, found, f"be another than {usual}")


def _family_matches(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for database in stack.of_type(INSTANCE, CLUSTER):
        property_name, group_type = _GROUPS[database.type]
        name = database.get(property_name)
        if is_other_engine(database) or name in (None, ""):
            continue  # Without a group rds-ssl-enforced refuses the database.
        if isinstance(name, str) and name.startswith("default."):
            found = f"has {property_name} = {shown(name)}, which nobody can change"
            yield Violation(database, found, "be a group of one's own")
            continue
        version = _version(stack, database)
        groups = stack.referenced(database, property_name, [group_type], ("name", "id"))
        if groups is UNKNOWN:
            yield Unverified(database, property_name)
            continue
        for group in groups:
            family = text(group.get("family"))
            if family is UNKNOWN or version is UNKNOWN:
                resource, needs = (
                    (group, "family") if family is UNKNOWN else (database, "engineVersion")
                )
                yield Unverified(resource, needs)
            elif isinstance(family, str) and isinstance(version, str) and version:
                numbers = version.split(".")
                major = ".".join(numbers[:2]) if numbers[0] == "9" else numbers[0]
                if re.sub(r"^\D*", "", family) != major:
                    fits = f"{group.label} of family {shown(family)}"
                    found = f"has engineVersion {shown(version)} with {fits}"
                    yield Violation(database, found, "have a group of its own version")


def _version(stack: Stack, database: Resource) -> object:
    """The version that the database has after the update.

    A replica has its source's: RDS upgrades both together, and what the engine knows of a replica
    that names no version is the one from before.
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.html
    """
    found = stack.referenced(database, "replicateSourceDb", [INSTANCE], ("identifier", "id"))
    here = [] if found is UNKNOWN else [one for one in found if not one.elsewhere(database)]
    return text((here[0] if here else database).get("engineVersion"))


def _replicas(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for replica in stack.of_type(INSTANCE):
        if not is_replica(replica):
            continue
        identities = ("identifier", "arn", "id")
        found = stack.referenced(replica, "replicateSourceDb", [INSTANCE], identities)
        if found is UNKNOWN:
            yield Unverified(replica, "replicateSourceDb")
            continue
        for source in found:
            if source.get("region") == replica.get("region"):
                yield from _elsewhere(replica, source)
            yield from _as_guarded(replica, source)


def _elsewhere(replica: Resource, source: Resource) -> Iterator[Outcome]:
    both_zones = boolean(replica.get("multiAz"), default=False)
    if both_zones is True:
        return  # RDS takes no zone for a replica that stands in two
    zone, taken = replica.get("availabilityZone"), source.get("availabilityZone")
    limit = "name a zone, another one than its source's (a Multi-AZ source moves between two)"
    if UNKNOWN in (both_zones, zone, taken):
        yield Unverified(replica, "availabilityZone")
    elif not isinstance(zone, str) or not zone:
        yield Violation(replica, f"has availabilityZone = {shown(zone)}", limit)
    elif zone == taken:
        yield Violation(replica, f"is in {zone} as its source", limit)


def _as_guarded(replica: Resource, source: Resource) -> Iterator[Outcome]:
    limit = f"have what its source {source.label} has"
    encrypted = boolean(replica.get("storageEncrypted"), default=True)
    if encrypted is UNKNOWN:
        yield Unverified(replica, "storageEncrypted")
    elif encrypted is False:
        yield Violation(replica, "has storageEncrypted = false", limit)
    names = ("performanceInsightsEnabled", "iamDatabaseAuthenticationEnabled")
    for name in (*names, "copyTagsToSnapshot", "autoMinorVersionUpgrade"):
        wanted = boolean(source.get(name), default=False)
        have = boolean(replica.get(name), default=False)
        if wanted is True and have is UNKNOWN:
            yield Unverified(replica, name)
        elif wanted is True and have is not True:
            yield Violation(replica, f"has {name} = {shown(replica.get(name))}", limit)
    name = "enabledCloudwatchLogsExports"
    wanted_logs, have_logs = one_or_many(source.get(name)), one_or_many(replica.get(name))
    known = {one for one in wanted_logs if isinstance(one, str)}
    if missing := sorted(known - {one for one in have_logs if isinstance(one, str)}):
        if contains_unknown(have_logs):
            yield Unverified(replica, name)
        else:
            yield Violation(replica, f"does not export {shown(missing)}", limit)
    elif contains_unknown(wanted_logs):
        yield Unverified(replica, f"{name} of its source")


def _protected(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for resource in stack.of_type(*_STATEFUL):
        if not resource.protect and not is_replica(resource):
            yield Violation(
                resource,
                "has not Pulumi's option protect",
                "have it, so that the engine refuses to delete or replace what holds data",
            )


def _snapshot_encrypted(snapshot: Resource, _context: Context) -> Iterator[Outcome]:
    for name in ("encrypted", "storageEncrypted"):
        value = boolean(snapshot.get(name), default=True)
        if value is UNKNOWN:
            yield Unverified(snapshot, name)
        elif isinstance(value, Wrong) or value is False:
            yield Violation(snapshot, f"has {name} = {shown(snapshot.get(name))}", "be encrypted")
    if snapshot.type in (SNAPSHOT_COPY, CLUSTER_SNAPSHOT_COPY):
        key = snapshot.get("kmsKeyId")
        if key is UNKNOWN:
            yield Unverified(snapshot, "kmsKeyId")
        elif key in (None, ""):
            yield Violation(snapshot, "has no kmsKeyId", "be a copy that is encrypted by a key")


def _snapshots_of_encrypted(stack: Stack, context: Context) -> Iterator[Outcome]:
    for kind, property_name, source_type, said in (
        (SNAPSHOT, "dbInstanceIdentifier", INSTANCE, "encrypted"),
        (CLUSTER_SNAPSHOT, "dbClusterIdentifier", CLUSTER, "storageEncrypted"),
    ):
        for snapshot in stack.of_type(kind):
            databases = targets(stack, snapshot, property_name, (source_type,)).found
            if not databases and snapshot.identity(said) is None:
                # AWS says it of every snapshot that exists; no program sets it.
                if context.phase is Phase.PREVIEW:
                    yield Unverified(snapshot, said)
                else:
                    found = f"has no {said}, and its database is not in this stack"
                    yield Violation(snapshot, found, "be encrypted")
            for database in databases:
                encrypted = boolean(database.get("storageEncrypted"), default=False)
                if encrypted is UNKNOWN:
                    yield Unverified(database, "storageEncrypted")
                elif encrypted is not True and not is_replica(database):
                    found = f"is of {database.label}, which is not encrypted"
                    yield Violation(snapshot, found, "be of an encrypted database")


RULES: Final = (
    Rule(
        id="rds-other-port",
        title="The database listens on a port of its own",
        what="port is another than the engine's own (5432). The catalogue calls this optional: "
        "groups and TLS decide who gets in on any port, and RDS restarts a database whose port "
        "changes at once, whatever its window, while every client that connects directly loses "
        "it. So this is advice.",
        why="Scanners inside the network try the usual port first.",
        remediation="set port on the database, and in every rule and client that names it "
        "(POSTGRESQL_PORT in components/security_groups.py).",
        severity=Severity.MEDIUM,
        catalogue=("RDS-17",),
        controls=("RDS.23",),
        types=(INSTANCE, CLUSTER),
        enforcement=ADVISORY_EVERYWHERE,
        check_resource=_other_port,
    ),
    Rule(
        id="rds-own-parameter-group",
        title="The parameter group is one's own and fits the version",
        what="The parameter group of every database is none of AWS's default groups, and its "
        "family is that of engineVersion.",
        why="A default group cannot be changed, and one of another version fails when applied.",
        remediation="set family of the aws.rds.ParameterGroup to the version "
        "(components/parameter_group.py takes database.engine_version).",
        severity=Severity.HIGH,
        catalogue=("RDS-19",),
        controls=(),
        types=(),
        check_stack=_family_matches,
        joined_types=(INSTANCE, CLUSTER),
    ),
    Rule(
        id="rds-replica-like-source",
        title="Replicas are guarded as their source, in another zone",
        what="Every replica has the logs, insights, IAM login and encryption of its source, and a "
        "named zone that is not its source's, or a standby in a second one.",
        why="A replica is promoted in the worst hour; what it lacks then is missing in production.",
        remediation="set replicas in stacks/Pulumi.<environment>.yaml, which copies the source's "
        "properties; availability_zone of aws.rds.Instance elsewhere.",
        severity=Severity.HIGH,
        catalogue=("RDS-21",),
        controls=(),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_replicas,
        joined_types=(INSTANCE,),
    ),
    Rule(
        id="rds-stateful-protected",
        title="Pulumi refuses to delete or replace what holds data",
        what="Databases that are not replicas, buckets, keys and vaults have the option protect.",
        why="A renamed resource or a wrong destroy would take the data, or the key to it, along.",
        remediation="give the resource pulumi.ResourceOptions(protect=True) "
        "(components/protection.py; database.deletion_protection in the stack's settings).",
        severity=Severity.HIGH,
        catalogue=("RDS-22",),
        controls=(),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_protected,
        joined_types=_STATEFUL,
    ),
    Rule(
        id="rds-snapshots-encrypted",
        title="Snapshots are encrypted",
        what="No snapshot is unencrypted, of an unencrypted database, or a copy without a key.",
        why="Whoever gets hold of a snapshot restores it and reads everything.",
        remediation="set storage_encrypted on the database and kms_key_id on the copy.",
        severity=Severity.CRITICAL,
        catalogue=("RDS-25",),
        controls=("CKV_AWS_146", "RDS.4"),
        types=(SNAPSHOT, CLUSTER_SNAPSHOT, SNAPSHOT_COPY, CLUSTER_SNAPSHOT_COPY),
        check_resource=_snapshot_encrypted,
        check_stack=_snapshots_of_encrypted,
    ),
)
