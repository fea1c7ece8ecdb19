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
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Start the replication, under a key of the other region."""
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
            # A blue/green update leaves another instance under the same ARN, of which nothing is
            # replicated. RDS stops a replication by that ARN: the new one must not exist by then.
            opts=pulumi.ResourceOptions(
                parent=self,
                replacement_trigger=primary.instance.resource_id,
                delete_before_replace=True,
            ),
        )
        self.register_outputs({"region": settings.region})
