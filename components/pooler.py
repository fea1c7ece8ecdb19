"""Where clients connect: an internal network load balancer in front of the PgBouncer hosts."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.network import Placement
from stacks.pooler_settings import HEALTH_THRESHOLD

# Network load balancers take 2 to 120 seconds, and no more than the interval.
_LONGEST_HEALTH_ANSWER_SECONDS = 5
HEALTH_PATH = "/health"


class Pooler(pulumi.ComponentResource):
    """Load balancer, target group and listener. TLS ends on the hosts: an NLB's TLS listener cannot
    answer PostgreSQL's own TLS request.
    """

    load_balancer: aws.lb.LoadBalancer
    target_group: aws.lb.TargetGroup
    listener: aws.lb.Listener

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        placement: Placement,
        security_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the load balancer."""
        super().__init__("pgkeep:components:Pooler", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = deployment.settings.pooler
        port = settings.port
        tags = deployment.tags(deployment.name("pooler"))
        self.load_balancer = aws.lb.LoadBalancer(
            f"{name}-load-balancer",
            name=deployment.name("pooler"),
            load_balancer_type="network",
            internal=True,
            subnets=placement.host_subnet_ids,
            security_groups=[security_group_id],
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=deployment.protected,
            tags=tags,
            opts=child,
        )
        self.target_group = aws.lb.TargetGroup(
            f"{name}-targets",
            name=deployment.name("pooler"),
            vpc_id=placement.vpc_id,
            target_type="instance",
            protocol="TCP",
            port=port,
            deregistration_delay=settings.drain_seconds,
            # The host ends its clients itself, between two transactions.
            connection_termination=False,
            # While the database is away every host fails its check: clients stay connected to
            # PgBouncer, which answers them, and the load balancer sends new ones to all hosts.
            target_health_states=[{"enable_unhealthy_connection_termination": False}],
            health_check={
                "enabled": True,
                "protocol": "HTTP",
                "path": HEALTH_PATH,
                "matcher": "200",
                "port": str(settings.health_port),
                "interval": settings.health_interval_seconds,
                "timeout": min(
                    _LONGEST_HEALTH_ANSWER_SECONDS, settings.health_interval_seconds - 1
                ),
                "healthy_threshold": HEALTH_THRESHOLD,
                "unhealthy_threshold": HEALTH_THRESHOLD,
            },
            tags=tags,
            opts=child,
        )
        self.listener = aws.lb.Listener(
            f"{name}-listener",
            load_balancer_arn=self.load_balancer.arn,
            protocol="TCP",
            port=port,
            tcp_idle_timeout_seconds=settings.load_balancer_idle_timeout_seconds,
            default_actions=[{"type": "forward", "target_group_arn": self.target_group.arn}],
            tags=tags,
            opts=child,
        )
        self.register_outputs({"endpoint": self.load_balancer.dns_name, "port": port})
