"""Private ways to the AWS services that hosts and functions call, and only to those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.backup_names import export_name, worker_name
from components.deployment import Deployment
from components.iam import Statement, document
from components.network import Placement
from components.security_groups import HTTPS_PORT, SecurityGroups

# What functions in the VPC do with the backup bucket and its objects.
_OBJECT_ACTIONS = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")
_BUCKET_ACTIONS = ("s3:ListBucket", "s3:ListBucketMultipartUploads")


@dataclass(frozen=True)
class InterfaceService:
    """An AWS service that is called from the private subnets: what passes through its endpoint."""

    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    unrestrictable: tuple[str, ...] = ()
    """Actions that know no resources."""
    hosts_only: bool = False
    """No function calls it, only pooler hosts, which may have another way out."""


def interface_services(deployment: Deployment) -> list[InterfaceService]:
    """The services that functions in the VPC and pooler hosts call themselves.

    Lambda writes a function's log and reports its failed events from outside of the VPC. KMS is
    called by the services that decrypt. tests/unit/test_network_choices.py compares this list
    with what the roles allow.
    """
    prefix = deployment.settings.prefix
    secrets = [f"{prefix}/*"]
    if deployment.settings.database.master_password == "managed_by_rds":  # noqa: S105
        # RDS names the secret that it makes for the master; the role names the one secret.
        secrets.append("rds!db-*")
    # Everything else that needs a key has it from a service. The roles name the one key.
    signatures = InterfaceService(
        "kms", ("kms:GenerateMac", "kms:VerifyMac"), (deployment.arn("kms", "key/*"),)
    )
    return [
        *_databases(deployment),
        *([signatures] if deployment.settings.backups.sign_manifests else ()),
        InterfaceService(
            "secretsmanager",
            (
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutSecretValue",
                "secretsmanager:UpdateSecretVersionStage",
            ),
            tuple(deployment.arn("secretsmanager", f"secret:{name}") for name in secrets),
        ),
        # The pooler hosts' log and metrics, and that they are ready or drained.
        InterfaceService(
            "logs",
            ("logs:CreateLogStream", "logs:PutLogEvents"),
            (deployment.arn("logs", f"log-group:/pgkeep/{prefix}/*"),),
            hosts_only=True,
        ),
        _autoscaling(deployment),
    ]


def _databases(deployment: Deployment) -> list[InterfaceService]:
    """Restore tests, and exports of snapshots; only the functions' roles say who does what."""
    settings, prefix = deployment.settings, deployment.settings.prefix
    instance = settings.database.instance_name(prefix)
    actions, resources, unrestrictable = set[str](), [f"db:{instance}"], tuple[str, ...]()
    if settings.restore_test.enabled:
        actions |= {
            "rds:AddTagsToResource",
            "rds:DeleteDBInstance",
            "rds:DescribeDBInstances",
            "rds:RestoreDBInstanceToPointInTime",
        }
        resources += [
            f"db:{prefix}-restore-test", "og:default:*", f"pg:{prefix}-*", f"subgrp:{prefix}-*",
        ]  # fmt: skip
    if settings.backups.exports_snapshots:
        actions |= {"rds:CreateDBSnapshot", "rds:DescribeDBSnapshots"}
        resources += [f"snapshot:{export_name(deployment)}-*", f"snapshot:rds:{instance}-*"]
        unrestrictable = ("rds:DescribeExportTasks", "rds:StartExportTask")
    if not actions:
        return []
    arns = tuple(deployment.arn("rds", resource) for resource in resources)
    return [InterfaceService("rds", tuple(sorted(actions)), arns, unrestrictable)]


def _autoscaling(deployment: Deployment) -> InterfaceService:
    """Pooler hosts answer their hooks; a backup worker is started, and ends itself."""
    group = "autoScalingGroup:*:autoScalingGroupName/{}"
    pooler = deployment.arn("autoscaling", group.format(deployment.name("pooler")))
    if not deployment.settings.backups.worker.enabled:
        return InterfaceService(
            "autoscaling", ("autoscaling:CompleteLifecycleAction",), (pooler,), hosts_only=True
        )
    return InterfaceService(
        "autoscaling",
        (
            "autoscaling:CompleteLifecycleAction",
            "autoscaling:SetDesiredCapacity",
            "autoscaling:TerminateInstanceInAutoScalingGroup",
        ),
        # Only the roles say who may do what with which.
        (pooler, deployment.arn("autoscaling", group.format(worker_name(deployment)))),
        ("autoscaling:DescribeAutoScalingGroups",),
    )


class ServiceEndpoints(pulumi.ComponentResource):
    """An S3 gateway endpoint and interface endpoints, for principals of this account only.

    The gateway endpoint has no price and is there in every VPC of the stack's own.
    """

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
        network = deployment.settings.network
        self.resources: list[pulumi.Resource] = []
        prefix_list: pulumi.Input[str] | None = None
        if network.existing is None:
            bucket_arn = deployment.global_arn("s3", bucket_name)
            gateway = aws.ec2.VpcEndpoint(
                f"{name}-s3",
                vpc_id=placement.vpc_id,
                service_name=endpoint_service_name("s3", "Gateway"),
                vpc_endpoint_type="Gateway",
                route_table_ids=placement.route_table_ids,
                policy=document(
                    _for_account(deployment, "Objects", _OBJECT_ACTIONS, [f"{bucket_arn}/*"]),
                    _for_account(deployment, "Bucket", _BUCKET_ACTIONS, [bucket_arn]),
                ),
                tags=deployment.tags(deployment.name("s3")),
                opts=child,
            )
            prefix_list = gateway.prefix_list_id
            self.resources.append(gateway)
            if network.interface_endpoints:
                self._interfaces(name, deployment, placement, groups)
        elif network.existing.endpoints is not None:
            prefix_list = network.existing.endpoints.s3_prefix_list_id
        if prefix_list is not None:
            worker = deployment.settings.backups.worker.enabled
            self.resources += [
                aws.vpc.SecurityGroupEgressRule(
                    f"{name}-{group}-to-s3",
                    security_group_id=groups.group_id(group),
                    description=f"{group} to S3 through its gateway endpoint",
                    ip_protocol="tcp",
                    from_port=HTTPS_PORT,
                    to_port=HTTPS_PORT,
                    prefix_list_id=prefix_list,
                    tags=deployment.tags(deployment.name(f"{group}-to-s3")),
                    opts=child,
                )
                for group in ("functions", *(("backup-worker",) if worker else ()))
            ]
        self.register_outputs({"s3_prefix_list_id": prefix_list})

    def _interfaces(
        self, name: str, deployment: Deployment, placement: Placement, groups: SecurityGroups
    ) -> None:
        for used in interface_services(deployment):
            endpoint = aws.ec2.VpcEndpoint(
                f"{name}-{used.service}",
                vpc_id=placement.vpc_id,
                service_name=endpoint_service_name(used.service, "Interface"),
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=placement.function_subnet_ids,
                security_group_ids=[groups.group_id("endpoints")],
                policy=document(
                    _for_account(deployment, "Calls", used.actions, used.resources),
                    *(
                        [_for_account(deployment, "Looks", used.unrestrictable, ["*"])]
                        if used.unrestrictable
                        else ()
                    ),
                ),
                tags=deployment.tags(deployment.name(used.service)),
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.resources.append(endpoint)


def endpoint_service_name(service: str, type_: str) -> str:
    """What AWS calls the endpoint service: in China some begin with `cn.`, and only AWS knows."""
    return aws.ec2.get_vpc_endpoint_service(service=service, service_type=type_).service_name


def _for_account(
    deployment: Deployment, what: str, actions: Sequence[str], resources: Sequence[str]
) -> Statement:
    return {
        "Sid": f"{what}OfThisAccount",
        "Effect": "Allow",
        # An endpoint policy only narrows what identity policies already allow.
        "Principal": {"AWS": "*"},
        "Action": list(actions),
        "Resource": list(resources),
        "Condition": {"StringEquals": {"aws:PrincipalAccount": deployment.account_id}},
    }
