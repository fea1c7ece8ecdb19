"""Automated backups in another region: recovery where the stack's region is lost."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.deployment import Deployment
from components.regional_key import regional_key
from stacks.replica_settings import BackupReplication


class DatabaseBackupReplication(pulumi.ComponentResource):
    """RDS copies snapshots and write-ahead log of the primary to another region as they come."""

    replication: aws.rds.InstanceAutomatedBackupsReplication

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        settings: BackupReplication,
        *,
        primary: Database,
        made_for_instance: pulumi.Resource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start the replication, under a key of the other region.

        A blue/green update leaves another instance under the same ARN, of which nothing is
        replicated: `made_for_instance` is replaced then, and the replication with it.
        """
        super().__init__("pgkeep:components:DatabaseBackupReplication", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        key_arn = regional_key(
            f"database-key-{name}",
            deployment,
            settings,
            label="backup-replication",
            region=settings.region,
            logs=False,
            opts=child,
        ).arn
        self.replication = aws.rds.InstanceAutomatedBackupsReplication(
            f"{name}-backups",
            region=settings.region,
            source_db_instance_arn=primary.instance.arn,
            kms_key_id=key_arn,
            retention_period=settings.retention_days,
            # RDS stops a replication by the instance's ARN: the new one must not exist by then.
            opts=pulumi.ResourceOptions(
                parent=self, replace_with=[made_for_instance], delete_before_replace=True
            ),
        )
        self.register_outputs({"region": settings.region})
