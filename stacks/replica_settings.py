"""Settings of read replicas, here and in other regions, and of backups copied to another region."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks import forms
from stacks.origin_settings import SecurityGroupId
from stacks.schema import SettingsGroup, setting

SubnetId = Annotated[str, Field(pattern=forms.SUBNET.pattern)]
_REPLICAS = "AWS RDS user guide: working with DB instance read replicas"
_REPLICA_CREATE = "AWS RDS API reference: CreateDBInstanceReadReplica"
_KEY_WHY = "KMS keys belong to one region; an encrypted copy needs one where it goes"

StorageType = Literal["gp3", "io2"]


class ReplicaShape(SettingsGroup):
    """What may differ between a replica and its primary; the primary's where it is left out."""

    instance_class: str | None = setting(
        "Machine of the replica",
        default=None,
        form=forms.INSTANCE_CLASS,
        why="a replica must keep up with the primary's writes",
        source=_REPLICAS,
    )
    multi_az: bool | None = setting(
        "A standby of the replica in a second zone; none when left out",
        default=None,
        why="a promoted replica has it from its first minute; it doubles the price",
        source=_REPLICAS,
    )
    storage_type: StorageType | None = setting(
        "Storage of the replica",
        default=None,
        why="reads may need other storage than writes",
        source=_REPLICA_CREATE,
    )
    allocated_storage_gib: int | None = setting(
        "Storage of the replica",
        default=None,
        unit="GiB",
        ge=20,
        le=65_536,
        why="at least the primary's, whose data it holds",
        source=_REPLICA_CREATE,
    )
    iops: int | None = setting(
        "Provisioned IOPS of the replica",
        default=None,
        unit="IOPS",
        ge=1_000,
        le=256_000,
        why="RDS provisions 1000 to 256000",
        source="AWS RDS user guide: Amazon RDS DB instance storage",
    )
    storage_throughput_mibps: int | None = setting(
        "Provisioned gp3 throughput of the replica",
        default=None,
        unit="MiB/s",
        ge=500,
        le=4_000,
        why="RDS provisions 500 to 4000 MiB/s on gp3",
        source="AWS RDS user guide: Amazon RDS DB instance storage",
    )


class ReplicaOverride(ReplicaShape):
    """How one replica of this region differs."""

    number: int = setting(
        "Which replica, from 1",
        unit="number of the replica",
        ge=1,
        le=15,
        why="replicas are numbered from 1 to replicas.count",
        source=_REPLICAS,
    )
    availability_zone: str | None = setting(
        "Zone of the replica; the zones take turns when left out",
        default=None,
        form=forms.ZONE,
        why="a zone of the stack's region",
        source=_REPLICA_CREATE,
    )


class RegionalKey(SettingsGroup):
    """A KMS key where the copy goes: a given one, or one that the program makes there."""

    kms_key_arn: str | None = setting(
        "Key in that region",
        default=None,
        form=forms.KEY_ARN,
        why=_KEY_WHY,
        source="AWS RDS user guide: encrypting Amazon RDS resources",
    )
    create_kms_key: bool = setting(
        "Make a key in that region; it outlives the stack",
        default=False,
        why=_KEY_WHY,
        source="AWS RDS user guide: encrypting Amazon RDS resources",
    )


class RegionalReplica(ReplicaShape, RegionalKey):
    """A replica in another region, inside a VPC that is there already."""

    region: str = setting(
        "Region of the replica",
        form=forms.REGION,
        why="another region than the stack's",
        source=_REPLICAS,
    )
    vpc_id: str = setting(
        "VPC in that region",
        form=forms.VPC,
        why="RDS takes none of the primary's network along",
        source=_REPLICAS,
    )
    subnet_ids: tuple[SubnetId, ...] = setting(
        "Private subnets there, in two zones at least",
        min_length=2,
        each=forms.SUBNET,
        why="a DB subnet group covers two zones",
        source="AWS RDS user guide: working with a DB instance in a VPC",
    )
    client_security_group_ids: tuple[SecurityGroupId, ...] = setting(
        "Security groups there whose members may connect",
        default=(),
        each=forms.SECURITY_GROUP,
        why="groups, never address ranges; without any nobody connects until it is promoted",
        source="AWS RDS user guide: controlling access with security groups",
    )


class ReplicaSettings(ReplicaShape):
    """Asynchronous read replicas in the stack's region, and how single ones differ."""

    count: int = setting(
        "How many in the stack's region",
        default=1,
        unit="replicas",
        ge=0,
        le=15,
        why="`readonly` users read on a replica; RDS allows 15 of one source",
        source=_REPLICAS,
    )
    overrides: tuple[ReplicaOverride, ...] = setting(
        "Replicas that differ from the others",
        default=(),
        why="replicas need not be alike: a large one for reports, small ones for reads",
        source=_REPLICA_CREATE,
    )
    other_regions: tuple[RegionalReplica, ...] = setting(
        "Replicas in other regions, one a region",
        default=(),
        why="a lost region must not lose the database",
        source=_REPLICAS,
    )


class BackupReplication(RegionalKey):
    """Automated backups, snapshots and write-ahead log, replicated to another region."""

    region: str = setting(
        "Region that gets the backups",
        form=forms.REGION,
        why="another region than the stack's",
        source="AWS RDS user guide: replicating automated backups to another AWS Region",
    )
    retention_days: int = setting(
        "How far back recovery reaches there",
        default=7,
        unit="days",
        ge=1,
        le=35,
        why="RDS keeps automated backups for at most 35 days",
        source="AWS RDS API reference: StartDBInstanceAutomatedBackupsReplication",
    )
