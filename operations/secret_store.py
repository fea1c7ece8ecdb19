"""Secrets Manager with its two stages: AWSPENDING is being made true, AWSCURRENT is true."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

Stage = Literal["AWSCURRENT", "AWSPENDING"]
Document = dict[str, Any]


def connect() -> SecretsManagerClient:
    """A client from the environment, as Lambda provides it."""
    import boto3

    return boto3.client("secretsmanager")


def read(client: SecretsManagerClient, secret: str, stage: Stage = "AWSCURRENT") -> Document | None:
    """The JSON of one stage; None when the secret has no version with it."""
    return _read(client, secret, VersionStage=stage)


def read_version(client: SecretsManagerClient, secret: str, version: str) -> Document | None:
    """The JSON of one version; None when it has no value yet."""
    return _read(client, secret, VersionId=version)


def _read(client: SecretsManagerClient, secret: str, **version: str) -> Document | None:
    try:
        answer = client.get_secret_value(SecretId=secret, **version)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        # The same code means "no such secret" and "no such version": only the second is normal.
        _require_secret(client, secret)
        return None
    try:
        document = json.loads(answer["SecretString"])
    except (KeyError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise OperationError(
            f"secret {_name(secret)} holds no JSON object; make the version before current again "
            "(aws secretsmanager update-secret-version-stage)"
        )
    return document


def write(
    client: SecretsManagerClient,
    secret: str,
    document: Mapping[str, object],
    stage: Stage = "AWSCURRENT",
) -> None:
    """Add a version under `stage`; the stage leaves the version that had it."""
    client.put_secret_value(
        SecretId=secret, SecretString=json.dumps(dict(document)), VersionStages=[stage]
    )


def fill_pending(
    client: SecretsManagerClient, secret: str, document: Mapping[str, object], version: str
) -> None:
    """Give the AWSPENDING version that a rotation has begun its value, unless another run was
    first: then that one's value stays."""
    try:
        client.put_secret_value(
            SecretId=secret,
            SecretString=json.dumps(dict(document)),
            VersionStages=["AWSPENDING"],
            ClientRequestToken=version,
        )
    except ClientError as error:
        # The version has a value, and values of versions never change.
        if error.response.get("Error", {}).get("Code") != "ResourceExistsException":
            raise


def stages(client: SecretsManagerClient, secret: str) -> Mapping[str, list[str]]:
    """Version -> its stages, of all versions that have some."""
    return _require_secret(client, secret)


def promote(client: SecretsManagerClient, secret: str, version: str | None = None) -> None:
    """Make the AWSPENDING version AWSCURRENT, and nothing pending. A repeat does no harm.

    With `version`, no other one: raises `OperationError` when another is pending.
    """
    versions = _require_secret(client, secret)
    pending = _version_with(versions, "AWSPENDING")
    current = _version_with(versions, "AWSCURRENT")
    if pending is None:
        return
    if version not in (None, pending):
        raise OperationError(
            f"secret {_name(secret)} has version {pending} pending, not {version}; "
            "what is current stays"
        )
    if pending != current:
        move: dict[str, Any] = {"MoveToVersionId": pending}
        if current is not None:
            move["RemoveFromVersionId"] = current
        client.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT", **move)
    client.update_secret_version_stage(
        SecretId=secret, VersionStage="AWSPENDING", RemoveFromVersionId=pending
    )


def _require_secret(client: SecretsManagerClient, secret: str) -> Mapping[str, list[str]]:
    try:
        return client.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            raise OperationError(
                f"secret {_name(secret)} does not exist; deploy the stack that creates it"
            ) from error
        raise


def _version_with(versions: Mapping[str, list[str]], stage: Stage) -> str | None:
    return next((version for version, stages in versions.items() if stage in stages), None)


def _name(secret: str) -> str:
    return secret.rsplit(":secret:", maxsplit=1)[-1]
