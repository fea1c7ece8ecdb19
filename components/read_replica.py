"""A read replica: the same rules as its primary, in another zone where there is a choice."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.database_logs import LOG_EXPORTS, database_log_groups
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.network import Placement


class ReadReplica(pulumi.ComponentResource):
    """One asynchronous replica. Key, subnet group and engine are the primary's, as RDS demands."""

    identifier: str
    instance: aws.rds.Instance

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        number: int,
        primary: Database,
        placement: Placement,
        keys: EncryptionKeys,
        security_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make replica `number` (from 1) of `primary`."""
        super().__init__("pgkeep:components:ReadReplica", name, None, opts)
        settings = deployment.settings.database
        self.identifier = deployment.name("replica", str(number))
        log_groups = database_log_groups(
            name, deployment, keys, self.identifier, pulumi.ResourceOptions(parent=self)
        )
        self.instance = aws.rds.Instance(
            f"{name}-instance",
            identifier=self.identifier,
            replicate_source_db=primary.instance.identifier,
            instance_class=deployment.settings.replicas.instance_class or settings.instance_class,
            max_allocated_storage=settings.max_allocated_storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            vpc_security_group_ids=[security_group_id],
            publicly_accessible=False,
            multi_az=False,
            # The primary, if it has no standby, is in the first zone.
            availability_zone=placement.zones[number % len(placement.zones)],
            parameter_group_name=primary.parameter_group.name,
            ca_cert_identifier=settings.ca_certificate,
            iam_database_authentication_enabled=True,
            # So that a promoted replica can be recovered from its first minute.
            backup_retention_period=settings.pitr_retention_days,
            backup_window=settings.backup_window,
            maintenance_window=settings.maintenance_window,
            copy_tags_to_snapshot=True,
            deletion_protection=settings.deletion_protection,
            # RDS takes no final snapshot of a replica; the primary has the data.
            skip_final_snapshot=True,
            auto_minor_version_upgrade=True,
            apply_immediately=settings.apply_changes_immediately,
            enabled_cloudwatch_logs_exports=list(LOG_EXPORTS),
            monitoring_interval=settings.monitoring_interval_seconds,
            monitoring_role_arn=primary.monitoring_role.arn,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=keys.database.arn,
            performance_insights_retention_period=settings.performance_insights_retention_days,
            tags=deployment.tags(self.identifier),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(log_groups)),
        )
        self.register_outputs({"endpoint": self.instance.address})
