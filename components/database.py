"""The primary database: Amazon RDS for PostgreSQL."""

from __future__ import annotations

import secrets

import pulumi
import pulumi_aws as aws

from components.database_logs import LOG_EXPORTS, database_log_groups
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.iam import service_role
from components.network import Placement
from components.parameter_group import parameter_group
from components.security_groups import POSTGRESQL_PORT

MASTER_USERNAME = "pgkeep_admin"


class Database(pulumi.ComponentResource):
    """The primary with its parameter group, subnet group, log groups and monitoring role."""

    identifier: str
    instance: aws.rds.Instance
    parameter_group: aws.rds.ParameterGroup
    monitoring_role: aws.iam.Role

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        placement: Placement,
        keys: EncryptionKeys,
        security_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the primary."""
        super().__init__("pgkeep:components:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = deployment.settings.database
        self.identifier = deployment.settings.prefix
        self.parameter_group = parameter_group(name, deployment, child)
        subnet_group = aws.rds.SubnetGroup(
            f"{name}-subnets",
            name=deployment.name("database"),
            description=f"{deployment.settings.prefix}: private database subnets",
            subnet_ids=placement.database_subnet_ids,
            tags=deployment.tags(deployment.name("database")),
            opts=child,
        )
        self.monitoring_role, _ = service_role(
            f"{name}-monitoring",
            deployment,
            role_name=deployment.name("rds-monitoring"),
            service="monitoring.rds",
            description="RDS enhanced monitoring writes its metrics to CloudWatch Logs",
            statements=[],
            opts=child,
        )
        # AWS's own policy for this role: two log actions on the RDSOSMetrics log groups.
        monitoring_policy = aws.iam.RolePolicyAttachment(
            f"{name}-monitoring-policy",
            role=self.monitoring_role.name,
            policy_arn=deployment.global_arn(
                "iam", "policy/service-role/AmazonRDSEnhancedMonitoringRole"
            ),
            opts=child,
        )
        log_groups = database_log_groups(name, deployment, keys, self.identifier, child)
        self.instance = aws.rds.Instance(
            f"{name}-instance",
            identifier=self.identifier,
            engine="postgres",
            engine_version=settings.engine_version,
            instance_class=settings.instance_class,
            db_name=settings.name,
            username=MASTER_USERNAME,
            # A throwaway: the master_credentials function sets the real password right after.
            password_wo=pulumi.Output.secret(secrets.token_urlsafe(32)),
            password_wo_version=1,
            port=POSTGRESQL_PORT,
            allocated_storage=settings.allocated_storage_gib,
            max_allocated_storage=settings.max_allocated_storage_gib,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=keys.database.arn,
            db_subnet_group_name=subnet_group.name,
            vpc_security_group_ids=[security_group_id],
            publicly_accessible=False,
            multi_az=settings.multi_az,
            # With a standby RDS chooses both zones.
            availability_zone=None if settings.multi_az else placement.zones[0],
            parameter_group_name=self.parameter_group.name,
            ca_cert_identifier=settings.ca_certificate,
            iam_database_authentication_enabled=True,
            backup_retention_period=settings.pitr_retention_days,
            backup_window=settings.backup_window,
            maintenance_window=settings.maintenance_window,
            copy_tags_to_snapshot=True,
            delete_automated_backups=not deployment.protected,
            deletion_protection=settings.deletion_protection,
            skip_final_snapshot=not settings.final_snapshot,
            final_snapshot_identifier=self._final_snapshot(keys)
            if settings.final_snapshot
            else None,
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=False,
            apply_immediately=settings.apply_changes_immediately,
            enabled_cloudwatch_logs_exports=list(LOG_EXPORTS),
            monitoring_interval=settings.monitoring_interval_seconds,
            monitoring_role_arn=self.monitoring_role.arn,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=keys.database.arn,
            performance_insights_retention_period=settings.performance_insights_retention_days,
            tags=deployment.tags(self.identifier),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*log_groups, monitoring_policy],
                # Each run of the program makes another throwaway; only the first one is used.
                ignore_changes=["password_wo"],
            ),
        )
        self.register_outputs({"endpoint": self.instance.address, "port": self.instance.port})

    def _final_snapshot(self, keys: EncryptionKeys) -> pulumi.Output[str]:
        """A name that no earlier life of this stack has used, yet the same in every run.

        RDS refuses a snapshot name that exists, and snapshots outlive stacks. The key's id is made
        anew with each life of the stack and stays for all of it.
        """
        return keys.database.key_id.apply(lambda id_: f"{self.identifier}-final-{id_[:8]}")
