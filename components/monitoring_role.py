"""The role with which RDS writes Enhanced Monitoring's measurements."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.iam import service_role


def monitoring_role(
    name: str, deployment: Deployment, opts: pulumi.ResourceOptions
) -> tuple[aws.iam.Role, aws.iam.RolePolicyAttachment] | None:
    """Role and policy; None where the interval is 0. IAM is global: replicas elsewhere use it."""
    if deployment.settings.database.monitoring_interval_seconds == 0:
        return None
    role, _ = service_role(
        f"{name}-monitoring",
        deployment,
        role_name=deployment.name("rds-monitoring"),
        service="monitoring.rds",
        description="RDS enhanced monitoring writes its metrics to CloudWatch Logs",
        statements=[],
        opts=opts,
    )
    # AWS's own policy for this role: two log actions on the RDSOSMetrics log groups.
    policy = aws.iam.RolePolicyAttachment(
        f"{name}-monitoring-policy",
        role=role.name,
        policy_arn=deployment.global_arn(
            "iam", "policy/service-role/AmazonRDSEnhancedMonitoringRole"
        ),
        opts=opts,
    )
    return role, policy
