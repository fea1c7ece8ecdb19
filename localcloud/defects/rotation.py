"""Secrets Manager rotates secrets: it calls the rotation function step by step, now and on time.

moto calls all steps while the request waits, whatever they answer, and then makes the new version
the default one. On AWS rotation is asynchronous, a step that fails ends it with AWSPENDING where it
is, and the next request takes the same version up again.
Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_how.html
"""

import json
import logging
import threading
import time
import uuid
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.secretsmanager.exceptions import InvalidRequestException, SecretNotFoundException
from moto.secretsmanager.models import SecretsManagerBackend, secretsmanager_backends

from localcloud.errors import LocalCloudError
from localcloud.permissions.resource_policies import service_may
from localcloud.repeated import Repeated

_log = logging.getLogger(__name__)

_SERVICE = "secretsmanager.amazonaws.com"
_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
_DAY_SECONDS = 86_400
_TICK_SECONDS = 30.0


def install() -> None:
    """Mend moto's RotateSecret."""
    setattr(SecretsManagerBackend, "rotate_secret", _rotate_secret)  # noqa: B010


def _rotate_secret(
    backend: Any,
    secret_id: str,
    *,
    client_request_token: str | None = None,
    rotation_lambda_arn: str | None = None,
    rotation_rules: dict[str, Any] | None = None,
    rotate_immediately: bool = True,
) -> str:
    if not backend._is_valid_identifier(secret_id):
        raise SecretNotFoundException
    secret = backend.secrets[secret_id]
    function_arn = rotation_lambda_arn or secret.rotation_lambda_arn
    if secret.is_deleted():
        raise InvalidRequestException("You tried to rotate a secret that is marked deleted.")
    if not function_arn:
        raise InvalidRequestException("No Lambda rotation function ARN is associated with it.")
    if not service_may(_SERVICE, "lambda:InvokeFunction", function_arn, secret.arn):
        raise InvalidRequestException(
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function "
            f"policy grants access to the principal {_SERVICE}."
        )
    secret.rotation_requested = True
    secret.rotation_lambda_arn = function_arn
    if rotation_rules:
        secret.auto_rotate_after_days = int(rotation_rules["AutomaticallyAfterDays"])
    if secret.auto_rotate_after_days:
        secret.rotation_enabled = True
        secret.next_rotation_date = int(time.time()) + secret.auto_rotate_after_days * _DAY_SECONDS
    unfinished = _pending(secret)
    if unfinished is not None and rotate_immediately:
        _start(secret, unfinished, _STEPS)
        raise InvalidRequestException(
            "A previous rotation isn't complete. That rotation will be reattempted."
        )
    if not rotate_immediately:
        # A configuration is tested with a pending copy of what is current.
        if unfinished is None and secret.versions:
            _start(secret, _begin(secret, copied=True), ("testSecret",))
    else:
        token = client_request_token or str(uuid.uuid4())
        _start(secret, _begin(secret, token=token), _STEPS)
    return secret.to_short_dict()


def _pending(secret: Any) -> str | None:
    """The version that a rotation has not finished."""
    for version_id, version in secret.versions.items():
        stages = version["version_stages"]
        if "AWSPENDING" in stages and "AWSCURRENT" not in stages:
            return version_id
    return None


def _begin(secret: Any, *, token: str | None = None, copied: bool = False) -> str:
    """Add a pending version, without a value or with that of the current one."""
    token = token or str(uuid.uuid4())
    version: dict[str, Any] = {
        "createdate": int(time.time()),
        "version_id": token,
        "version_stages": ["AWSPENDING"],
    }
    if copied:
        current = next(
            one for one in secret.versions.values() if "AWSCURRENT" in one["version_stages"]
        )
        version |= {n: current[n] for n in ("secret_string", "secret_binary") if n in current}
    secret.remove_version_stages_from_old_versions(["AWSPENDING"])
    secret.versions[token] = version
    return token


def _start(secret: Any, token: str, steps: tuple[str, ...]) -> None:
    name = f"rotation-{secret.name[-40:]}"
    arguments = (secret, token, steps)
    threading.Thread(target=_run, args=arguments, name=name, daemon=True).start()


def _run(secret: Any, token: str, steps: tuple[str, ...]) -> None:
    try:
        for step in steps:
            _call(secret, token, step)
        if steps == _STEPS:
            secret.last_rotation_date = int(time.time())
    except Exception as error:
        _log.warning("rotation of %s: %s", secret.name, error)
    finally:
        if steps != _STEPS and "AWSPENDING" in secret.versions[token]["version_stages"]:
            del secret.versions[token]


def _call(secret: Any, token: str, step: str) -> None:
    backend: Any = lambda_backends[secret.account_id][secret.region]
    event = {"Step": step, "SecretId": secret.arn, "ClientRequestToken": token}
    headers: dict[str, Any] = {}
    answer = backend.invoke(secret.rotation_lambda_arn, None, json.dumps(event), {}, headers)
    if headers.get("x-amz-function-error"):
        raise LocalCloudError(f"{step} failed: {answer!r}")


class RotationClock(Repeated):
    """Rotates each secret when its day has come."""

    def __init__(self, account_id: str, region: str) -> None:
        super().__init__("rotations", _TICK_SECONDS, lambda: self.tick(time.time()))
        self._place = (account_id, region)

    def tick(self, now: float) -> None:
        """Rotate what is due at `now`, in seconds since 1970."""
        account_id, region = self._place
        backend: Any = secretsmanager_backends[account_id][region]
        for secret in list(dict.values(backend.secrets)):
            due = getattr(secret, "next_rotation_date", None)
            if getattr(secret, "rotation_enabled", False) and due and due <= now:
                secret.next_rotation_date = int(now) + secret.auto_rotate_after_days * _DAY_SECONDS
                try:
                    backend.rotate_secret(secret.arn)
                except InvalidRequestException as error:
                    _log.warning("rotation of %s: %s", secret.name, error)
