"""Security groups and the only traffic there is between them."""

from __future__ import annotations

from typing import NamedTuple

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment

POSTGRESQL_PORT = 5432
HTTPS_PORT = 443
SSH_PORT = 22

_GROUPS = {
    "application": "Applications: give this group to what may use the pooler",
    "migration": "Migration runners: direct connections to the databases",
    "analytics": "Analytics: reads on the replicas",
    "administration": "Administrators: SSH to the pooler hosts, nothing else",
    "load-balancer": "The load balancer in front of the pooler hosts",
    "pooler": "The PgBouncer hosts",
    "functions": "The functions that operate the database",
    "database": "The primary database",
    "replica": "The read replicas",
    "endpoints": "The interface endpoints of AWS services",
}


class Flow(NamedTuple):
    """TCP from the members of one group to those of another."""

    source: str
    target: str
    port: int


def flows(pooler_port: int) -> list[Flow]:
    """Everything that is allowed between the groups."""
    return [
        Flow("application", "load-balancer", pooler_port),
        Flow("load-balancer", "pooler", pooler_port),
        Flow("pooler", "database", POSTGRESQL_PORT),
        Flow("pooler", "replica", POSTGRESQL_PORT),
        Flow("functions", "database", POSTGRESQL_PORT),
        Flow("migration", "database", POSTGRESQL_PORT),
        Flow("migration", "replica", POSTGRESQL_PORT),
        Flow("analytics", "replica", POSTGRESQL_PORT),
        Flow("administration", "pooler", SSH_PORT),
        Flow("pooler", "endpoints", HTTPS_PORT),
        Flow("functions", "endpoints", HTTPS_PORT),
    ]


class SecurityGroups(pulumi.ComponentResource):
    """One group for each part, with rules that name groups and never address ranges."""

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        vpc_id: pulumi.Input[str],
        *,
        internet: bool,
        existing_endpoints: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the groups and their rules.

        Args:
            name: Pulumi name.
            deployment: where.
            vpc_id: the VPC.
            internet: whether hosts may fetch Debian packages over HTTPS.
            existing_endpoints: the group of endpoints that are there already.
            opts: Pulumi's options.
        """
        super().__init__("pgkeep:components:SecurityGroups", name, None, opts)
        self._opts = pulumi.ResourceOptions(parent=self)
        self._name = name
        self._deployment = deployment
        self._ids: dict[str, pulumi.Input[str]] = {}
        self.rules: list[pulumi.Resource] = []
        for group, description in _GROUPS.items():
            if group == "endpoints" and existing_endpoints is not None:
                self._ids[group] = existing_endpoints
                continue
            self._ids[group] = aws.ec2.SecurityGroup(
                f"{name}-{group}",
                name=deployment.name(group),
                description=description,
                vpc_id=vpc_id,
                tags=deployment.tags(deployment.name(group)),
                opts=self._opts,
            ).id
        for flow in flows(deployment.settings.pooler.port):
            self._allow(flow)
        if internet:
            aws.vpc.SecurityGroupEgressRule(
                f"{name}-pooler-to-debian",
                security_group_id=self._ids["pooler"],
                description="Debian packages and security upgrades over HTTPS",
                ip_protocol="tcp",
                from_port=HTTPS_PORT,
                to_port=HTTPS_PORT,
                cidr_ipv4="0.0.0.0/0",
                tags=deployment.tags(deployment.name("pooler-to-debian")),
                opts=self._opts,
            )
        self.register_outputs({group: self._ids[group] for group in _GROUPS})

    def group_id(self, group: str) -> pulumi.Input[str]:
        """The id of a group."""
        return self._ids[group]

    def _allow(self, flow: Flow) -> None:
        label = f"{flow.source}-to-{flow.target}"
        tags = self._deployment.tags(self._deployment.name(label))
        egress = aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{label}-out",
            security_group_id=self._ids[flow.source],
            referenced_security_group_id=self._ids[flow.target],
            description=f"{flow.source} to {flow.target}",
            ip_protocol="tcp",
            from_port=flow.port,
            to_port=flow.port,
            tags=tags,
            opts=self._opts,
        )
        ingress = aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-{label}-in",
            security_group_id=self._ids[flow.target],
            referenced_security_group_id=self._ids[flow.source],
            description=f"{flow.target} from {flow.source}",
            ip_protocol="tcp",
            from_port=flow.port,
            to_port=flow.port,
            tags=tags,
            opts=self._opts,
        )
        self.rules += [egress, ingress]
