"""Handler of the function that makes and renews the poolers' certificates."""

from __future__ import annotations

from typing import Any

import boto3

from operations import environment, secret_store
from operations.certificates import pooler
from operations.errors import OperationError
from operations.functions import events
from operations.structured_log import log


@events.of_objects
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """`{"dns_names", "server_valid_days", "authority_valid_days"}` -> CA certificate and end."""
    try:
        dns_names = _names(event["dns_names"])
        server_valid_days = int(event.get("server_valid_days", 90))
        authority_valid_days = int(event.get("authority_valid_days", 3650))
    except (KeyError, TypeError, ValueError) as error:
        raise OperationError(
            "event must be {dns_names: [...], server_valid_days: n, authority_valid_days: n}; "
            f"got {sorted(event)}"
        ) from error
    made = pooler.ensure(
        dns_names=dns_names,
        server_valid_days=server_valid_days,
        authority_valid_days=authority_valid_days,
        authority_secret=environment.required("AUTHORITY_SECRET_ARN"),
        server_secret=environment.required("SERVER_SECRET_ARN"),
        ca_parameter=environment.required("CA_PARAMETER_NAME"),
        secrets=secret_store.connect(),
        ssm=boto3.client("ssm"),
    )
    log("pooler_certificates", status=made.status, not_after=made.not_after.isoformat())
    return {
        "status": made.status,
        "ca_certificate": made.ca_certificate,
        "not_after": made.not_after.isoformat(),
    }


def _names(given: object) -> list[str]:
    """A text would be taken for the list of its letters."""
    if not isinstance(given, list):
        raise TypeError("no list")
    return [str(name) for name in given]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
