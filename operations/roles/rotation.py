"""Rotation of a login role's password, in the four steps of AWS Secrets Manager.

A role's two users alternate: the user that no secret names gets a new password, and the secret then
names that one. Whoever still holds the other user's password works on until the next rotation.
Every step can be repeated, also after one that broke off, and by two runs at once.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from operations import scram, secret_store
from operations.database import Endpoint, connect_with_secret, credentials
from operations.errors import OperationError
from operations.roles import credentials as role_credentials
from operations.roles.credentials import POOLED_KINDS, RoleCredentials
from operations.roles.ledger import Ledger
from workloads.contract import Role

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

_APPLICATION = "pgkeep rotation"


@dataclass(frozen=True)
class Rotation:
    """One rotation of one role's secret.

    `token` is the version that Secrets Manager has begun; `poolers_settle_seconds` is how long
    after a change of their list every pooler host knows it.
    """

    client: SecretsManagerClient
    endpoint: Endpoint
    role: Role
    secret: str
    token: str
    master_secret: str
    pooler_users_secret: str
    poolers_settle_seconds: float


def run(step: str, rotation: Rotation) -> str:
    """Do one step; the answer says in a few words what was done, and holds no secret.

    Raises:
        OperationError: the step is unknown, this version is not being rotated, or it failed. What
            was done stays; Secrets Manager tries again, and applications use what they have.
    """
    if step not in STEPS:
        raise OperationError(f"Step is {step!r}; it must be one of {', '.join(STEPS)}")
    stages = secret_store.stages(rotation.client, rotation.secret).get(rotation.token, [])
    if "AWSCURRENT" in stages:
        return "is current already"
    if "AWSPENDING" not in stages:
        raise OperationError(
            f"version {rotation.token} of the secret of role {rotation.role.name} is not being "
            "rotated (another version took its place); start another rotation"
        )
    return STEPS[step](rotation)


def _create(rotation: Rotation) -> str:
    """createSecret: a new password for the other user, in the version that is pending."""
    current, user = _current(rotation)
    if secret_store.read_version(rotation.client, rotation.secret, rotation.token) is not None:
        return "has its new password already"
    other = next(one for one in rotation.role.users if one != user)
    document = {**current, "username": other, "password": scram.generate_password()}
    secret_store.fill_pending(rotation.client, rotation.secret, document, rotation.token)
    return f"staged a password for {other}"


def _set(rotation: Rotation) -> str:
    """setSecret: the database and the pooler hosts' list learn the new password's verifier."""
    one = _pending(rotation)
    if one is None:
        raise OperationError(
            f"version {rotation.token} of the secret of role {rotation.role.name} has no value; "
            "createSecret comes before setSecret"
        )
    if one.username == _current(rotation)[1]:
        raise OperationError(
            f"the pending version names {one.username}, whom applications use now; its password "
            "is not changed under them. Start another rotation"
        )
    with connect_with_secret(
        rotation.endpoint, rotation.client, rotation.master_secret, application_name=_APPLICATION
    ) as connection:
        ledger = Ledger(connection)
        ledger.lock_roles()
        if not ledger.rows("SELECT FROM pg_roles WHERE rolname = %s", one.username):
            raise OperationError(
                f"user {one.username} does not exist; `pgkeep roles apply` makes both users of "
                "each role"
            )
        refused = role_credentials.refused(ledger, rotation.endpoint, [one])
        role_credentials.set_passwords(ledger, [one], refused)
        connection.commit()
        changes = ledger.changes + role_credentials.tell_poolers(
            rotation.client, [one], rotation.pooler_users_secret, others_stay=True
        )
    return "; ".join(changes) or "is set already"


def _test(rotation: Rotation) -> str:
    """testSecret: the user logs in and is the role; pooler hosts had the time to learn of it.

    Without a rotation Secrets Manager tests a pending copy of what is current.
    """
    one = _pending(rotation)
    if one is None:
        document, user = _current(rotation)
        one = RoleCredentials(
            rotation.role, rotation.secret, user, str(document["password"]), pending=False
        )
    try:
        with rotation.endpoint.connect(
            one.username, one.password, application_name=_APPLICATION
        ) as connection:
            row = connection.execute(
                "SELECT pg_has_role(session_user, %s, 'MEMBER')", (rotation.role.name,)
            ).fetchone()
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise OperationError(f"{one.username} cannot log in: {reason}") from error
    if row is None or not row[0]:
        raise OperationError(
            f"{one.username} is no member of {rotation.role.name}; `pgkeep roles apply` makes it "
            "one"
        )
    if rotation.role.kind in POOLED_KINDS:
        _wait_for_poolers(rotation, one)
    return f"{one.username} logs in"


def _wait_for_poolers(rotation: Rotation, one: RoleCredentials) -> None:
    """Applications must not be told of a user that a pooler host does not know yet."""
    document = secret_store.read(rotation.client, rotation.pooler_users_secret) or {}
    users: Mapping[str, object] = document.get("users", {})
    if users.get(one.username) != one.verifier:
        raise OperationError(
            f"the pooler hosts' list has another verifier of {one.username}; start another rotation"
        )
    version = rotation.client.get_secret_value(
        SecretId=rotation.pooler_users_secret, VersionStage="AWSCURRENT"
    )
    age_seconds = (datetime.now(UTC) - version["CreatedDate"]).total_seconds()
    time.sleep(max(0.0, rotation.poolers_settle_seconds - age_seconds))


def _finish(rotation: Rotation) -> str:
    """finishSecret: applications read the new user and password from now on."""
    if _pending(rotation) is None:
        raise OperationError(
            f"version {rotation.token} of the secret of role {rotation.role.name} has no value; "
            "createSecret comes before finishSecret"
        )
    secret_store.promote(rotation.client, rotation.secret, rotation.token)
    return "is current"


STEPS: Mapping[str, Callable[[Rotation], str]] = {
    "createSecret": _create,
    "setSecret": _set,
    "testSecret": _test,
    "finishSecret": _finish,
}


def _current(rotation: Rotation) -> tuple[dict[str, Any], str]:
    """What applications use, and which of the role's users that is."""
    document = secret_store.read(rotation.client, rotation.secret) or {}
    user, password = credentials(document, rotation.secret)
    role_credentials.require_usable(rotation.role, user, password)
    return document, user


def _pending(rotation: Rotation) -> RoleCredentials | None:
    document = secret_store.read_version(rotation.client, rotation.secret, rotation.token)
    if document is None:
        return None
    user, password = credentials(document, rotation.secret)
    role_credentials.require_usable(rotation.role, user, password)
    return RoleCredentials(rotation.role, rotation.secret, user, password, pending=True)
