"""Which resources an API call touches, as IAM names them.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/ , for the services that
this project's roles use. For a call that is not listed the resource is unknown (None): its action
is checked, its resource is not.
"""

from collections.abc import Callable, Mapping
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends

Parameters = Mapping[str, Any]
Resources = list[str | None]

# Operations whose IAM action has another name.
_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "lambda:InvokeAsync": "lambda:InvokeFunction",
    "lambda:InvokeWithResponseStream": "lambda:InvokeFunction",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sns:PublishBatch": "sns:Publish",
}
# arn:aws:kms:region:account:key/id
_ARN_COLONS = 5
_PREFIXES = {"monitoring": "cloudwatch", "email": "ses"}


def action(service: str, operation: str) -> str:
    """The IAM action of an operation; `service` is the signing name."""
    name = f"{_PREFIXES.get(service, service)}:{operation}"
    return _ACTIONS.get(name, name)


def find(name: str, parameters: Parameters, account: str, region: str) -> Resources:
    """ARNs that the action `name` touches with these parameters."""
    service = name.partition(":")[0]
    finder = _FINDERS.get(service)
    if finder is None:
        return [None]
    prefix = f"arn:aws:{service}:{region}:{account}:"
    return finder(name.partition(":")[2], parameters, prefix) or ["*"]


def key_arn(key_id: str, account: str, region: str) -> str:
    """ARN of a KMS key given by id, ARN or alias; of a missing one as it would be.

    An ARN may be one of another account or region.
    """
    if key_id.startswith("arn:") and key_id.count(":") == _ARN_COLONS:
        region, account = key_id.split(":")[3:5]
    backend: Any = kms_backends[account][region]
    prefix = f"arn:aws:kms:{region}:{account}:"
    name = key_id.removeprefix(prefix)
    if name.startswith("alias/"):
        found = backend.get_key_id_from_alias(name)
        return f"{prefix}key/{found}" if found else f"{prefix}{name}"
    return f"{prefix}key/{name.removeprefix('key/')}"


def secret_arn(secret_id: str, account: str, region: str) -> str:
    """ARN of a secret given by name or ARN."""
    backend: Any = secretsmanager_backends[account][region]
    secret = backend.secrets.get(secret_id)
    if secret:
        return secret.arn
    prefix = f"arn:aws:secretsmanager:{region}:{account}:secret:"
    # A name that does not exist (yet): six characters will follow.
    return secret_id if secret_id.startswith("arn:") else f"{prefix}{secret_id}-000000"


def _split(prefix: str) -> tuple[str, str]:
    _, _, _, region, account, _ = prefix.split(":", 5)
    return account, region


def _secrets(operation: str, parameters: Parameters, prefix: str) -> Resources:
    given = parameters.get("SecretId") or (
        parameters.get("Name") if operation == "CreateSecret" else None
    )
    return [secret_arn(given, *_split(prefix))] if given else []


def _keys(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del operation
    given = parameters.get("KeyId") or parameters.get("TargetKeyId")
    # Decrypt may leave the key out: the ciphertext names it.
    return [key_arn(given, *_split(prefix))] if given else [None]


def _parameters(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del operation
    names = [parameters.get("Name"), parameters.get("Path"), *(parameters.get("Names") or [])]
    return [f"{prefix}parameter/{name.lstrip('/')}" for name in names if name]


def _logs(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del operation
    group = parameters.get("logGroupName")
    stream = parameters.get("logStreamName") or ""
    return [f"{prefix}log-group:{group}:log-stream:{stream}"] if group else []


def _databases(operation: str, parameters: Parameters, prefix: str) -> Resources:
    found: Resources = [
        value if value.startswith("arn:") else f"{prefix}{kind}:{value}"
        for field, kind in (
            ("DBInstanceIdentifier", "db"),
            ("SourceDBInstanceIdentifier", "db"),
            ("SourceDBInstanceArn", "db"),
            ("TargetDBInstanceIdentifier", "db"),
            ("DBSnapshotIdentifier", "snapshot"),
            ("SourceDBSnapshotIdentifier", "snapshot"),
            ("TargetDBSnapshotIdentifier", "snapshot"),
            ("DBInstanceAutomatedBackupsArn", "auto-backup"),
            ("SourceDBInstanceAutomatedBackupsArn", "auto-backup"),
            ("DBParameterGroupName", "pg"),
            ("DBSubnetGroupName", "subgrp"),
            ("DBClusterIdentifier", "cluster"),
            ("ResourceName", "db"),
        )
        if (value := parameters.get(field))
    ]
    return found or ([f"{prefix}db:*"] if operation == "DescribeDBInstances" else [])


def _queues(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del operation
    name = parameters.get("QueueName") or (parameters.get("QueueUrl") or "").rpartition("/")[2]
    return [f"{prefix}{name}"] if name else []


def _topics(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del operation
    name = parameters.get("Name")
    arn = parameters.get("TopicArn") or parameters.get("TargetArn")
    return [arn or f"{prefix}{name}"] if arn or name else []


def _functions(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del operation
    name: str | None = parameters.get("FunctionName")
    if not name:
        return []
    arn = name if name.startswith("arn:") else f"{prefix}function:{name}"
    qualifier = parameters.get("Qualifier")
    return [f"{arn}:{qualifier}" if qualifier else arn]


def _alarms(operation: str, parameters: Parameters, prefix: str) -> Resources:
    names = [parameters.get("AlarmName")]
    if operation in ("DeleteAlarms", "EnableAlarmActions", "DisableAlarmActions"):
        names = parameters.get("AlarmNames") or []
    return [f"{prefix}alarm:{name}" for name in names if name]


def _groups(operation: str, parameters: Parameters, prefix: str) -> Resources:
    account, region = _split(prefix)
    backend: Any = autoscaling_backends[account][region]
    name = parameters.get("AutoScalingGroupName")
    if operation == "TerminateInstanceInAutoScalingGroup":
        name = _group_of(backend, parameters.get("InstanceId"))
    if not name or operation.startswith("Describe"):
        return []
    group = backend.autoscaling_groups.get(name)
    return [group.arn] if group else [f"{prefix}autoScalingGroup:*:autoScalingGroupName/{name}"]


def _group_of(backend: Any, instance_id: str | None) -> str | None:
    """The group that an instance is in; the call names the instance alone."""
    for group in list(backend.autoscaling_groups.values()):
        if any(member.instance.id == instance_id for member in group.instance_states):
            return str(group.name)
    return None


def _balancers(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del prefix
    if operation.startswith("Describe"):
        return []
    names = ("TargetGroupArn", "LoadBalancerArn", "ListenerArn")
    return [parameters[name] for name in names if parameters.get(name)]


def _instances(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del parameters, prefix
    # Every Describe call of EC2 knows only the resource `*`.
    return [] if operation.startswith("Describe") else [None]


def _logins(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del operation
    account, region = _split(prefix)
    return [f"arn:aws:ec2:{region}:{account}:instance/{parameters.get('InstanceId')}"]


def _sessions(operation: str, parameters: Parameters, prefix: str) -> Resources:
    del operation, prefix
    return [parameters["RoleArn"]] if parameters.get("RoleArn") else []


_FINDERS: dict[str, Callable[[str, Parameters, str], Resources]] = {
    "secretsmanager": _secrets,
    "kms": _keys,
    "ssm": _parameters,
    "logs": _logs,
    "rds": _databases,
    "sqs": _queues,
    "sns": _topics,
    "lambda": _functions,
    "cloudwatch": _alarms,
    "autoscaling": _groups,
    "elasticloadbalancing": _balancers,
    "ec2": _instances,
    "ec2-instance-connect": _logins,
    "sts": _sessions,
}
