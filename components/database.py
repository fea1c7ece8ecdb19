"""The primary database: Amazon RDS for PostgreSQL."""

from __future__ import annotations

import secrets
from typing import Any

import pulumi
import pulumi_aws as aws

from components.database_instance import CREATION_ONLY, shared_inputs
from components.database_logs import database_log_groups
from components.database_origin import ORIGIN_INPUTS, database_origin
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.existing_database import ExistingDatabase
from components.final_snapshot import NAMED_ONCE, final_snapshot_name
from components.monitoring_role import monitoring_role
from components.network import Placement
from components.parameter_group import parameter_group
from components.protection import deletion_notice
from components.security_groups import POSTGRESQL_PORT


class Database(pulumi.ComponentResource):
    """The primary with its parameter group, subnet group, log groups and monitoring role."""

    identifier: str
    instance: aws.rds.Instance
    #: Of the storage and of every snapshot.
    storage_key_arn: pulumi.Input[str]
    parameter_group: aws.rds.ParameterGroup
    monitoring: tuple[pulumi.Resource, ...] = ()
    monitoring_role_arn: pulumi.Output[str] | None = None

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        placement: Placement,
        keys: EncryptionKeys,
        security_group_id: pulumi.Input[str],
        imported: ExistingDatabase | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the primary, or take over the one that `imported` describes."""
        super().__init__("pgkeep:components:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = deployment.settings.database
        self.identifier = settings.instance_name(deployment.settings.prefix)
        self.parameter_group = parameter_group(name, deployment, child)
        subnet_group = aws.rds.SubnetGroup(
            f"{name}-subnets",
            name=deployment.name("database"),
            description=f"{deployment.settings.prefix}: private database subnets",
            subnet_ids=placement.database_subnet_ids,
            tags=deployment.tags(deployment.name("database")),
            opts=child,
        )
        role = monitoring_role(name, deployment, child)
        if role is not None:
            self.monitoring, self.monitoring_role_arn = role, role[0].arn
        log_groups = database_log_groups(
            name, deployment, keys.telemetry.arn, self.identifier, child
        )
        origin = database_origin(name, deployment, keys, child)
        self.storage_key_arn = origin.kms_key_id
        first_zone = imported.availability_zone if imported else placement.zones[0]
        # With a standby RDS chooses both zones.
        zone = None if settings.multi_az else settings.availability_zone or first_zone
        self.instance = aws.rds.Instance(
            f"{name}-instance",
            identifier=self.identifier,
            engine="postgres",
            engine_version=settings.engine_version,
            engine_lifecycle_support="open-source-rds-extended-support"
            + ("" if settings.extended_support else "-disabled"),
            allow_major_version_upgrade=settings.major_upgrade is not None,
            blue_green_update={"enabled": True} if settings.blue_green_updates else None,
            instance_class=settings.instance_class,
            # RDS does not read it when it restores: the database of the source stays.
            db_name=imported.db_name if imported else settings.name,
            username=settings.master_username,
            port=POSTGRESQL_PORT,
            allocated_storage=settings.allocated_storage_gib,
            storage_type=settings.storage_type,
            iops=settings.iops,
            storage_throughput=settings.storage_throughput_mibps,
            dedicated_log_volume=settings.dedicated_log_volume,
            kms_key_id=origin.kms_key_id,
            # RDS moves an instance between VPCs, never between two groups of one VPC.
            db_subnet_group_name=imported.subnet_group_name if imported else subnet_group.name,
            vpc_security_group_ids=[security_group_id, *origin.security_group_ids],
            multi_az=settings.multi_az,
            availability_zone=zone,
            parameter_group_name=self.parameter_group.name,
            skip_final_snapshot=not settings.final_snapshot,
            # Also where none is taken: what is ignored could not be added later.
            final_snapshot_identifier=final_snapshot_name(
                self.identifier,
                # Every stack makes this group itself.
                security_group_id,
                imported=origin.import_id is not None,
            ),
            tags=deployment.tags(self.identifier),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*log_groups, *self.monitoring],
                import_=origin.import_id,
                # Its identifier is taken until it is gone, also where `--replace` asks for it.
                delete_before_replace=True,
                # Each run of the program makes another throwaway; only the first one is used.
                ignore_changes=[
                    "password_wo",
                    *ORIGIN_INPUTS,
                    *CREATION_ONLY,
                    *(NAMED_ONCE if origin.import_id is None else ()),
                ],
            ),
            **_master_password(deployment, keys),
            **origin.inputs,
            **shared_inputs(
                deployment,
                monitoring_role_arn=self.monitoring_role_arn,
                insights_key_arn=settings.performance_insights_kms_key_arn or keys.database.arn,
            ),
        )
        notice = deletion_notice(deployment.settings)
        if notice is not None:
            pulumi.log.warn(notice, self.instance)
        self.register_outputs({"endpoint": self.instance.address, "port": self.instance.port})


def _master_password(deployment: Deployment, keys: EncryptionKeys) -> dict[str, Any]:
    if deployment.settings.database.master_password == "managed_by_rds":  # noqa: S105
        return {
            "manage_master_user_password": True,
            "master_user_secret_kms_key_id": keys.secrets.arn,
        }
    if deployment.settings.database.origin.existing is not None:
        return {}  # It has one, which the master_credentials function replaces.
    # A throwaway: the master_credentials function sets the real password right after.
    return {
        "password_wo": pulumi.Output.secret(secrets.token_urlsafe(32)),
        "password_wo_version": 1,
    }
