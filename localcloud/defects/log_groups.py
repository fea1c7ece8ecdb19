"""CloudWatch Logs refuses to delete a log group that is protected; moto knows no protection.

Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogGroupDeletionProtection.html
"""

from typing import Any

from moto.logs.exceptions import ResourceNotFoundException, ValidationException
from moto.logs.models import LogGroup, LogsBackend
from moto.logs.responses import LogsResponse

_PROTECTED = "deletion_protection_enabled"


def install() -> None:
    """Mend moto's log groups."""
    delete, describe = LogsBackend.delete_log_group, LogGroup.to_describe_dict

    def delete_log_group(backend: Any, log_group_name: str) -> None:
        group = backend.groups.get(log_group_name)
        if getattr(group, _PROTECTED, False):
            raise ValidationException(
                f"Log group {log_group_name} has deletion protection enabled; disable it first."
            )
        delete(backend, log_group_name)

    def to_describe_dict(group: Any) -> dict[str, Any]:
        protected = bool(getattr(group, _PROTECTED, False))
        return {**describe(group), "deletionProtectionEnabled": protected}

    def put_log_group_deletion_protection(response: Any) -> str:
        name = response._get_param("logGroupIdentifier")
        group = response.logs_backend.groups.get(name.rpartition(":log-group:")[2] or name)
        if group is None:
            raise ResourceNotFoundException
        setattr(group, _PROTECTED, bool(response._get_param("deletionProtectionEnabled")))
        return ""

    for holder, mended in (
        (LogsBackend, delete_log_group),
        (LogGroup, to_describe_dict),
        (LogsResponse, put_log_group_deletion_protection),
    ):
        setattr(holder, mended.__name__, mended)
