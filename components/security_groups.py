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
    "backup-worker": "The host of long backups: nothing gets in",
    "database": "The primary database",
    "replica": "The read replicas",
    "restore-test": "The scratch instance of the restore test: reaches nothing",
    "endpoints": "The interface endpoints of AWS services",
}


class Flow(NamedTuple):
    """TCP from the members of one group to those of another."""

    source: str
    target: str
    port: int
    purpose: str = ""
    """Part of the name where two groups have more than one flow."""

    @property
    def label(self) -> str:
        """`application-to-load-balancer`."""
        return "-".join(filter(None, (self.source, "to", self.target, self.purpose)))


def flows(
    pooler_port: int,
    health_port: int,
    *,
    endpoints: bool,
    restore_test: bool,
    backup_worker: bool,
) -> list[Flow]:
    """Everything that is allowed between the groups; `endpoints` are interface endpoints."""
    to_endpoints = [
        Flow("pooler", "endpoints", HTTPS_PORT),
        Flow("functions", "endpoints", HTTPS_PORT),
        *([Flow("backup-worker", "endpoints", HTTPS_PORT)] if backup_worker else ()),
    ]
    return [
        Flow("application", "load-balancer", pooler_port),
        Flow("load-balancer", "pooler", pooler_port),
        Flow("load-balancer", "pooler", health_port, "health"),
        Flow("pooler", "database", POSTGRESQL_PORT),
        Flow("pooler", "replica", POSTGRESQL_PORT),
        Flow("functions", "database", POSTGRESQL_PORT),
        Flow("migration", "database", POSTGRESQL_PORT),
        Flow("migration", "replica", POSTGRESQL_PORT),
        Flow("analytics", "replica", POSTGRESQL_PORT),
        Flow("administration", "pooler", SSH_PORT),
        *([Flow("backup-worker", "database", POSTGRESQL_PORT)] if backup_worker else ()),
        *([Flow("functions", "restore-test", POSTGRESQL_PORT)] if restore_test else ()),
        *(to_endpoints if endpoints else ()),
    ]


class SecurityGroups(pulumi.ComponentResource):
    """One group for each part, with rules that name groups. Ranges come from the settings alone."""

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        vpc_id: pulumi.Input[str],
        *,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the groups and their rules.

        Args:
            name: Pulumi name.
            deployment: where.
            vpc_id: the VPC.
            opts: Pulumi's options.
        """
        super().__init__("pgkeep:components:SecurityGroups", name, None, opts)
        self._opts = pulumi.ResourceOptions(parent=self)
        self._name = name
        self._deployment = deployment
        self._ids: dict[str, pulumi.Input[str]] = {}
        self.rules: list[pulumi.Resource] = []
        network = deployment.settings.network
        existing = network.existing.endpoints if network.existing is not None else None
        for group, description in _GROUPS.items():
            if group == "endpoints" and existing is not None:
                self._ids[group] = existing.security_group_id
                continue
            if group == "endpoints" and not network.uses_endpoints:
                continue
            if group == "backup-worker" and not deployment.settings.backups.worker.enabled:
                continue
            if group == "restore-test" and not deployment.settings.restore_test.enabled:
                continue
            self._ids[group] = aws.ec2.SecurityGroup(
                f"{name}-{group}",
                name=deployment.name(group),
                description=description,
                vpc_id=vpc_id,
                tags=deployment.tags(deployment.name(group)),
                opts=self._opts,
            ).id
        pooler = deployment.settings.pooler
        for flow in flows(
            pooler.port,
            pooler.health_port,
            endpoints=network.uses_endpoints,
            restore_test=deployment.settings.restore_test.enabled,
            backup_worker=deployment.settings.backups.worker.enabled,
        ):
            self._allow(flow)
        if network.internet:
            self._https_out("pooler", "debian", "Debian packages and security upgrades over HTTPS")
        if not network.uses_endpoints:
            # A host's own rule to the Debian mirror lets AWS's addresses pass too.
            self._https_out("functions", "aws", "AWS services over HTTPS through NAT")
            if deployment.settings.backups.worker.enabled:
                self._https_out("backup-worker", "aws", "AWS services over HTTPS through NAT")
        self._admit()
        self.register_outputs(dict(self._ids))

    def group_id(self, group: str) -> pulumi.Input[str]:
        """The id of a group."""
        return self._ids[group]

    def _https_out(self, group: str, label: str, description: str) -> None:
        rule = aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-{group}-to-{label}",
            security_group_id=self._ids[group],
            description=description,
            ip_protocol="tcp",
            from_port=HTTPS_PORT,
            to_port=HTTPS_PORT,
            cidr_ipv4="0.0.0.0/0",
            tags=self._deployment.tags(self._deployment.name(f"{group}-to-{label}")),
            opts=self._opts,
        )
        self.rules.append(rule)

    def _admit(self) -> None:
        """Lets the groups and ranges of the settings in, at the doors that they name."""
        network = self._deployment.settings.network
        doors = {
            "pooler": ("load-balancer", self._deployment.settings.pooler.port),
            "database": ("database", POSTGRESQL_PORT),
            "replica": ("replica", POSTGRESQL_PORT),
        }
        clients = [
            *((one.id, one.doors, one.reason, True) for one in network.allowed_security_groups),
            *((one.cidr, one.doors, one.reason, False) for one in network.allowed_cidrs),
        ]
        for client, client_doors, reason, is_group in clients:
            for door in client_doors:
                group, port = doors[door]
                label = f"{client.replace('/', '-')}-to-{group}"
                aws.vpc.SecurityGroupIngressRule(
                    f"{self._name}-{label}",
                    security_group_id=self._ids[group],
                    referenced_security_group_id=client if is_group else None,
                    cidr_ipv4=None if is_group else client,
                    description=f"{door}: {reason}",
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    tags=self._deployment.tags(self._deployment.name(label)),
                    opts=self._opts,
                )

    def _allow(self, flow: Flow) -> None:
        label = flow.label
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
