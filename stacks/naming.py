"""How long a name may be in AWS, of what, and the longest one that the program makes.

One row for each type that carries a name of ours. `tests/unit/test_naming.py` deploys every
environment and compares: a resource without a row, or a name longer than its row says, fails there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stacks.settings import Settings

ACCOUNT_DIGITS = 12
# ap-northeast-1, us-gov-west-1 and cn-northwest-1 are as long as names of regions get.
LONGEST_REGION = 14

_HYPHENATED = r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*"
_WORDS = r"[A-Za-z0-9_-]+"


@dataclass(frozen=True)
class NameLimit:
    """One kind of name: where it stands, how long it may be, and the longest one of a stack."""

    type: str
    """Pulumi's type token."""
    property: str
    kind: str
    """For people."""
    longest: Callable[[Settings], str]
    """The longest name that the program gives; only its length and first letters count."""
    most: int
    """Characters."""
    pattern: str
    """What AWS takes, as a regular expression of the whole name."""
    source: str
    """Where AWS says so."""

    def fits(self, name: str) -> bool:
        """Whether AWS takes the name's characters."""
        return re.fullmatch(self.pattern, name) is not None


def _after_prefix(suffix: str) -> Callable[[Settings], str]:
    return lambda settings: f"{settings.prefix}-{suffix}"


def _bucket(settings: Settings) -> str:
    regions = [settings.region or "r" * LONGEST_REGION]
    if settings.backups.replication is not None:
        regions.append(settings.backups.replication.region)
    region = max(regions, key=len)
    return f"{settings.prefix}-{_LONGEST_BUCKET}-{'0' * ACCOUNT_DIGITS}-{region}"


def _instance(settings: Settings) -> str:
    elsewhere = [f"replica-{replica.region}" for replica in settings.replicas.other_regions]
    return f"{settings.prefix}-{max([_LONGEST_INSTANCE, *elsewhere], key=len)}"


def _alias(settings: Settings) -> str:
    labels = ["telemetry"]
    if settings.database.backup_replication is not None:
        labels.append("backup-replication")
    labels += [f"replica-{replica.region}" for replica in settings.replicas.other_regions]
    return f"alias/{settings.prefix}-{max(labels, key=len)}"


# The longest last parts. A new function, bucket or replica with a longer one belongs here.
_LONGEST_BUCKET = "copy-logs"
_LONGEST_FUNCTION = "pooler-certificates"
_LONGEST_HOST = "backup-worker"
_LONGEST_INSTANCE = "replica-15"
_LONGEST_SCHEDULE = "restore-test-start-monthly"
_LONGEST_SECRET = "pooler/authority"  # noqa: S105 (a name)

NAME_LIMITS: tuple[NameLimit, ...] = (
    NameLimit(
        "aws:lb/loadBalancer:LoadBalancer",
        "name",
        "load balancer",
        _after_prefix("pooler"),
        32,
        rf"(?!internal-){_HYPHENATED}",
        "ELB API reference: CreateLoadBalancer",
    ),
    NameLimit(
        "aws:lb/targetGroup:TargetGroup",
        "name",
        "target group",
        _after_prefix("pooler"),
        32,
        _HYPHENATED,
        "ELB API reference: CreateTargetGroup",
    ),
    NameLimit(
        "aws:rds/instance:Instance",
        "identifier",
        "DB instance",
        _instance,
        63,
        _HYPHENATED,
        "RDS API reference: CreateDBInstance",
    ),
    NameLimit(
        "aws:rds/parameterGroup:ParameterGroup",
        "name",
        "parameter group",
        _after_prefix("postgres17"),
        255,
        _HYPHENATED,
        "RDS API reference: CreateDBParameterGroup",
    ),
    NameLimit(
        "aws:rds/eventSubscription:EventSubscription",
        "name",
        "event subscription",
        _after_prefix("security-group-events"),
        254,
        _HYPHENATED,
        "RDS API reference: CreateEventSubscription",
    ),
    NameLimit(
        "aws:rds/subnetGroup:SubnetGroup",
        "name",
        "subnet group",
        _after_prefix("database"),
        255,
        r"[a-z0-9 ._-]+",
        "RDS API reference: CreateDBSubnetGroup",
    ),
    NameLimit(
        "aws:s3/bucket:Bucket",
        "bucket",
        "bucket",
        _bucket,
        63,
        r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9][a-z0-9-]+[a-z0-9]",
        "S3 user guide: bucket naming rules; a bucket's name is unique in its whole partition",
    ),
    NameLimit(
        "aws:lambda/function:Function",
        "name",
        "function",
        _after_prefix(_LONGEST_FUNCTION),
        64,
        _WORDS,
        "Lambda API reference: CreateFunction",
    ),
    NameLimit(
        "aws:lambda/layerVersion:LayerVersion",
        "layerName",
        "layer",
        _after_prefix("postgresql-client-17"),
        140,
        _WORDS,
        "Lambda API reference: PublishLayerVersion",
    ),
    NameLimit(
        "aws:iam/role:Role",
        "name",
        "role",
        _after_prefix(f"{_LONGEST_FUNCTION}-timer"),
        64,
        r"[\w+=,.@-]+",
        "IAM user guide: IAM and STS quotas",
    ),
    NameLimit(
        "aws:iam/rolePolicy:RolePolicy",
        "name",
        "inline policy",
        _after_prefix(f"{_LONGEST_FUNCTION}-timer"),
        128,
        r"[\w+=,.@-]+",
        "IAM user guide: IAM and STS quotas",
    ),
    NameLimit(
        "aws:iam/instanceProfile:InstanceProfile",
        "name",
        "instance profile",
        _after_prefix(_LONGEST_HOST),
        128,
        r"[\w+=,.@-]+",
        "IAM user guide: IAM and STS quotas",
    ),
    NameLimit(
        "aws:scheduler/schedule:Schedule",
        "name",
        "schedule",
        _after_prefix(_LONGEST_SCHEDULE),
        64,
        r"[0-9A-Za-z_.-]+",
        "EventBridge Scheduler API reference: CreateSchedule",
    ),
    NameLimit(
        "aws:sqs/queue:Queue",
        "name",
        "queue",
        _after_prefix(f"{_LONGEST_FUNCTION}-failed"),
        80,
        _WORDS,
        "SQS API reference: CreateQueue",
    ),
    NameLimit(
        "aws:sns/topic:Topic",
        "name",
        "topic",
        _after_prefix("alarms"),
        256,
        _WORDS,
        "SNS API reference: CreateTopic",
    ),
    NameLimit(
        "aws:kms/alias:Alias",
        "name",
        "key alias",
        _alias,
        256,
        r"alias/(?!aws/)[a-zA-Z0-9/_-]+",
        "KMS API reference: CreateAlias",
    ),
    NameLimit(
        "aws:secretsmanager/secret:Secret",
        "name",
        "secret",
        # Roles of a workload are at most as long as "migrator"; its name at most 41 characters.
        lambda settings: max(
            f"{settings.prefix}/{_LONGEST_SECRET}",
            f"{settings.prefix}/{settings.workload}/migrator",
            key=len,
        ),
        512,
        r"[A-Za-z0-9/_+=.@-]+",
        "Secrets Manager API reference: CreateSecret",
    ),
    NameLimit(
        "aws:ssm/parameter:Parameter",
        "name",
        "parameter",
        lambda settings: f"/{settings.prefix}/pooler/ca-certificate",
        # 1011 with the ARN in front of it, which takes less than 100.
        900,
        r"(?i)(?!/?(aws|ssm))[a-z0-9_./-]+",
        "Systems Manager API reference: PutParameter",
    ),
    NameLimit(
        "aws:cloudwatch/logGroup:LogGroup",
        "name",
        "log group",
        lambda settings: f"/aws/rds/instance/{_instance(settings)}/postgresql",
        512,
        r"(?!aws/)[A-Za-z0-9_./#-]+",
        "CloudWatch Logs API reference: CreateLogGroup",
    ),
    NameLimit(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "name",
        "alarm",
        _after_prefix(f"{_LONGEST_FUNCTION}-failed-events"),
        255,
        r"[\x20-\x7e]+",
        "CloudWatch API reference: PutMetricAlarm",
    ),
    NameLimit(
        "aws:autoscaling/group:Group",
        "name",
        "Auto Scaling group",
        _after_prefix(_LONGEST_HOST),
        255,
        r"[^:]+",
        "EC2 Auto Scaling API reference: CreateAutoScalingGroup",
    ),
    NameLimit(
        "aws:autoscaling/lifecycleHook:LifecycleHook",
        "name",
        "lifecycle hook",
        _after_prefix("pooler-termination"),
        255,
        r"[A-Za-z0-9\-_/]+",
        "EC2 Auto Scaling API reference: PutLifecycleHook",
    ),
    NameLimit(
        "aws:ec2/launchTemplate:LaunchTemplate",
        "name",
        "launch template",
        _after_prefix(_LONGEST_HOST),
        128,
        r"[a-zA-Z0-9().\-/_]+",
        "EC2 API reference: CreateLaunchTemplate",
    ),
    NameLimit(
        "aws:ec2/securityGroup:SecurityGroup",
        "name",
        "security group",
        _after_prefix("administration"),
        255,
        r"(?!sg-)[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+",
        "EC2 API reference: CreateSecurityGroup",
    ),
)
