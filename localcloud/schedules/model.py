"""moto's Scheduler with AWS's own checks when a schedule is written."""

import json
from typing import Any

from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, scheduler_backends

from localcloud.errors import LocalCloudError
from localcloud.functions.destinations import ACTIONS
from localcloud.permissions import roles
from localcloud.schedules import expressions
from localcloud.schedules.targets import SERVICE, group_arn


class LocalSchedulerBackend(EventBridgeSchedulerBackend):
    """Refuses schedules that AWS refuses, or that could never fire here."""

    def create_schedule(self, **fields: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Check, then create."""
        self._check(fields)
        return super().create_schedule(**fields)

    def update_schedule(self, **fields: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Check, then replace every property: what is not given returns to its default."""
        self._check(fields)
        schedule = super().update_schedule(**fields)
        schedule.state = schedule.state or "ENABLED"
        return schedule

    def _check(self, fields: dict[str, Any]) -> None:
        zone = fields.get("schedule_expression_timezone") or "UTC"
        try:
            expressions.parse(fields["schedule_expression"], zone)
        except LocalCloudError as error:
            raise ValidationException(str(error)) from error
        target: dict[str, Any] = fields["target"]
        service = target["Arn"].split(":")[2]
        if service not in ACTIONS:
            raise ValidationException(
                f"Target {target['Arn']} is not supported by the local cloud: schedules reach "
                f"{', '.join(sorted(ACTIONS))}."
            )
        if target.get("Input") is not None and service == "lambda":
            try:
                json.loads(target["Input"])
            except ValueError as error:
                raise ValidationException("Invalid JSON in the Input of the Target.") from error
        group = group_arn(self.account_id, self.region_name, fields.get("group_name") or "default")
        context = {"aws:sourcearn": group}
        if not roles.trusts(self.account_id, target["RoleArn"], SERVICE, context):
            raise ValidationException(
                "The execution role you provide must allow AWS EventBridge Scheduler to assume "
                "the role."
            )


def replace_backend() -> None:
    """Put this backend in moto's place; before moto's first use of the Scheduler."""
    LocalSchedulerBackend.__module__ = EventBridgeSchedulerBackend.__module__
    LocalSchedulerBackend.__name__ = EventBridgeSchedulerBackend.__name__
    scheduler_backends.backend = LocalSchedulerBackend
