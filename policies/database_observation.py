"""Rules for what can be known about a database afterwards: logs, monitoring, insights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .databases import CLUSTER, CLUSTER_INSTANCE, INSTANCE
from .instances import is_other_engine
from .inventory import Resource
from .requirements import ADVISORY_BELOW_STAGING, Part, contains, flag, given, number, on_resource
from .rules import Context, Outcome, Rule, Severity, Unverified
from .values import UNKNOWN, Wrong, boolean, sequence


def _logs_exported(database: Resource, context: Context) -> Iterator[Outcome]:
    part = Part(database, context, "", database.properties)
    name = "enabledCloudwatchLogsExports"
    if not is_other_engine(database):
        wanted = ("postgresql",) if database.type == CLUSTER else ("postgresql", "upgrade")
        yield from contains(name, wanted, f"have {' and '.join(wanted)}")(part)
        return
    exports = sequence(database.get(name))
    if exports is UNKNOWN:
        yield part.unverified(name)
    elif isinstance(exports, Wrong) or not exports:
        yield part.violation(name, database.get(name), "name the logs that the engine writes")


def _insights_key(database: Resource, context: Context) -> Iterator[Outcome]:
    enabled = boolean(database.get("performanceInsightsEnabled"), default=False)
    if enabled is UNKNOWN:
        yield Unverified(database, "performanceInsightsEnabled")
    elif enabled is not False:
        yield from on_resource(given("performanceInsightsKmsKeyId"))(database, context)


def _monitoring_role(database: Resource, context: Context) -> Iterator[Outcome]:
    interval = database.get("monitoringInterval")
    if interval is UNKNOWN:
        yield Unverified(database, "monitoringInterval")
    elif interval not in (None, 0, "0"):
        yield from on_resource(given("monitoringRoleArn"))(database, context)


LOGS_EXPORTED: Final = Rule(
    id="rds-logs-exported",
    title="Database logs leave the instance",
    what="enabledCloudwatchLogsExports has postgresql and upgrade on every instance.",
    why="RDS deletes logs on the instance after days, and with the instance itself.",
    remediation='set enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"].',
    severity=Severity.MEDIUM,
    catalogue=("RDS-08",),
    controls=(
        "CKV_AWS_129",
        "CKV_AWS_324",
        "RDS.9",
        "RDS.36",
        "rds-postgresql-logs-to-cloudwatch",
    ),
    types=(INSTANCE, CLUSTER),
    check_resource=_logs_exported,
)

ENHANCED_MONITORING: Final = Rule(
    id="rds-enhanced-monitoring",
    title="Enhanced monitoring is on",
    what="monitoringInterval is at least one second on every instance.",
    why="Without the operating system's numbers a full disk or a swapping host looks like a slow "
    "query.",
    remediation="set database.monitoring_interval_seconds: 60 in stacks/Pulumi.<environment>.yaml.",
    severity=Severity.MEDIUM,
    catalogue=("RDS-09",),
    controls=("CKV_AWS_118", "RDS.6"),
    types=(INSTANCE, CLUSTER_INSTANCE),
    enforcement=ADVISORY_BELOW_STAGING,
    check_resource=on_resource(number("monitoringInterval", default=0, least=1, most=60)),
)

MONITORING_ROLE: Final = Rule(
    id="rds-monitoring-role",
    title="Enhanced monitoring has a role to write with",
    what="monitoringRoleArn is set wherever monitoringInterval is not zero.",
    why="RDS writes the measurements with this role; without it nothing arrives.",
    remediation="set monitoring_role_arn to a role that monitoring.rds.amazonaws.com may assume.",
    severity=Severity.MEDIUM,
    catalogue=("RDS-09",),
    controls=(),
    types=(INSTANCE, CLUSTER_INSTANCE),
    enforcement=ADVISORY_BELOW_STAGING,
    check_resource=_monitoring_role,
)

PERFORMANCE_INSIGHTS: Final = Rule(
    id="rds-performance-insights",
    title="Performance Insights is on",
    what="performanceInsightsEnabled is true on every instance.",
    why="Which statement and which wait made an incident cannot be found out afterwards.",
    remediation="set performance_insights_enabled = True.",
    severity=Severity.MEDIUM,
    catalogue=("RDS-10",),
    controls=("CKV_AWS_353", "enablePerformanceInsights"),
    types=(INSTANCE, CLUSTER_INSTANCE),
    enforcement=ADVISORY_BELOW_STAGING,
    check_resource=on_resource(flag("performanceInsightsEnabled", True, default=False)),
)

PERFORMANCE_INSIGHTS_KEY: Final = Rule(
    id="rds-performance-insights-key",
    title="Performance Insights is under a key of one's own",
    what="performanceInsightsKmsKeyId is set wherever Performance Insights is on.",
    why="Its samples hold statements with their values, readable by whoever may use AWS's key.",
    remediation="set performance_insights_kms_key_id to the stack's database key.",
    severity=Severity.MEDIUM,
    catalogue=("RDS-10",),
    controls=("CKV_AWS_354",),
    types=(INSTANCE, CLUSTER_INSTANCE),
    check_resource=_insights_key,
)

ACTIVITY_STREAM_KEY: Final = Rule(
    id="rds-activity-stream-key",
    title="Activity streams are under a key of one's own",
    what="kmsKeyId is set on every activity stream of a cluster.",
    why="The stream has every statement with its values.",
    remediation="set kms_key_id on the aws.rds.ClusterActivityStream.",
    severity=Severity.HIGH,
    catalogue=("RDS-10",),
    controls=("CKV_AWS_246",),
    types=("aws:rds/clusterActivityStream:ClusterActivityStream",),
    check_resource=on_resource(given("kmsKeyId")),
)

RULES: Final = (
    ACTIVITY_STREAM_KEY,
    LOGS_EXPORTED,
    ENHANCED_MONITORING,
    MONITORING_ROLE,
    PERFORMANCE_INSIGHTS,
    PERFORMANCE_INSIGHTS_KEY,
)
