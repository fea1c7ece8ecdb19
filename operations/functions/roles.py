"""Handler of the function that applies a role manifest."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from operations import environment, secret_store
from operations.database import Endpoint
from operations.errors import OperationError
from operations.functions import events
from operations.roles import apply
from operations.structured_log import log
from workloads.contract import RoleManifest


@events.of_objects
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """`{"manifest": RoleManifest}` -> `{"status", "changes", "missing"}`."""
    try:
        manifest = RoleManifest.model_validate(event.get("manifest"))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in ("manifest", *first["loc"]))
        raise OperationError(f"{field}: {first['msg']}") from error
    result = apply(
        manifest,
        Endpoint.from_environment(),
        secret_store.connect(),
        master_secret=environment.required("MASTER_SECRET_ARN"),
        pooler_users_secret=environment.required("POOLER_USERS_SECRET_ARN"),
    )
    log("roles", workload=manifest.workload, status=result.status, changes=result.changes)
    return {"status": result.status, "changes": result.changes, "missing": result.missing}
