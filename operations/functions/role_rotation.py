"""Handler of the function that rotates the passwords of login roles, and says how old they are."""

from __future__ import annotations

import json
from typing import Any

import workloads
from operations import environment, secret_store
from operations.database import Endpoint
from operations.errors import OperationError
from operations.functions import events
from operations.roles import rotation, rotation_age
from operations.roles.rotation_age import Scheduled
from operations.structured_log import log
from workloads import ContractError


@events.of_objects
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Secrets Manager's `{"Step", "SecretId", "ClientRequestToken"}` -> `{"role", "step", "done"}`.

    Only secrets that ROTATED_ROLES lists (role -> ARN) are rotated. `{"action": "age"}` ->
    `{"overdue_days": {...}}`, and the metric `RotationOverdueDays`.
    """
    secrets: dict[str, str] = json.loads(environment.required("ROTATED_ROLES"))
    if event.get("action") == "age":
        return {"overdue_days": _tell_age(secrets)}
    secret, token = str(event.get("SecretId")), str(event.get("ClientRequestToken"))
    step = str(event.get("Step"))
    name = next((role for role, arn in secrets.items() if arn == secret), None)
    if name is None:
        raise OperationError(
            f"SecretId is {secret!r}; this function rotates the secrets of {', '.join(secrets)}"
        )
    try:
        contract = workloads.load(environment.required("WORKLOAD"))
    except ContractError as error:
        raise OperationError(str(error)) from error
    role = next((one for one in contract.login_roles if one.name == name), None)
    if role is None:
        raise OperationError(f"workload {contract.workload} has no login role {name}")
    done = rotation.run(
        step,
        rotation.Rotation(
            client=secret_store.connect(),
            endpoint=Endpoint.from_environment(),
            role=role,
            secret=secret,
            token=token,
            master_secret=environment.required("MASTER_SECRET_ARN"),
            pooler_users_secret=environment.required("POOLER_USERS_SECRET_ARN"),
            poolers_settle_seconds=environment.required_int("POOLERS_SETTLE_SECONDS"),
        ),
    )
    log("role_rotation", role=name, step=step, done=done)
    return {"role": name, "step": step, "done": done}


def _tell_age(roles: dict[str, str]) -> dict[str, float]:
    """Of the login roles' passwords and the master's."""
    days = environment.required_int("ROTATION_DAYS")
    scheduled = {role: Scheduled(secret, days) for role, secret in roles.items()}
    scheduled["master"] = Scheduled(
        environment.required("MASTER_SECRET_ARN"), environment.required_int("MASTER_ROTATION_DAYS")
    )
    return rotation_age.publish(
        secret_store.connect(),
        scheduled,
        function=environment.required("AWS_LAMBDA_FUNCTION_NAME"),
    )
