"""VPC flow logs: who connected to whom, in a log group of the stack."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.iam import allow, service_role
from components.log_group import log_group


class FlowLogs(pulumi.ComponentResource):
    """Flow logs of one VPC, encrypted with the telemetry key, and the role that writes them."""

    log_group: aws.cloudwatch.LogGroup

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        vpc_id: pulumi.Input[str],
        keys: EncryptionKeys,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make log group, role and flow log."""
        super().__init__("pgkeep:components:FlowLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = deployment.settings.network.flow_logs
        label = deployment.name("flow-logs")
        path = f"/aws/vpc/{label}"
        self.log_group = log_group(
            f"{name}-log",
            deployment,
            path,
            key_arn=keys.telemetry.arn,
            retention_days=settings.retention_days,
            opts=child,
        )
        role, policy = service_role(
            name,
            deployment,
            role_name=label,
            service="vpc-flow-logs",
            description="VPC flow logs write to their log group",
            # AWS VPC user guide: IAM role for publishing flow logs to CloudWatch Logs. Without
            # CreateLogGroup: the group is there, and one that AWS made would not be encrypted.
            statements=[
                allow(
                    "WriteFlowLogs",
                    [
                        "logs:CreateLogStream",
                        "logs:DescribeLogGroups",
                        "logs:DescribeLogStreams",
                        "logs:PutLogEvents",
                    ],
                    [deployment.arn("logs", f"log-group:{path}:*")],
                )
            ],
            source_arn=deployment.arn("ec2", "vpc-flow-log/*"),
            opts=child,
        )
        aws.ec2.FlowLog(
            f"{name}-vpc",
            vpc_id=vpc_id,
            traffic_type=settings.traffic,
            log_destination_type="cloud-watch-logs",
            log_destination=self.log_group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=settings.aggregation_interval_seconds,
            tags=deployment.tags(label),
            # EC2 tries the role when the flow log is made.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[policy] if policy is not None else []
            ),
        )
        self.register_outputs({"log_group": self.log_group.name})
