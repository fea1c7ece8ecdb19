"""Handler of the function that sets the master password."""

from __future__ import annotations

from typing import Any

import boto3

from operations import environment, secret_store
from operations.credentials import master
from operations.errors import OperationError
from operations.functions import events
from operations.structured_log import log

_ACTIONS = {"initialize": master.initialize, "rotate": master.rotate}


@events.of_objects
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """`{"action": "initialize" | "rotate"}` -> `{"status", "username"}`."""
    action = event.get("action")
    if action not in _ACTIONS:
        raise OperationError(f"action is {action!r}; it must be one of {', '.join(_ACTIONS)}")
    target = master.MasterTarget(
        instance_identifier=environment.required("DB_INSTANCE_IDENTIFIER"),
        secret=environment.required("MASTER_SECRET_ARN"),
        host=environment.required("DB_HOST"),
        port=environment.required_int("DB_PORT"),
        database=environment.required("DB_NAME"),
    )
    outcome = _ACTIONS[action](target, boto3.client("rds"), secret_store.connect())
    log("master_credentials", status=outcome.status, username=outcome.username)
    return {"status": outcome.status, "username": outcome.username}
