"""Log groups of a DB instance, made before it so that RDS finds them with key and retention."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.log_group import log_group


def database_log_groups(
    name: str,
    deployment: Deployment,
    key_arn: pulumi.Input[str],
    identifier: str,
    opts: pulumi.ResourceOptions,
) -> list[aws.cloudwatch.LogGroup]:
    """One group for each exported log. RDS would make them itself: unencrypted, kept for ever.

    `key_arn` is a key of the instance's region that CloudWatch Logs may use.
    """
    groups: list[aws.cloudwatch.LogGroup] = []
    for export in deployment.settings.database.log_exports:
        path = f"/aws/rds/instance/{identifier}/{export}"
        groups.append(
            log_group(
                f"{name}-log-{export}",
                deployment,
                path,
                key_arn=key_arn,
                retention_days=deployment.settings.database.log_retention_days,
                opts=opts,
            )
        )
    return groups
