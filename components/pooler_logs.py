"""Log group of the pooler hosts: PgBouncer's log, and its metrics as embedded events."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.iam import Statement, allow
from components.log_group import log_group


def log_path(deployment: Deployment) -> str:
    """Name of the group: `/pgkeep/pgkeep-prod/pooler`."""
    return f"/pgkeep/{deployment.settings.prefix}/pooler"


def pooler_log_group(
    name: str, deployment: Deployment, keys: EncryptionKeys, opts: pulumi.ResourceOptions
) -> aws.cloudwatch.LogGroup:
    """The group, with key and retention."""
    path = log_path(deployment)
    return log_group(
        f"{name}-log",
        deployment,
        path,
        key_arn=keys.telemetry.arn,
        retention_days=deployment.settings.pooler.log_retention_days,
        opts=opts,
    )


def write_log(deployment: Deployment) -> Statement:
    """Permission to write into the group, and into no other."""
    return allow(
        "WritePoolerLog",
        ["logs:CreateLogStream", "logs:PutLogEvents"],
        [deployment.arn("logs", f"log-group:{log_path(deployment)}:*")],
    )
