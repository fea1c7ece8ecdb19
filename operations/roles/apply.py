"""Applies a role manifest: one transaction, repeatable, and a second run changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psycopg

from operations.database import Endpoint, connect_with_secret
from operations.errors import OperationError
from operations.roles import credentials as role_credentials
from operations.roles import identities, privileges
from operations.roles.ledger import Ledger
from operations.roles.safety import check
from workloads.contract import RoleManifest

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

# Membership options (INHERIT, SET) and CREATEROLE's limits are as of PostgreSQL 16.
OLDEST_SERVER_VERSION = 160000


@dataclass(frozen=True)
class Result:
    """`changes` in plain words; `missing` are named objects that no migration has made yet."""

    status: Literal["changed", "unchanged"]
    changes: list[str]
    missing: list[str]


def apply(
    manifest: RoleManifest,
    endpoint: Endpoint,
    client: SecretsManagerClient,
    *,
    master_secret: str,
    pooler_users_secret: str,
) -> Result:
    """Make roles, privileges, passwords and secrets those of the manifest.

    Raises `OperationError` when the manifest is unsafe or PostgreSQL refuses; then the database is
    as it was, and a password that was staged waits in its secret for the next run.
    """
    check(manifest)
    if manifest.database != endpoint.database:
        raise OperationError(
            f"manifest is for database {manifest.database}, DB_NAME is {endpoint.database}; "
            "they must be the same"
        )
    with connect_with_secret(
        endpoint, client, master_secret, application_name="pgkeep roles"
    ) as connection:
        _check_version(connection)
        ledger = Ledger(connection)
        # Before the secrets are read: two runs must not stage two passwords for one role.
        ledger.lock_roles()
        staged, changes = role_credentials.stage(client, manifest, endpoint)
        refused = role_credentials.refused(ledger, endpoint, staged)
        identities.reconcile(ledger, manifest)
        role_credentials.set_passwords(ledger, staged, refused)
        privileges.reconcile_database(ledger, manifest)
        privileges.reconcile_schema(ledger, manifest)
        with ledger.acting_as(manifest.owner.name):
            missing = privileges.reconcile_objects(ledger, manifest)
            privileges.reconcile_defaults(ledger, manifest)
        connection.commit()
        # Still under the lock: a rotation writes the same list of pooler users.
        changes += ledger.changes
        changes += role_credentials.publish(client, staged, pooler_users_secret)
    return Result("changed" if changes else "unchanged", changes, missing)


def _check_version(connection: psycopg.Connection[Any]) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER_VERSION:
        raise OperationError(
            f"server is PostgreSQL {version // 10000}; role manifests need 16 or later"
        )
