"""Handler of the function that applies a workload's migrations."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

import workloads
from operations import environment, secret_store
from operations.database import Endpoint, connect_with_secret
from operations.errors import OperationError
from operations.functions import events
from operations.migrations import run
from operations.structured_log import log
from workloads import ContractError, Migration


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid")

    workload: str
    migrations: list[Migration]


@events.of_objects
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """`{"workload", "migrations": [{"name", "sha256"}]}` -> `{"applied", "already"}`.

    The SQL and the contract come from this archive; the event's digests prove that they are those
    that the stack was deployed with.
    """
    try:
        asked = _Event.model_validate(event)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "event"
        raise OperationError(f"{field}: {first['msg']}") from error
    try:
        contract = workloads.load(asked.workload)
        migrations = [
            (one, workloads.migration_sql(asked.workload, one.name)) for one in asked.migrations
        ]
    except ContractError as error:
        raise OperationError(str(error)) from error
    with connect_with_secret(
        Endpoint.from_environment(),
        secret_store.connect(),
        environment.required("MIGRATOR_SECRET_ARN"),
        application_name="pgkeep migrations",
    ) as connection:
        result = run(connection, contract, migrations)
    log("migrations", workload=asked.workload, applied=result.applied, already=result.already)
    return {"applied": result.applied, "already": result.already}
