"""How far passwords are behind their schedule: a rotation that never began fails nowhere.

Secrets Manager publishes no metric for it. What tells is the current version of each secret: it
exists since the last rotation, whoever stopped the next one, and however.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from operations.structured_log import log_metrics

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Scheduled:
    """A secret, and how old its password may become, in days."""

    secret: str
    days: int


def publish(
    client: SecretsManagerClient, scheduled: Mapping[str, Scheduled], *, function: str
) -> dict[str, float]:
    """By name: days past the schedule, negative while there is time; the worst is the metric.

    Args:
        client: may describe and read the secrets.
        scheduled: by the name that the log gives them.
        function: dimension of the metric, this stack's own.
    """
    now = datetime.now(UTC)
    overdue = {
        name: round((now - _since(client, one.secret)).total_seconds() / _DAY_SECONDS - one.days, 2)
        for name, one in scheduled.items()
    }
    log_metrics(
        "rotation_age",
        dimensions={"FunctionName": function},
        metrics={"RotationOverdueDays": (max(overdue.values()), "None")},
        overdue_days=overdue,
    )
    return overdue


def _since(client: SecretsManagerClient, secret: str) -> datetime:
    """When the password that is used now was made.

    The last rotation, where Secrets Manager knows it: a version may also be new for another reason
    (the database's address). It forgets the date when rotation is switched off; then the version.
    """
    described = client.describe_secret(SecretId=secret)
    if rotated := described.get("LastRotatedDate"):
        return rotated
    if not any("AWSCURRENT" in one for one in described.get("VersionIdsToStages", {}).values()):
        # The stack is being made, and has no password yet.
        return described["CreatedDate"]
    return client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")["CreatedDate"]
