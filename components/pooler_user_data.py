"""The cloud-config of the pooler hosts, filled from the settings and what was made before them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.deployment import Deployment
from components.network import Placement
from components.pooler_lifecycle import lifecycle_hooks
from components.pooler_logs import log_path
from components.read_replica import ReadReplica
from components.security_groups import POSTGRESQL_PORT
from hosts.cloud_init import PoolerHostConfig, PoolSizes, render
from stacks.connection_budget import connection_budget
from stacks.settings import Settings


def pooler_user_data(
    deployment: Deployment,
    *,
    placement: Placement,
    ca_bundle: str,
    database: Database,
    replicas: Sequence[ReadReplica],
    users_secret: aws.secretsmanager.Secret,
    server_secret: aws.secretsmanager.Secret,
    health_secret: aws.secretsmanager.Secret,
    pause_secret: aws.secretsmanager.Secret,
) -> pulumi.Output[str]:
    """Compressed cloud-config in base64. It names secrets and holds none."""
    settings = deployment.settings.pooler
    launch, termination = lifecycle_hooks(deployment)

    def fill(known: dict[str, Any]) -> str:
        config = PoolerHostConfig(
            region=deployment.region,
            users_secret_arn=known["users"],
            server_tls_secret_arn=known["server"],
            health_secret_arn=known["health"],
            pause_secret_arn=known["pause"],
            rds_ca_bundle_pem=ca_bundle,
            database_name=deployment.settings.database.name,
            database_host=known["host"],
            database_port=POSTGRESQL_PORT,
            replica_hosts=known["replicas"] if settings.read_pool else [],
            listen_port=settings.port,
            pool_mode=settings.pool_mode,
            default_pool_size=settings.default_pool_size,
            min_pool_size=settings.min_pool_size,
            reserve_pool_size=settings.reserve_pool_size,
            reserve_pool_timeout_seconds=settings.reserve_pool_timeout_seconds,
            max_client_conn=settings.max_client_connections,
            max_prepared_statements=settings.max_prepared_statements,
            server_lifetime_seconds=settings.server_lifetime_seconds,
            server_idle_timeout_seconds=settings.server_idle_timeout_seconds,
            client_idle_timeout_seconds=settings.client_idle_timeout_seconds,
            tcp_keepalive_idle_seconds=settings.tcp_keepalive_idle_seconds,
            tcp_keepalive_interval_seconds=settings.tcp_keepalive_interval_seconds,
            refresh_interval_seconds=settings.refresh_interval_seconds,
            group_name=deployment.name("pooler"),
            launch_hook=launch.name,
            termination_hook=termination.name,
            log_group=log_path(deployment),
            health_port=settings.health_port,
            health_interval_seconds=settings.health_interval_seconds,
            watchdog_minutes=settings.watchdog_minutes,
            drain_seconds=settings.drain_seconds,
            transaction_grace_seconds=settings.transaction_grace_seconds,
            metrics_interval_seconds=settings.metrics_interval_seconds,
            zones=list(placement.host_zones),
            reboot_window=settings.reboot_window,
            image_has_packages=settings.image_has_packages,
            database_sizes=_database_sizes(deployment.settings),
            role_sizes={
                role.name: PoolSizes(
                    pool_size=role.pool_size,
                    pool_mode=role.pool_mode,
                    max_connections=role.max_connections,
                )
                for role in settings.roles
            },
        )
        try:
            return base64.b64encode(render(config)).decode()
        except ValueError as error:
            raise pulumi.RunError(f"pooler: {error}") from None

    return pulumi.Output.all(
        users=users_secret.arn,
        server=server_secret.arn,
        health=health_secret.arn,
        pause=pause_secret.arn,
        host=database.instance.address,
        replicas=[replica.instance.address for replica in replicas],
    ).apply(fill)


def _database_sizes(settings: Settings) -> dict[str, PoolSizes]:
    """Sizes of each database, with its share of the connection budget as a limit."""
    budget = connection_budget(settings)
    if budget is None:
        raise AssertionError("stacks.rules refuses settings without a budget")
    own = {database.name: database for database in settings.pooler.databases}
    found: dict[str, PoolSizes] = {}
    for server in (budget.primary, budget.replica):
        if server is None:
            continue
        sizes = own.get(server.database)
        found[server.database] = PoolSizes(
            pool_size=sizes.pool_size if sizes else None,
            reserve_pool_size=sizes.reserve_pool_size if sizes else None,
            pool_mode=sizes.pool_mode if sizes else None,
            max_connections=server.per_host,
        )
    return found
