"""EventBridge Scheduler schedules."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, keeping, names
from localcloud.provider.errors import NotFoundError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource


class _Schedule(Resource):
    """Scheduler replaces a schedule as a whole; its id is group/name."""

    def start(self, context: Context) -> None:
        super().start(context)
        context.id = f"{context.inputs['groupName']}/{context.inputs['name']}"

    @staticmethod
    def _key(context: Context) -> dict[str, str]:
        group, _, name = context.id.rpartition("/")
        return {"GroupName": group or "default", "Name": name}

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed:
            parameters = self.request(context.aws, context.inputs)
            context.call("scheduler", "UpdateSchedule", **parameters)

    def read(self, context: Context) -> dict[str, Any]:
        return context.call("scheduler", "GetSchedule", **self._key(context))

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        with keeping(context):
            return super().outputs(context, found)

    def delete(self, context: Context) -> None:
        try:
            context.call("scheduler", "DeleteSchedule", **self._key(context))
        except NotFoundError:
            return


RESOURCES: tuple[Resource, ...] = (
    _Schedule(
        kind="aws:scheduler/schedule:Schedule",
        whole=True,
        service="scheduler",
        create_with=Operation("CreateSchedule"),
        identifier="ScheduleArn",
        read_with=Operation("GetSchedule"),
        replaces=names("name namePrefix groupName"),
        defaults={
            "groupName": "default",
            "scheduleExpressionTimezone": "UTC",
            "state": "ENABLED",
        },
        autoname="name",
        unobserved=names("startDate endDate"),
        not_found=names("ResourceNotFoundException"),
    ),
)
