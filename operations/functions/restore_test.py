"""Handler of the function that tests restores by itself."""

from __future__ import annotations

import json
from typing import Any, Protocol

import boto3

import workloads
from operations import environment, secret_store
from operations.backup.store import Store
from operations.database import Endpoint, connect_with_secret, credentials
from operations.errors import OperationError
from operations.functions import events
from operations.restore import restore_test
from operations.restore.objectives import Objectives
from operations.restore.restore_test import Site

_ACTIONS = ("start", "continue")


class Context(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda kills the function."""
        ...


@events.of_objects
def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """`{"action": "start", "scope": "weekly"}` (or monthly) begins a test, `{"action": "continue"}`
    does what is next.
    """
    action = event.get("action")
    if action not in _ACTIONS:
        raise OperationError(f"action is {action!r}; it must be one of {', '.join(_ACTIONS)}")
    site = _site()

    def remaining_seconds() -> float:
        return context.get_remaining_time_in_millis() / 1000

    if action == "start":
        return restore_test.start(site, remaining_seconds, str(event.get("scope", "weekly")))
    return restore_test.go_on(site, remaining_seconds)


def _site() -> Site:
    secret = environment.required("MASTER_SECRET_ARN")
    # The objectives are the stack's; the checks are too long for a variable.
    contract = workloads.load(environment.required("WORKLOAD"))
    secrets = secret_store.connect()
    return Site(
        rds=boto3.client("rds"),
        store=Store.of_function(boto3.client("s3"), environment.required("BACKUP_BUCKET")),
        production=Endpoint.from_environment(),
        source=environment.required("DB_INSTANCE_IDENTIFIER"),
        scratch=environment.required("SCRATCH_INSTANCE_IDENTIFIER"),
        security_group_id=environment.required("SCRATCH_SECURITY_GROUP_ID"),
        kms_key=environment.required("KMS_KEY_ARN"),
        open=lambda endpoint, name: connect_with_secret(
            endpoint, secrets, secret, application_name=name
        ),
        credentials=lambda: credentials(secret_store.read(secrets, secret), secret),
        objectives=Objectives.of(json.loads(environment.required("RECOVERY_OBJECTIVES"))),
        checks=contract.checks,
        schema=contract.schema_name,
        roles=contract,
        oldest_hours=environment.required_int("SCRATCH_OLDEST_HOURS"),
    )
