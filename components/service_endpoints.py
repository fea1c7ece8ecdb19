"""Private ways to the AWS services that hosts and functions call."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.iam import Statement, document
from components.network import Placement
from components.security_groups import HTTPS_PORT, SecurityGroups

# What is called from private subnets, and which actions pass.
INTERFACE_SERVICES = {
    "secretsmanager": (
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
    ),
}


class ServiceEndpoints(pulumi.ComponentResource):
    """An S3 gateway endpoint and interface endpoints, for principals of this account only."""

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        placement: Placement,
        groups: SecurityGroups,
        *,
        bucket_name: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the endpoints, or use those that the existing VPC has."""
        super().__init__("pgkeep:components:ServiceEndpoints", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        existing = deployment.settings.network.existing
        prefix_list: pulumi.Input[str]
        self.resources: list[pulumi.Resource] = []
        if existing is not None:
            prefix_list = existing.endpoints.s3_prefix_list_id
        else:
            bucket = f"arn:{deployment.partition}:s3:::{bucket_name}"
            gateway = aws.ec2.VpcEndpoint(
                f"{name}-s3",
                vpc_id=placement.vpc_id,
                service_name=f"com.amazonaws.{deployment.region}.s3",
                vpc_endpoint_type="Gateway",
                route_table_ids=placement.route_table_ids,
                policy=document(
                    _for_account(
                        deployment,
                        ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
                        [f"{bucket}/*"],
                    )
                ),
                tags=deployment.tags(deployment.name("s3")),
                opts=child,
            )
            prefix_list = gateway.prefix_list_id
            self.resources.append(gateway)
            self._interfaces(name, deployment, placement, groups)
        self.resources.append(
            aws.vpc.SecurityGroupEgressRule(
                f"{name}-functions-to-s3",
                security_group_id=groups.group_id("functions"),
                description="functions to S3 through its gateway endpoint",
                ip_protocol="tcp",
                from_port=HTTPS_PORT,
                to_port=HTTPS_PORT,
                prefix_list_id=prefix_list,
                tags=deployment.tags(deployment.name("functions-to-s3")),
                opts=child,
            )
        )
        self.register_outputs({"s3_prefix_list_id": prefix_list})

    def _interfaces(
        self, name: str, deployment: Deployment, placement: Placement, groups: SecurityGroups
    ) -> None:
        for service, actions in INTERFACE_SERVICES.items():
            endpoint = aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=placement.vpc_id,
                service_name=f"com.amazonaws.{deployment.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=placement.function_subnet_ids,
                security_group_ids=[groups.group_id("endpoints")],
                policy=document(
                    _for_account(
                        deployment,
                        list(actions),
                        [deployment.arn(service, f"secret:{deployment.settings.prefix}/*")],
                    )
                ),
                tags=deployment.tags(deployment.name(service)),
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.resources.append(endpoint)


def _for_account(deployment: Deployment, actions: list[str], resources: list[str]) -> Statement:
    return {
        "Sid": "ThisAccountOnly",
        "Effect": "Allow",
        # An endpoint policy only narrows what identity policies already allow.
        "Principal": {"AWS": "*"},
        "Action": actions,
        "Resource": resources,
        "Condition": {"StringEquals": {"aws:PrincipalAccount": deployment.account_id}},
    }
