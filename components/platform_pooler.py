"""The pooler whole: load balancer, certificates, the wish to pause, log, and the hosts."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi_aws as aws

from components.managed_secret import managed_secret
from components.platform_databases import Databases
from components.platform_foundation import Foundation
from components.pooler import Pooler
from components.pooler_certificates import PoolerCertificates
from components.pooler_hosts import PoolerHosts
from components.pooler_logs import pooler_log_group
from components.pooler_user_data import pooler_user_data
from components.workload_roles import WorkloadRoles


@dataclass(frozen=True)
class PlatformPooler:
    """Where clients connect, and what stands behind it."""

    balancer: Pooler
    certificates: PoolerCertificates
    pause_secret: aws.secretsmanager.Secret
    log: aws.cloudwatch.LogGroup
    hosts: PoolerHosts


def make_pooler(
    foundation: Foundation, databases: Databases, roles: WorkloadRoles
) -> PlatformPooler:
    """Hosts last: one is healthy only with its users and its certificate."""
    deployment, network = foundation.deployment, foundation.network
    code, keys, opts = foundation.code, foundation.keys, foundation.opts
    balancer = Pooler(
        "pooler",
        deployment,
        placement=network.placement,
        security_group_id=network.groups.group_id("load-balancer"),
        opts=opts,
    )
    certificates = PoolerCertificates(
        "pooler-certificates",
        deployment,
        dns_name=balancer.load_balancer.dns_name,
        code=code,
        keys=keys,
        opts=opts,
    )
    pause_secret = managed_secret(
        "pooler-pause",
        deployment,
        keys,
        "pooler",
        "pause",
        description="A restore's wish that the pooler hosts hold their clients back",
        credential=False,
        opts=opts,
    )
    log = pooler_log_group("pooler", deployment, keys, opts)
    secrets = {
        "users_secret": roles.pooler_users_secret,
        "server_secret": certificates.server_secret,
        "health_secret": roles.secrets["health"],
        "pause_secret": pause_secret,
    }
    hosts = PoolerHosts(
        "pooler-hosts",
        deployment,
        placement=network.placement,
        pooler=balancer,
        user_data=pooler_user_data(
            deployment,
            placement=network.placement,
            ca_bundle=foundation.ca_bundle,
            database=databases.primary,
            replicas=databases.replicas,
            **secrets,
        ),
        secret_arns=[secret.arn for secret in secrets.values()],
        secrets_key_arn=keys.secrets.arn,
        disk_key_arn=keys.hosts.arn,
        security_group_id=network.groups.group_id("pooler"),
        ready=[log, roles.applied, certificates.issued, *network.reachable],
        opts=opts,
    )
    return PlatformPooler(balancer, certificates, pause_secret, log, hosts)
