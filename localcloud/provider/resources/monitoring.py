"""CloudWatch log groups and metric alarms."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, keeping, names
from localcloud.provider.errors import NotFoundError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.sdk_types import Failure
from localcloud.provider.tags import Tags

# What CloudWatch Logs takes as retention, in days (AWS: PutRetentionPolicy); 0 is for ever.
_RETENTION_DAYS = frozenset(
    (0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557)
    + (2922, 3288, 3653)
)


class _LogGroup(Resource):
    """Retention is a policy of its own; zero days means none."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        days = inputs.get("retentionInDays")
        if isinstance(days, int) and days not in _RETENTION_DAYS:
            allowed = ", ".join(map(str, sorted(_RETENTION_DAYS)))
            return [Failure("retentionInDays", f"{days} is not one of {allowed} days")]
        return []

    def start(self, context: Context) -> None:
        super().start(context)
        with keeping(context):
            if context.inputs.get("retentionInDays"):
                self._retain(context)
            if context.inputs.get("deletionProtectionEnabled"):
                self._protect(context)

    @staticmethod
    def _protect(context: Context) -> None:
        context.call(
            "logs",
            "PutLogGroupDeletionProtection",
            logGroupIdentifier=context.id,
            deletionProtectionEnabled=bool(context.inputs.get("deletionProtectionEnabled")),
        )

    @staticmethod
    def _retain(context: Context) -> None:
        days = context.inputs.get("retentionInDays")
        if days:
            context.call(
                "logs", "PutRetentionPolicy", logGroupName=context.id, retentionInDays=days
            )
        else:
            context.call("logs", "DeleteRetentionPolicy", logGroupName=context.id)

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "retentionInDays" in changed and context.old_inputs:
            self._retain(context)
        if "deletionProtectionEnabled" in changed:
            self._protect(context)
        if "kmsKeyId" in changed:
            key = context.inputs.get("kmsKeyId")
            if key:
                context.call("logs", "AssociateKmsKey", logGroupName=context.id, kmsKeyId=key)
            else:
                context.call("logs", "DisassociateKmsKey", logGroupName=context.id)

    def read(self, context: Context) -> dict[str, Any]:
        groups = context.call("logs", "DescribeLogGroups", logGroupNamePrefix=context.id)
        for group in groups["logGroups"]:
            if group["logGroupName"] == context.id:
                return group
        raise NotFoundError(f"{context.subject} ({context.id}) does not exist")

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        # pulumi-aws gives the ARN without the wildcard for the group's streams.
        values["arn"] = values["arn"].removesuffix(":*")
        values.setdefault("retentionInDays", 0)
        values.setdefault("deletionProtectionEnabled", False)
        values["logGroupClass"] = found.get("logGroupClass", "STANDARD")
        return values

    def delete(self, context: Context) -> None:
        if not context.inputs.get("skipDestroy"):
            super().delete(context)


class _MetricAlarm(Resource):
    """PutMetricAlarm replaces the whole alarm."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        single = inputs.get("metricName") is not None
        if single == (inputs.get("metricQueries") is not None):
            return [Failure("metricName", "exactly one of metricName and metricQueries is needed")]
        missing = [n for n in ("namespace", "period") if single and inputs.get(n) is None]
        if missing:
            return [Failure(missing[0], "is required with metricName")]
        if single and (inputs.get("statistic") is None) == (
            inputs.get("extendedStatistic") is None
        ):
            return [
                Failure("statistic", "exactly one of statistic and extendedStatistic is needed")
            ]
        return [
            Failure(name, "is required")
            for name in ("comparisonOperator", "evaluationPeriods")
            if inputs.get(name) is None
        ]

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed - {"tags"}:
            context.call(
                "cloudwatch", "PutMetricAlarm", **self.request(context.aws, context.inputs)
            )

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        dimensions = found.get("Dimensions") or []
        values["dimensions"] = {item["Name"]: item["Value"] for item in dimensions}
        return values


RESOURCES: tuple[Resource, ...] = (
    _LogGroup(
        kind="aws:cloudwatch/logGroup:LogGroup",
        in_place=names("kmsKeyId"),
        service="logs",
        create_with=Operation("CreateLogGroup"),
        identifier="inputs.name",
        read_with=Operation("DescribeLogGroups"),
        delete_with=Operation("DeleteLogGroup", {"logGroupName": "$id"}),
        renames={"name": "logGroupName"},
        special=names("deletionProtectionEnabled retentionInDays"),
        local=names("skipDestroy"),
        replaces=names("name namePrefix logGroupClass"),
        defaults={"retentionInDays": 0, "skipDestroy": False},
        autoname="name",
        autoname_limit=512,
        tags=Tags(
            form="map",
            create_member="tags",
            tag=Operation("TagResource", {"resourceArn": "$arn"}),
            untag=Operation("UntagResource", {"resourceArn": "$arn"}),
            tag_member="tags",
            untag_member="tagKeys",
            read="",
        ),
        not_found=names("ResourceNotFoundException"),
    ),
    _MetricAlarm(
        kind="aws:cloudwatch/metricAlarm:MetricAlarm",
        whole=True,
        service="cloudwatch",
        create_with=Operation("PutMetricAlarm"),
        identifier="inputs.name",
        read_with=Operation("DescribeAlarms", {"AlarmNames": ["$id"]}, "MetricAlarms[0]"),
        delete_with=Operation("DeleteAlarms", {"AlarmNames": ["$id"]}),
        renames={
            "name": "AlarmName",
            "arn": "AlarmArn",
            "metricQueries": "Metrics",
            "metricQueries.metric": "MetricStat",
            "metricQueries.metric.metricName": "Metric.MetricName",
            "metricQueries.metric.namespace": "Metric.Namespace",
            "metricQueries.metric.dimensions": "Metric.Dimensions",
            "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
        },
        replaces=names("name"),
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        autoname="name",
        autoname_limit=255,
        unordered=names("alarmActions okActions insufficientDataActions metricQueries"),
        unobserved=names("metricQueries"),
        tags=Tags(
            tag=Operation("TagResource", {"ResourceARN": "$arn"}),
            untag=Operation("UntagResource", {"ResourceARN": "$arn"}),
            read="",
        ),
        not_found=names("ResourceNotFound ResourceNotFoundException"),
    ),
)
