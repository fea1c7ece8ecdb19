"""The master password: set through the RDS API, staged in Secrets Manager around it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from operations import scram, secret_store
from operations.database import credentials
from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_rds.client import RDSClient
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

Status = Literal["initialized", "unchanged", "rotated"]

# "resetting-master-credentials" lasts about a minute; the instance may also still be modifying.
WAIT_SECONDS = 600.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0
ENGINE = "postgres"
# In the secret: RDS's own id of the instance, which no other one ever has.
_INSTANCE = "dbi_resource_id"


@dataclass(frozen=True)
class MasterTarget:
    """The instance whose master password is set, and how its clients reach it."""

    instance_identifier: str
    secret: str
    host: str
    port: int
    database: str


@dataclass(frozen=True)
class Outcome:
    """What was done, for which user."""

    status: Status
    username: str


def initialize(target: MasterTarget, rds: RDSClient, secrets: SecretsManagerClient) -> Outcome:
    """Replace the throwaway password of a new instance once; later calls change nothing.

    An instance that took another one's place (a replacement, a restore) is new too: the secret says
    whose password it has. Secrets of versions that did not say it are left as they are.
    """
    current = secret_store.read(secrets, target.secret)
    pending = secret_store.read(secrets, target.secret, "AWSPENDING")
    of_another = False
    if current and (of := current.get(_INSTANCE)):
        of_another = of != _describe(rds, target.instance_identifier)["DbiResourceId"]
    is_whole = current is not None and {"username", "password"} <= current.keys()
    if current and is_whole and pending is None and not of_another:
        return Outcome("unchanged", str(current["username"]))
    if current is None:
        # The first version of a secret becomes current by itself; a password must not, before the
        # instance has it.
        secret_store.write(secrets, target.secret, {"status": "waiting for its first password"})
    return Outcome("initialized", _set_new_password(target, rds, secrets))


def rotate(target: MasterTarget, rds: RDSClient, secrets: SecretsManagerClient) -> Outcome:
    """Set a new password. A rotation that broke off is finished with the password it staged."""
    current = secret_store.read(secrets, target.secret)
    if current is None or "password" not in current:
        return initialize(target, rds, secrets)
    return Outcome("rotated", _set_new_password(target, rds, secrets))


def _set_new_password(target: MasterTarget, rds: RDSClient, secrets: SecretsManagerClient) -> str:
    """Stage a password, set it, make it current.

    Runs at the same time agree: whoever finds another password in the secret than the one it has
    just set sets that one, so that the instance ends with what the secret says.
    """
    instance = _describe(rds, target.instance_identifier)
    username = str(instance["MasterUsername"])
    if secret_store.read(secrets, target.secret, "AWSPENDING") is None:
        document = {
            "username": username,
            "password": scram.generate_password(),
            "host": target.host,
            "port": target.port,
            "dbname": target.database,
            "engine": ENGINE,
            _INSTANCE: instance["DbiResourceId"],
        }
        secret_store.write(secrets, target.secret, document, "AWSPENDING")
    _wait_until_settled(rds, target.instance_identifier, instance)
    applied = None
    while (wanted := _wanted_password(target, secrets)) != applied:
        answer = rds.modify_db_instance(
            DBInstanceIdentifier=target.instance_identifier,
            MasterUserPassword=wanted,
            ApplyImmediately=True,
        )["DBInstance"]
        _wait_until_settled(rds, target.instance_identifier, answer)
        applied = wanted
    secret_store.promote(secrets, target.secret)
    return username


def _wanted_password(target: MasterTarget, secrets: SecretsManagerClient) -> str:
    document = secret_store.read(secrets, target.secret, "AWSPENDING")
    return credentials(document or secret_store.read(secrets, target.secret), target.secret)[1]


def _describe(rds: RDSClient, identifier: str) -> Any:
    try:
        return rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "DBInstanceNotFound":
            raise OperationError(
                f"database instance {identifier} does not exist; check DB_INSTANCE_IDENTIFIER"
            ) from error
        raise


def _settled(instance: Any) -> bool:
    pending: dict[str, Any] = instance.get("PendingModifiedValues") or {}
    return instance["DBInstanceStatus"] == "available" and "MasterUserPassword" not in pending


def _wait_until_settled(rds: RDSClient, identifier: str, instance: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    pause_seconds = _FIRST_PAUSE_SECONDS
    while not _settled(instance):
        if time.monotonic() > deadline:
            raise OperationError(
                f"database instance {identifier} is still {instance['DBInstanceStatus']} after "
                f"{WAIT_SECONDS:.0f} s; the new password is staged, run again when it is available"
            )
        time.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        instance = _describe(rds, identifier)
