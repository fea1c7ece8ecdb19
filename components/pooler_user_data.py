"""The cloud-config of the pooler hosts, filled from the settings and what was made before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.deployment import Deployment
from components.read_replica import ReadReplica
from components.security_groups import POSTGRESQL_PORT
from hosts.cloud_init import PoolerHostConfig, render


def pooler_user_data(
    deployment: Deployment,
    *,
    ca_bundle: str,
    database: Database,
    replicas: Sequence[ReadReplica],
    users_secret: aws.secretsmanager.Secret,
    server_secret: aws.secretsmanager.Secret,
) -> pulumi.Output[str]:
    """`#cloud-config` text. It names secrets and holds none."""
    settings = deployment.settings.pooler

    def fill(known: dict[str, Any]) -> str:
        config = PoolerHostConfig(
            region=deployment.region,
            users_secret_arn=known["users"],
            server_tls_secret_arn=known["server"],
            rds_ca_bundle_pem=ca_bundle,
            database_name=deployment.settings.database.name,
            database_host=known["host"],
            database_port=POSTGRESQL_PORT,
            replica_hosts=known["replicas"],
            listen_port=settings.port,
            pool_mode="transaction",
            default_pool_size=settings.default_pool_size,
            min_pool_size=settings.min_pool_size,
            reserve_pool_size=settings.reserve_pool_size,
            reserve_pool_timeout_seconds=settings.reserve_pool_timeout_seconds,
            max_client_conn=settings.max_client_connections,
            max_prepared_statements=settings.max_prepared_statements,
            server_lifetime_seconds=settings.server_lifetime_seconds,
            server_idle_timeout_seconds=settings.server_idle_timeout_seconds,
            refresh_interval_seconds=settings.refresh_interval_seconds,
        )
        try:
            return render(config)
        except ValueError as error:
            raise pulumi.RunError(f"pooler: {error}") from None

    return pulumi.Output.all(
        users=users_secret.arn,
        server=server_secret.arn,
        host=database.instance.address,
        replicas=[replica.instance.address for replica in replicas],
    ).apply(fill)
