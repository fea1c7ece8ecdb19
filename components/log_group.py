"""Log groups: under a key, kept for a time, and not deleted by whoever covers their tracks."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment


def log_group(
    name: str,
    deployment: Deployment,
    path: str,
    *,
    key_arn: pulumi.Input[str],
    retention_days: int,
    opts: pulumi.ResourceOptions,
) -> aws.cloudwatch.LogGroup:
    """The log group `path`. CloudWatch Logs refuses to delete a protected one."""
    return aws.cloudwatch.LogGroup(
        name,
        region=deployment.other_region,
        name=path,
        kms_key_id=key_arn,
        retention_in_days=retention_days,
        # Only a value that is given switches the protection off again.
        deletion_protection_enabled=deployment.settings.monitoring.log_deletion_protection,
        tags=deployment.tags(path),
        opts=opts,
    )
