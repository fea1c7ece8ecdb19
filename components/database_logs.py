"""Log groups of a DB instance, made before it so that RDS finds them with key and retention."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys

LOG_EXPORTS = ("postgresql", "upgrade")


def database_log_groups(
    name: str,
    deployment: Deployment,
    keys: EncryptionKeys,
    identifier: str,
    opts: pulumi.ResourceOptions,
) -> list[aws.cloudwatch.LogGroup]:
    """One group for each exported log. RDS would make them itself: unencrypted, kept for ever."""
    groups: list[aws.cloudwatch.LogGroup] = []
    for export in LOG_EXPORTS:
        path = f"/aws/rds/instance/{identifier}/{export}"
        groups.append(
            aws.cloudwatch.LogGroup(
                f"{name}-log-{export}",
                name=path,
                kms_key_id=keys.telemetry.arn,
                retention_in_days=deployment.settings.database.log_retention_days,
                tags=deployment.tags(path),
                opts=opts,
            )
        )
    return groups
