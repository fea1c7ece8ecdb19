"""What every DB instance of a stack has in common: primary, replicas here and in other regions."""

from __future__ import annotations

from typing import Any

import pulumi

from components.deployment import Deployment

# What RDS takes only when it makes an instance; a later change of the setting replaces nothing.
CREATION_ONLY = ["engineLifecycleSupport"]


def shared_inputs(
    deployment: Deployment,
    *,
    monitoring_role_arn: pulumi.Input[str] | None,
    insights_key_arn: pulumi.Input[str],
) -> dict[str, Any]:
    """Inputs of `aws.rds.Instance` that depend on neither the machine nor the place.

    Args:
        deployment: where, with the settings.
        monitoring_role_arn: role of enhanced monitoring; None when it is off.
        insights_key_arn: key of Performance Insights, in the instance's region.
    """
    settings = deployment.settings.database
    return {
        "storage_encrypted": True,
        "publicly_accessible": False,
        "network_type": settings.network_type,
        "max_allocated_storage": settings.max_allocated_storage_gib,
        "ca_cert_identifier": settings.ca_certificate,
        "iam_database_authentication_enabled": settings.iam_authentication,
        # A replica too, so that it can be recovered from its first minute once it is promoted.
        "backup_retention_period": settings.pitr_retention_days,
        "backup_window": settings.backup_window,
        "maintenance_window": settings.maintenance_window,
        "copy_tags_to_snapshot": True,
        "delete_automated_backups": not settings.keep_automated_backups,
        "deletion_protection": settings.deletion_protection,
        "auto_minor_version_upgrade": settings.auto_minor_version_upgrade,
        "apply_immediately": settings.apply_changes_immediately,
        "enabled_cloudwatch_logs_exports": list(settings.log_exports),
        "monitoring_interval": settings.monitoring_interval_seconds,
        "monitoring_role_arn": monitoring_role_arn,
        **_insights(deployment, insights_key_arn),
    }


def _insights(deployment: Deployment, key_arn: pulumi.Input[str]) -> dict[str, Any]:
    settings = deployment.settings.database
    if not settings.performance_insights:
        return {"performance_insights_enabled": False}
    return {
        "database_insights_mode": settings.database_insights_mode,
        "performance_insights_enabled": True,
        "performance_insights_kms_key_id": key_arn,
        "performance_insights_retention_period": settings.performance_insights_retention_days,
    }
