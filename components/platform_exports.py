"""What a stack tells others: endpoints and names, never a secret."""

from __future__ import annotations

from typing import Any

from components.platform_backups import Backups
from components.platform_databases import Databases
from components.platform_foundation import Foundation
from components.platform_pooler import PlatformPooler
from components.platform_roles import PlatformRoles
from components.security_groups import POSTGRESQL_PORT


def exports(
    foundation: Foundation,
    databases: Databases,
    roles: PlatformRoles,
    backups: Backups,
    pooler: PlatformPooler,
) -> dict[str, Any]:
    """The stack's outputs. The command line and the tests read them by these names."""
    deployment, contract = foundation.deployment, foundation.contract
    settings, network, keys = deployment.settings, foundation.network, foundation.keys
    aws_backup = settings.backups.aws_backup
    worker, restore_test = backups.worker, backups.restore_test
    return {
        "environment": settings.environment,
        "region": deployment.region,
        "vpc_id": network.placement.vpc_id,
        "private_subnet_ids": network.placement.function_subnet_ids,
        "database_endpoint": databases.primary.instance.address,
        "database_identifier": databases.primary.identifier,
        "database_port": POSTGRESQL_PORT,
        "database_name": settings.database.name,
        "replica_endpoints": [replica.instance.address for replica in databases.replicas],
        "regional_replica_endpoints": {
            replica.region: replica.instance.address for replica in databases.regional_replicas
        },
        "pooler_endpoint": pooler.balancer.load_balancer.dns_name,
        "pooler_port": settings.pooler.port,
        "pooler_ca_certificate": pooler.certificates.ca_certificate,
        "pooler_group_name": pooler.hosts.group.name,
        "pooler_log_group": pooler.log.name,
        "pooler_pause_secret_name": pooler.pause_secret.name,
        "application_security_group_id": network.groups.group_id("application"),
        "migration_security_group_id": network.groups.group_id("migration"),
        "analytics_security_group_id": network.groups.group_id("analytics"),
        "administration_security_group_id": network.groups.group_id("administration"),
        "backup_bucket": backups.storage.bucket.bucket,
        "backup_copies_bucket_arn": backups.storage.copies_bucket_arn,
        "aws_backup_vaults": (
            {
                deployment.region: deployment.name("database"),
                aws_backup.region: deployment.name("copies"),
            }
            if aws_backup is not None
            else {}
        ),
        "aws_backup_account_vault_arn": (
            None if aws_backup is None else aws_backup.account_vault_arn
        ),
        "backup_function": backups.function.operation.function.name,
        "backup_worker_group": None if worker is None else worker.group.name,
        "backup_exports": settings.backups.exports_snapshots,
        "restore_test_function": (
            None if restore_test is None else restore_test.operation.function.name
        ),
        "recovery_objectives": contract.objectives.recovery,
        "recovery_checks": {
            "schema": contract.schema_name,
            "checks": [check.model_dump(mode="json") for check in contract.checks],
        },
        "backup_retention_function": backups.retention.operation.function.name,
        "manifest_key_arn": None if keys.manifests is None else keys.manifests.arn,
        "backup_retention_days": settings.backups.retention_days,
        "backup_largest_hashed_table_bytes": settings.backups.largest_hashed_table_bytes,
        "role_secret_names": roles.workload.secret_names,
        "roles_function": roles.workload.operation.function.name,
        "roles_event": roles.workload.applied.input,
        "migrations_function": roles.migrations.operation.function.name,
        "migrations_event": roles.migrations.applied.input,
        "master_secret_name": roles.master.secret_name,
        "alarm_topic_arn": foundation.alarm_topic.topic.arn,
        "regional_alarm_topic_arns": {
            region: alarms.topic.topic.arn for region, alarms in databases.regional_alarms.items()
        },
    }
