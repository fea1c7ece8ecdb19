"""Users and passwords of login roles: the secret is the truth, the database follows it.

A crash at any point is repaired by the next run: a password is staged in Secrets Manager before the
database learns it, and becomes current after the database has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from operations import scram, secret_store
from operations.database import Endpoint, credentials, password_accepted
from operations.errors import OperationError
from operations.roles.ledger import Ledger
from workloads.contract import POOLED_KINDS, Role, RoleManifest

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient


_BACK = (
    "Make the version before current again (aws secretsmanager update-secret-version-stage), or "
    "take AWSPENDING from this one; where the role was renamed, write {} for a new password"
)


@dataclass(frozen=True)
class RoleCredentials:
    """What one role's secret says, and whether it is only staged yet."""

    role: Role
    secret: str
    username: str
    password: str
    pending: bool

    @property
    def verifier(self) -> str:
        """The SCRAM verifier that the database and the poolers must hold."""
        return scram.verifier(self.username, self.password)


def stage(
    client: SecretsManagerClient, manifest: RoleManifest, endpoint: Endpoint
) -> tuple[list[RoleCredentials], list[str]]:
    """Every login role's credentials, made and staged where there are none; and the changes."""
    staged: list[RoleCredentials] = []
    changes: list[str] = []
    for role in manifest.login_roles:
        one, change = _stage_role(client, role, endpoint)
        staged.append(one)
        changes += change
    return staged, changes


def _stage_role(
    client: SecretsManagerClient, role: Role, endpoint: Endpoint
) -> tuple[RoleCredentials, list[str]]:
    secret = role.secret_arn or ""
    pending = secret_store.read(client, secret, "AWSPENDING")
    document = pending or secret_store.read(client, secret)
    if not document:
        username, password = role.users[0], scram.generate_password()
    else:
        username, password = credentials(document, secret)
        require_usable(role, username, password)
    wanted = _document(endpoint, username, password)
    one = RoleCredentials(role, secret, username, password, pending=True)
    if document == wanted:
        return (one if pending else _settled(one)), []
    secret_store.write(client, secret, wanted, "AWSPENDING")
    return one, [f"write secret of role {role.name} for user {username}"]


def require_usable(role: Role, user: str, password: str) -> None:
    """Whoever may write a secret must not thereby change the password of any role.

    Raises `OperationError` unless the user is one of the role's and the password can be set.
    """
    if user not in role.users:
        raise OperationError(
            f"the secret of role {role.name} names {user}, who is neither "
            f"{' nor '.join(role.users)}; nothing is changed. {_BACK}"
        )
    if not password or not password.isascii() or not password.isprintable():
        raise OperationError(
            f"the secret of role {role.name} has a password that is empty or has characters other "
            f"than printable ASCII; nothing is changed. {_BACK}"
        )


def _settled(one: RoleCredentials) -> RoleCredentials:
    return RoleCredentials(one.role, one.secret, one.username, one.password, pending=False)


def _document(endpoint: Endpoint, username: str, password: str) -> dict[str, Any]:
    return {
        "username": username,
        "password": password,
        "host": endpoint.host,
        "port": endpoint.port,
        "dbname": endpoint.database,
        "sslmode": "verify-full",
    }


def refused(ledger: Ledger, endpoint: Endpoint, staged: list[RoleCredentials]) -> set[str]:
    """Users that do not exist or that the database refuses with their secret's password."""
    users = [one.username for one in staged]
    existing = {
        row[0] for row in ledger.rows("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", users)
    }
    return {
        one.username
        for one in staged
        if one.username not in existing or not _accepted(endpoint, one)
    }


def set_passwords(ledger: Ledger, staged: list[RoleCredentials], users: set[str]) -> None:
    """Give each of `users` the verifier of its secret's password."""
    for one in staged:
        if one.username in users:
            ledger.change(
                f"set password of role {one.username}",
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(one.username), sql.Literal(one.verifier)
                ),
            )


def publish(
    client: SecretsManagerClient, staged: list[RoleCredentials], pooler_users_secret: str
) -> list[str]:
    """Tell the poolers, then the applications; the database knows already. Returns what changed.

    `staged` are all login roles that there are.
    """
    changes = tell_poolers(client, staged, pooler_users_secret, others_stay=False)
    for one in staged:
        if one.pending:
            secret_store.promote(client, one.secret)
            changes.append(f"make secret of role {one.role.name} current")
    return changes


def tell_poolers(
    client: SecretsManagerClient,
    staged: list[RoleCredentials],
    pooler_users_secret: str,
    *,
    others_stay: bool,
) -> list[str]:
    """List the verifiers for the pooler hosts, under the lock. Returns what changed.

    `others_stay`: roles that are not among `staged` keep their entries.
    """
    present = secret_store.read(client, pooler_users_secret) or {}
    listed: dict[str, str] = dict(present.get("users", {}))
    managed = {user for one in staged for user in one.role.users}
    pooled = {one.username: one.verifier for one in staged if one.role.kind in POOLED_KINDS}
    # The other user of a role keeps its entry: clients that still use it stay connected.
    pooled_roles = {
        user for one in staged if one.role.kind in POOLED_KINDS for user in one.role.users
    }
    kept = {
        user: verifier
        for user, verifier in listed.items()
        if user in pooled_roles or (others_stay and user not in managed)
    }
    users = {**kept, **pooled}
    if users == listed and "users" in present:
        return []
    secret_store.write(client, pooler_users_secret, {"users": dict(sorted(users.items()))})
    return ["write secret of pooler users"]


def _accepted(endpoint: Endpoint, one: RoleCredentials) -> bool:
    try:
        endpoint.connect(one.username, one.password, application_name="pgkeep roles").close()
    except psycopg.OperationalError as error:
        # A server that is full or away has not looked at the password: it is set then.
        return password_accepted(error)
    return True
