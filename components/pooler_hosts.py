"""The PgBouncer hosts: Debian 13 machines that an Auto Scaling group keeps and replaces."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.debian_image import debian_image
from components.deployment import Deployment
from components.host_launch_template import group_tags, host_launch_template
from components.iam import read_secrets, service_role
from components.network import Placement
from components.pooler import Pooler
from components.pooler_lifecycle import complete_hooks, follow_changes, initial_hooks
from components.pooler_logs import write_log
from stacks.connection_budget import host_count

# Boot, packages and the first credentials.
_GRACE_SECONDS = 300
# A new host is in service before an old one goes.
_LEAST_HEALTHY_PERCENT = 100
_DAY_SECONDS = 24 * 60 * 60


class PoolerHosts(pulumi.ComponentResource):
    """Role, launch template and Auto Scaling group of the hosts."""

    group: aws.autoscaling.Group

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        placement: Placement,
        pooler: Pooler,
        user_data: pulumi.Input[str],
        secret_arns: Sequence[pulumi.Input[str]],
        secrets_key_arn: pulumi.Input[str],
        disk_key_arn: pulumi.Input[str],
        security_group_id: pulumi.Input[str],
        ready: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Boot the hosts with `user_data` (base64) after everything in `ready`."""
        super().__init__("pgkeep:components:PoolerHosts", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = deployment.settings.pooler
        label = deployment.name("pooler")
        hosts = host_count(deployment.settings)
        lifetime_days = settings.max_host_lifetime_days
        # Room for one more: the connection budget has none for others.
        most_healthy = _LEAST_HEALTHY_PERCENT + -(-100 // hosts)
        tags = deployment.tags(label)
        role, policy = service_role(
            name,
            deployment,
            role_name=label,
            service="ec2",
            description="PgBouncer hosts read their users and certificate, log, and drain",
            statements=[
                *read_secrets(deployment, secrets_key_arn, secret_arns),
                write_log(deployment),
                complete_hooks(deployment, label),
            ],
            opts=child,
        )
        template = host_launch_template(
            name,
            label=label,
            description=(
                "PgBouncer on a pinned image" if settings.image_id else "PgBouncer on Debian 13"
            ),
            image_id=settings.image_id or debian_image(settings.architecture),
            instance_type=settings.instance_type,
            user_data=user_data,
            role=role,
            security_group_id=security_group_id,
            root_volume_gib=settings.root_volume_gib,
            disk_key_arn=disk_key_arn,
            tags=tags,
            opts=child,
        )
        self.group = aws.autoscaling.Group(
            f"{name}-group",
            name=label,
            min_size=hosts,
            desired_capacity=hosts,
            # One more while hosts are replaced by hand; a refresh may have more in any case.
            max_size=hosts + 1,
            vpc_zone_identifiers=placement.host_subnet_ids,
            launch_template={
                "id": template.id,
                "version": template.latest_version.apply(str),
            },
            target_group_arns=[pooler.target_group.arn],
            # Not ELB: its check proves a query, and an outage of the database would have every
            # host replaced. docs/pooler.md: health.
            health_check_type="EC2",
            health_check_grace_period=_GRACE_SECONDS,
            wait_for_elb_capacity=hosts,
            wait_for_capacity_timeout="15m",
            instance_refresh={
                "strategy": "Rolling",
                "preferences": {
                    "min_healthy_percentage": _LEAST_HEALTHY_PERCENT,
                    "max_healthy_percentage": most_healthy,
                    "instance_warmup": str(
                        settings.registration_seconds + 3 * settings.health_interval_seconds
                    ),
                },
            },
            # The same for hosts that are replaced for their age or their health.
            instance_maintenance_policy={
                "min_healthy_percentage": _LEAST_HEALTHY_PERCENT,
                "max_healthy_percentage": most_healthy,
            },
            max_instance_lifetime=None if lifetime_days is None else lifetime_days * _DAY_SECONDS,
            initial_lifecycle_hooks=initial_hooks(deployment),
            tags=group_tags(tags),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[pooler.listener, *([policy] if policy else []), *ready],
            ),
        )
        follow_changes(name, deployment, self.group, child)
        self.register_outputs({"group_name": self.group.name})
