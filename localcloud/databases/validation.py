"""What RDS refuses before anything is made, with AWS's error codes and messages."""

import re
from collections.abc import Mapping
from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds.exceptions import (
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import RDSBackend

from localcloud.databases import instance_classes
from localcloud.databases.certificates import CERTIFICATE_AUTHORITIES
from localcloud.databases.instance import ENGINE
from localcloud.databases.parameters import default_group

# AWS, CreateDBInstance: limits of RDS for PostgreSQL.
_STORAGE_GIB = {"gp2": (20, 65536), "gp3": (20, 65536), "io1": (100, 65536), "io2": (100, 65536)}
_LARGEST_RETENTION_DAYS = 35
_PASSWORD_LENGTH = (8, 128)
_RESERVED_MASTER_USERNAMES = frozenset({"admin", "public", "rdsadmin", "root", "user"})
_RESERVED_DATABASE_NAMES = frozenset({"db", "rdsadmin", "template0", "template1"})


def validate_create(inputs: Mapping[str, Any]) -> None:
    """Check CreateDBInstance's own inputs."""
    _required(inputs, "db_instance_class", "DBInstanceClass")
    if inputs.get("engine") != ENGINE:
        raise InvalidParameterValue(
            f"Invalid DB engine: {inputs.get('engine')}. The local cloud runs {ENGINE} only."
        )
    for name, shown in (
        ("master_username", "MasterUsername"),
        ("allocated_storage", "AllocatedStorage"),
    ):
        _required(inputs, name, shown)
    if inputs.get("db_cluster_identifier"):
        raise InvalidParameterCombination(
            "DB clusters are not run by the local cloud; create the instance without "
            "DBClusterIdentifier."
        )
    username = str(inputs["master_username"])
    if username.lower() in _RESERVED_MASTER_USERNAMES or username.lower().startswith("pg_"):
        raise InvalidParameterValue(
            f"MasterUsername {username} cannot be used as it is a reserved word used by the engine"
        )
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", username):
        raise InvalidParameterValue(
            "The parameter MasterUsername is not a valid identifier: it has 1 to 63 letters, "
            "digits or underscores and begins with a letter."
        )
    managed = inputs.get("manage_master_user_password")
    if managed and inputs.get("master_user_password"):
        raise InvalidParameterCombination(
            "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword."
        )
    if not managed:
        _required(inputs, "master_user_password", "MasterUserPassword")
    database = inputs.get("db_name")
    if database is not None and (
        database.lower() in _RESERVED_DATABASE_NAMES
        or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", database)
    ):
        raise InvalidParameterValue(f"DBName {database} cannot be used: it is not a valid name")
    if inputs.get("multi_az") and inputs.get("availability_zone"):
        raise InvalidParameterCombination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances."
        )
    validate_common(inputs)


def validate_common(inputs: Mapping[str, Any]) -> None:
    """Check what CreateDBInstance, CreateDBInstanceReadReplica and ModifyDBInstance share."""
    name = inputs.get("db_instance_class")
    if name is not None and not instance_classes.exists(name):
        raise InvalidParameterValue(f"Invalid DB Instance class: {name}")
    retention = inputs.get("backup_retention_period")
    if retention is not None and not 0 <= retention <= _LARGEST_RETENTION_DAYS:
        raise InvalidParameterValue(
            f"Invalid backup retention period: {retention}. Must be between 0 and "
            f"{_LARGEST_RETENTION_DAYS}."
        )
    password = inputs.get("master_user_password")
    if password is not None:
        _validate_password(password)
    kind, size = inputs.get("storage_type") or "gp2", inputs.get("allocated_storage")
    if kind not in _STORAGE_GIB:
        raise InvalidParameterValue(f"Invalid storage type: {kind}")
    if size is not None:
        low, high = _STORAGE_GIB[kind]
        if not low <= size <= high:
            raise InvalidParameterCombination(
                f"Invalid storage size for engine name {ENGINE} and storage type {kind}: {size}; "
                f"allowed are {low} to {high} GiB."
            )
    authority = inputs.get("ca_certificate_identifier")
    if authority is not None and authority not in CERTIFICATE_AUTHORITIES:
        raise RDSClientError("CertificateNotFound", f"Certificate not found: {authority}")
    if inputs.get("enable_performance_insights") is False and inputs.get(
        "performance_insights_kms_key_id"
    ):
        raise InvalidParameterCombination(
            "PerformanceInsightsKMSKeyId needs EnablePerformanceInsights."
        )


def choose_version(requested: str | None, versions: tuple[str, ...]) -> str:
    """The engine version that is asked for; "17" alone means its one minor version.

    Without one it is the newest. Raises InvalidParameterCombination for any other.
    """
    if requested is None:
        return versions[-1]
    for version in versions:
        if requested in (version, version.partition(".")[0]):
            return version
    raise InvalidParameterCombination(
        f"Cannot find version {requested} for {ENGINE}; the local cloud has "
        f"{' and '.join(versions)}."
    )


def validate_references(
    backend: RDSBackend, inputs: Mapping[str, Any], vpc_id: str, family: str
) -> None:
    """Check that the parameter group and the security groups exist and fit."""
    group_name = inputs.get("db_parameter_group_name")
    if group_name and group_name != default_group(family):
        group = backend.db_parameter_groups.get(group_name)
        if group is None:
            raise RDSClientError(
                "DBParameterGroupNotFound", f"DBParameterGroup not found: {group_name}"
            )
        if group.family != family:
            raise InvalidParameterCombination(
                f"The Parameter Group {group_name} with DBParameterGroupFamily {group.family} "
                f"cannot be used for this instance. Please use a Parameter Group with "
                f"DBParameterGroupFamily {family}"
            )
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for group_id in inputs.get("vpc_security_group_ids") or ():
        security_group = ec2.get_security_group_from_id(group_id)
        if security_group is None:
            raise InvalidParameterValue(f"Invalid security group, groupId= {group_id}, groupName=.")
        if security_group.vpc_id != vpc_id:
            raise RDSClientError(
                "InvalidVPCNetworkStateFault",
                "The DB instance and EC2 security group are in different VPCs. The DB instance is "
                f"in {vpc_id} and the EC2 security group is in {security_group.vpc_id}",
            )


def choose_subnet(
    backend: RDSBackend, inputs: Mapping[str, Any], avoid_zone: str | None = None
) -> tuple[str, str, str]:
    """Return subnet, zone and VPC of a new instance; `avoid_zone` is left if there is another."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    if group_name := inputs.get("db_subnet_group_name"):
        group = backend.describe_db_subnet_groups(group_name)[0]
        subnets = [ec2.get_subnet(subnet["SubnetIdentifier"]) for subnet in group.subnets]
    else:
        subnets = ec2.describe_subnets(filters={"vpc-id": ec2.default_vpc.id})
    zones = {subnet.availability_zone for subnet in subnets}
    if group_name and len(zones) < 2:
        raise RDSClientError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            f"Current AZ coverage: {', '.join(sorted(zones))}. Add subnets to cover at least 2 "
            "AZs.",
        )
    zone = inputs.get("availability_zone")
    candidates = [s for s in subnets if zone in (None, s.availability_zone)]
    if not candidates:
        raise RDSClientError(
            "InvalidVPCNetworkStateFault",
            f"No subnet in availability zone {zone}: the DB subnet group covers "
            f"{', '.join(sorted(zones))}.",
        )
    chosen = next((s for s in candidates if s.availability_zone != avoid_zone), candidates[0])
    return chosen.id, chosen.availability_zone, chosen.vpc_id


def _validate_password(password: str) -> None:
    low, high = _PASSWORD_LENGTH
    if not low <= len(password) <= high:
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password because it is "
            f"{'shorter' if len(password) < low else 'longer'} than "
            f"{low if len(password) < low else high} characters."
        )
    if not all("!" <= character <= "~" and character not in '/@"' for character in password):
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII "
            "characters besides '/', '@', '\"', ' ' may be used."
        )


def _required(inputs: Mapping[str, Any], name: str, shown: str) -> None:
    if inputs.get(name) in (None, ""):
        raise InvalidParameterValue(
            f"The parameter {shown} must be provided and must not be blank."
        )
