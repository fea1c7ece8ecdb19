"""Rules for RDS instances: keys, standby, deletion, authentication, upgrades, storage."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Final

from .databases import CLUSTER, CLUSTER_INSTANCE, INSTANCE, is_replica
from .inventory import Resource
from .requirements import (
    ADVISORY_BELOW_STAGING,
    absent,
    flag,
    given,
    number,
    on_resource,
    one_of,
    text_where,
)
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, shown, text

# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html (2024 authorities)
_CURRENT_AUTHORITIES: Final = ("rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1")
# Names that attackers try first; Security Hub RDS.25 and the engine's own default.
_GUESSABLE_USERNAMES: Final = frozenset(
    {"admin", "administrator", "master", "postgres", "rdsadmin", "root", "user"}
)
# End of standard support on RDS: AWS, "Release calendars for RDS for PostgreSQL".
_SUPPORTED_UNTIL: Final = {
    13: datetime.date(2026, 2, 28),
    14: datetime.date(2027, 2, 28),
    15: datetime.date(2028, 2, 29),
    16: datetime.date(2029, 2, 28),
    17: datetime.date(2030, 2, 28),
    18: datetime.date(2031, 2, 28),
}
_VERSION: Final = re.compile(r"(\d{1,3}(\.\d{1,3}){0,2}([-_]\w[\w.-]*)?)?")
# The last version of each major whose log_fdw, or Aurora's own file access, reads files of the host
# (AWS security bulletin 2022-004), with the first one that does not.
_FILE_READ_FIXED: Final = {
    "postgres": {9: (9, 6, 22), 10: (10, 17), 11: (11, 12), 12: (12, 7), 13: (13, 3)},
    "aurora-postgresql": {10: (10, 14), 11: (11, 9)},
}


def is_other_engine(database: Resource) -> bool:
    engine = database.get("engine")
    return isinstance(engine, str) and bool(engine) and "postgres" not in engine.lower()


def _final_snapshot(database: Resource, context: Context) -> Iterator[Outcome]:
    yield from on_resource(
        flag("skipFinalSnapshot", False, default=False),
        given("finalSnapshotIdentifier"),
        flag("deleteAutomatedBackups", False, default=True),
    )(database, context)


def _version(database: Resource) -> str | Outcome | None:
    """The version as text; `None` if AWS chooses it or the engine is another."""
    if is_other_engine(database):
        return None
    version = text(database.get("engineVersion"))
    for name in ("engine", "engineVersion"):
        if database.get(name) is UNKNOWN:
            return Unverified(database, name)
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        found = f"has engineVersion = {shown(database.get('engineVersion'))}"
        return Violation(database, found, "be a version such as 17 or 17.4")
    return version or None


def _numbers(version: str) -> tuple[int, ...]:
    """(13, 2) of "13.2" and of "13.2-R1"."""
    match = re.match(r"[\d.]*\d", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _supported(database: Resource, context: Context) -> Iterator[Outcome]:
    version = _version(database)
    if not isinstance(version, str):
        yield from [version] if version is not None else []
        return
    major = _numbers(version)[0]
    end = _SUPPORTED_UNTIL.get(major)
    if end is None and major > max(_SUPPORTED_UNTIL):
        return  # Newer than this table.
    if end is None or end < context.today:
        ended = "long ago" if end is None else f"on {end}"
        found = f'has engineVersion = "{version}", whose standard support ended {ended}'
        yield Violation(database, found, "be a major version that RDS supports")


def _no_file_read(database: Resource, _context: Context) -> Iterator[Outcome]:
    version = _version(database)
    if not isinstance(version, str):
        if isinstance(version, Unverified):
            yield version  # A version of a wrong type is refused as not supported.
        return
    numbers = _numbers(version)
    engine = str(database.get("engine") or "postgres").lower()
    fixed = _FILE_READ_FIXED.get(engine, {}).get(numbers[0])
    # A major version alone ("13") lets RDS take its newest minor.
    if fixed is not None and len(numbers) > 1 and numbers < fixed:
        newest = ".".join(map(str, fixed))
        found = f'has engineVersion = "{version}", which lets database users read host files'
        yield Violation(database, found, f"be {newest} or newer")


def _has_own_username(database: Resource) -> bool:
    """Whether the instance takes the user from its source instead of naming one."""
    return is_replica(database) or database.get("snapshotIdentifier") not in (None, "")


CUSTOMER_KEY: Final = Rule(
    id="rds-customer-key",
    title="Database storage is under a key of one's own",
    what="kmsKeyId names a customer key on every database that is not a replica.",
    why="The key of AWS's own alias can neither be revoked nor shared, so that a snapshot cannot "
    "be copied to a recovery account.",
    remediation="set kms_key_id to the stack's database key (components/encryption_keys.py).",
    severity=Severity.MEDIUM,
    catalogue=("RDS-02",),
    controls=("CKV_AWS_327", "configureCustomerManagedKey"),
    types=(INSTANCE, CLUSTER),
    enforcement=ADVISORY_BELOW_STAGING,
    check_resource=on_resource(given("kmsKeyId"), unless=is_replica),
)

MULTI_AZ: Final = Rule(
    id="rds-multi-az",
    title="The primary has a standby in another zone",
    what="multiAz is true on every instance that is not a replica.",
    why="The loss of one zone would otherwise stop every write until a restore ends.",
    remediation="set database.multi_az: true in stacks/Pulumi.<environment>.yaml.",
    severity=Severity.HIGH,
    catalogue=("RDS-04",),
    controls=("CKV_AWS_157", "RDS.5", "3.2.4", "rds-instance-multi-az-enabled"),
    types=(INSTANCE,),
    enforcement=ADVISORY_BELOW_STAGING,
    check_resource=on_resource(flag("multiAz", True, default=False), unless=is_replica),
)

DELETION_PROTECTED: Final = Rule(
    id="rds-deletion-protected",
    title="RDS refuses to delete the database",
    what="deletionProtection is true on every instance and cluster.",
    why="One wrong `destroy` would delete the database with its automated backups.",
    remediation="set database.deletion_protection: true in stacks/Pulumi.<environment>.yaml.",
    severity=Severity.CRITICAL,
    catalogue=("RDS-06",),
    controls=("CKV_AWS_293", "CKV_AWS_139", "RDS.8", "RDS.7"),
    types=(INSTANCE, CLUSTER),
    enforcement=ADVISORY_BELOW_STAGING,
    check_resource=on_resource(flag("deletionProtection", True, default=False)),
)

FINAL_SNAPSHOT: Final = Rule(
    id="rds-final-snapshot",
    title="A deleted database leaves a snapshot and its backups",
    what="skipFinalSnapshot and deleteAutomatedBackups are false and finalSnapshotIdentifier is "
    "set on every database that is not a replica.",
    why="A deletion that was meant for another stack could not be undone.",
    remediation="set database.final_snapshot and database.deletion_protection to true in "
    "stacks/Pulumi.<environment>.yaml.",
    severity=Severity.HIGH,
    catalogue=("RDS-07",),
    controls=(),
    types=(INSTANCE, CLUSTER),
    enforcement=ADVISORY_BELOW_STAGING,
    check_resource=lambda database, context: (
        () if is_replica(database) else _final_snapshot(database, context)
    ),
)

IAM_AUTHENTICATION: Final = Rule(
    id="rds-iam-authentication",
    title="People can log in with IAM instead of a password",
    what="iamDatabaseAuthenticationEnabled is true on every database.",
    why="Administrators would otherwise share a password that outlives them.",
    remediation="set iam_database_authentication_enabled = True.",
    severity=Severity.MEDIUM,
    catalogue=("RDS-11",),
    controls=("CKV_AWS_161", "RDS.10"),
    types=(INSTANCE, CLUSTER),
    check_resource=on_resource(flag("iamDatabaseAuthenticationEnabled", True, default=False)),
)

MINOR_UPGRADES: Final = Rule(
    id="rds-minor-upgrades",
    title="Minor versions are installed automatically",
    what="autoMinorVersionUpgrade is true on every instance.",
    why="PostgreSQL's security fixes come as minor versions.",
    remediation="set auto_minor_version_upgrade = True; choose the maintenance window in "
    "database.maintenance_window.",
    severity=Severity.MEDIUM,
    catalogue=("RDS-12",),
    controls=("CKV_AWS_226", "RDS.13", "3.2.2"),
    types=(INSTANCE, CLUSTER_INSTANCE),
    # Terraform's provider and checkov read a missing value as off; it is asked for in writing.
    check_resource=on_resource(flag("autoMinorVersionUpgrade", True, default=False)),
)

NO_MAJOR_UPGRADES: Final = Rule(
    id="rds-no-major-upgrades",
    title="A major upgrade needs a decision of its own",
    what="allowMajorVersionUpgrade is false on every database.",
    why="A changed engineVersion would start a major upgrade, which cannot be taken back.",
    remediation="remove allow_major_version_upgrade; for an upgrade write a dated exemption "
    "(docs/database.md, major upgrades).",
    severity=Severity.HIGH,
    catalogue=("RDS-12",),
    controls=(),
    types=(INSTANCE, CLUSTER),
    check_resource=on_resource(flag("allowMajorVersionUpgrade", False, default=False)),
)

TAGS_ON_SNAPSHOTS: Final = Rule(
    id="rds-tags-on-snapshots",
    title="Snapshots carry the database's tags",
    what="copyTagsToSnapshot is true on every database.",
    why="A snapshot without owner and environment is deleted by mistake or kept for ever.",
    remediation="set copy_tags_to_snapshot = True.",
    severity=Severity.MEDIUM,
    catalogue=("RDS-13",),
    controls=("CKV2_AWS_60", "CKV_AWS_313", "RDS.17"),
    types=(INSTANCE, CLUSTER),
    enforcement=ADVISORY_BELOW_STAGING,
    check_resource=on_resource(flag("copyTagsToSnapshot", True, default=False)),
)

CURRENT_AUTHORITY: Final = Rule(
    id="rds-current-authority",
    title="The database's certificate comes from a current authority",
    what=f"caCertIdentifier is {', '.join(_CURRENT_AUTHORITIES)}, or AWS's default.",
    why="Clients that verify the server refuse a certificate of an expired authority.",
    remediation="set database.ca_certificate in stacks/Pulumi.<environment>.yaml.",
    severity=Severity.HIGH,
    catalogue=("RDS-14",),
    controls=("CKV_AWS_211",),
    types=(INSTANCE, CLUSTER_INSTANCE),
    check_resource=on_resource(
        one_of("caCertIdentifier", _CURRENT_AUTHORITIES, default=_CURRENT_AUTHORITIES[0])
    ),
)

SUPPORTED_VERSION: Final = Rule(
    id="rds-supported-version",
    title="The major version is supported",
    what="engineVersion is a major version within RDS's standard support.",
    why="Later there are no security fixes, and AWS upgrades it on a day of its own choice.",
    remediation="set engine_version to a supported major version (database.engine_version).",
    severity=Severity.HIGH,
    catalogue=("RDS-15",),
    controls=("1.5",),
    types=(INSTANCE, CLUSTER),
    check_resource=_supported,
)

NO_FILE_READ: Final = Rule(
    id="rds-no-file-read",
    title="The version does not let database users read the host's files",
    what="engineVersion is none of those with the log_fdw or Aurora file access defect.",
    why="A database user could read the host's files, credentials among them.",
    remediation="set engine_version to the newest minor version, or to the major version alone.",
    severity=Severity.CRITICAL,
    catalogue=("RDS-15",),
    controls=("CKV_AWS_250", "CKV_AWS_388"),
    types=(INSTANCE, CLUSTER),
    check_resource=_no_file_read,
)

MASTER_USERNAME: Final = Rule(
    id="rds-master-username",
    title="The master user has a name of its own",
    what="username (masterUsername of a cluster) is not postgres, admin or another usual name.",
    why="A guessed name leaves the password as the only secret.",
    remediation="set username to a name that only this project uses.",
    severity=Severity.MEDIUM,
    catalogue=("RDS-16",),
    controls=("RDS.25",),
    types=(INSTANCE, CLUSTER),
    check_resource=lambda database, context: on_resource(
        text_where(
            "masterUsername" if database.type == CLUSTER else "username",
            lambda name: bool(name) and name.lower() not in _GUESSABLE_USERNAMES,
            "be none of " + ", ".join(sorted(_GUESSABLE_USERNAMES)),
        ),
        unless=_has_own_username,
    )(database, context),
)

NO_STORED_PASSWORD: Final = Rule(
    id="rds-no-stored-password",
    title="No database password stands in the program or the state",
    what="password (masterPassword of a cluster) is not set: manageMasterUserPassword or the "
    "write-only passwordWo take its place.",
    why="Whoever reads the program or the state would own the database.",
    remediation="use password_wo with a throwaway that is replaced at once, or "
    "manage_master_user_password = True.",
    severity=Severity.CRITICAL,
    catalogue=("RDS-16",),
    controls=(),
    types=(INSTANCE, CLUSTER),
    check_resource=on_resource(
        absent("password", "not be set: the state would keep it"),
        absent("masterPassword", "not be set: the state would keep it"),
    ),
)

BOUNDED_STORAGE: Final = Rule(
    id="rds-bounded-storage",
    title="Storage grows by itself, up to a bound",
    what="maxAllocatedStorage is set and storageType is gp3, io1 or io2 on every instance.",
    why="A full disk stops every write; gp2 runs out of credits under load.",
    remediation="set database.max_allocated_storage_gib in stacks/Pulumi.<environment>.yaml, and "
    'storage_type = "gp3".',
    severity=Severity.MEDIUM,
    catalogue=("RDS-27",),
    controls=(),
    types=(INSTANCE,),
    enforcement=ADVISORY_BELOW_STAGING,
    check_resource=on_resource(
        number("maxAllocatedStorage", default=0, least=20, most=65_536, unit="GiB"),
        one_of("storageType", ("gp3", "io1", "io2")),
    ),
)

RULES: Final = (
    CUSTOMER_KEY,
    MULTI_AZ,
    DELETION_PROTECTED,
    FINAL_SNAPSHOT,
    IAM_AUTHENTICATION,
    MINOR_UPGRADES,
    NO_MAJOR_UPGRADES,
    TAGS_ON_SNAPSHOTS,
    CURRENT_AUTHORITY,
    SUPPORTED_VERSION,
    NO_FILE_READ,
    MASTER_USERNAME,
    NO_STORED_PASSWORD,
    BOUNDED_STORAGE,
)
