"""Rules for keys, and for what is kept under them: secrets, parameters, topics, queues, logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .inventory import Resource
from .requirements import (
    ADVISORY_BELOW_STAGING,
    flag,
    given,
    number,
    on_resource,
    text_where,
)
from .resource_policies import KEY, QUEUE, REPLICA_KEY, SECRET, TOPIC
from .rules import Context, Environment, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, Wrong, integer, shown, text

ROTATION: Final = "aws:secretsmanager/secretRotation:SecretRotation"
PARAMETER: Final = "aws:ssm/parameter:Parameter"
LOG_GROUP: Final = "aws:cloudwatch/logGroup:LogGroup"
MINIMUM_LOG_DAYS: Final = {
    Environment.LOCAL: 1,
    Environment.DEV: 30,
    Environment.STAGING: 90,
    # Audits ask for a year (PCI DSS 10.5.1; CKV_AWS_338).
    Environment.PROD: 365,
}
# By its alias, with or without the word, or by the alias's ARN.
_AWS_KEY: Final = re.compile(r"(?:arn:[^/]*:)?(?:alias/)?aws/")
_LOOKS_SECRET: Final = re.compile(
    r"(passwo?r?d|passphrase|secret|token|credential|private[-_]?key|api[-_]?key)", re.IGNORECASE
)


def _is_own_key(key: str) -> bool:
    return bool(key.strip()) and not _AWS_KEY.match(key)


def _is_asymmetric(key: Resource) -> bool:
    """AWS rotates symmetric keys only, which are there to encrypt and decrypt."""
    spec, usage = key.get("customerMasterKeySpec"), key.get("keyUsage")
    if isinstance(usage, str) and usage not in ("", "ENCRYPT_DECRYPT"):
        return True
    return isinstance(spec, str) and spec not in ("", "SYMMETRIC_DEFAULT")


def _enabled(key: Resource, context: Context) -> Iterator[Outcome]:
    yield from on_resource(
        flag("enabled" if key.type == REPLICA_KEY else "isEnabled", True, default=True),
        flag("bypassPolicyLockoutSafetyCheck", False, default=False),
    )(key, context)


def _log_retention(group: Resource, context: Context) -> Iterator[Outcome]:
    least = MINIMUM_LOG_DAYS[context.environment]
    limit = f"be at least {least} days in {context.environment}, or 0 for ever"
    days = integer(group.get("retentionInDays"), default=-1)
    if days is UNKNOWN:
        yield Unverified(group, "retentionInDays")
    elif isinstance(days, Wrong) or (days != 0 and days < least):
        given_days = shown(group.get("retentionInDays"))
        yield Violation(group, f"has retentionInDays = {given_days}", limit)


def _secret_parameter(parameter: Resource, context: Context) -> Iterator[Outcome]:
    kind = text(parameter.get("type"))
    if kind is UNKNOWN:
        yield Unverified(parameter, "type")
    elif kind == "SecureString":
        yield from on_resource(text_where("keyId", _is_own_key, "be a key of one's own"))(
            parameter, context
        )
    elif kind not in ("String", "StringList"):
        shown_kind = shown(parameter.get("type"))
        yield Violation(parameter, f"has type = {shown_kind}", "be SecureString or String")
    elif _LOOKS_SECRET.search(str(parameter.get("name") or parameter.name)):
        yield Violation(parameter, f"keeps a secret in a {kind}", "be a SecureString")


def _rotation_interval(rotation: Resource, context: Context) -> Iterator[Outcome]:
    rules = rotation.get("rotationRules")
    if isinstance(rules, dict) and isinstance(rules.get("scheduleExpression"), str):
        expression = str(rules["scheduleExpression"])
        rate = re.fullmatch(r"rate\((\d{1,6}) (hours?|days?)\)", expression)
        days = int(rate[1]) / (24 if rate[2].startswith("hour") else 1) if rate else 0
        if days > 90:
            found = f"rotates at {shown(expression)}"
            yield Violation(rotation, found, "rotate at least every 90 days")
        return
    yield from on_resource(
        number("rotationRules.automaticallyAfterDays", default=0, least=1, most=90, unit="days")
    )(rotation, context)


RULES: Final = (
    Rule(
        id="kms-rotation",
        title="Symmetric keys are rotated every year",
        what="enableKeyRotation is true on every symmetric KMS key.",
        why="A key that leaked once would decrypt everything that is ever written.",
        remediation="set enable_key_rotation = True.",
        severity=Severity.MEDIUM,
        catalogue=("KMS-01",),
        controls=(
            "CKV_AWS_7",
            "KMS.4",
            "4.6",
            "cmk-backing-key-rotation-enabled",
            "enableKeyRotation",
        ),
        types=(KEY,),
        check_resource=on_resource(
            flag("enableKeyRotation", True, default=False), unless=_is_asymmetric
        ),
    ),
    Rule(
        id="kms-enabled",
        title="Keys are enabled, and their policies can be changed",
        what="isEnabled (enabled of a replica) is true on every KMS key, and "
        "bypassPolicyLockoutSafetyCheck is false.",
        why="Nothing that is under a disabled or locked key can be read, not even a backup.",
        remediation="remove is_enabled (enabled) and bypass_policy_lockout_safety_check.",
        severity=Severity.HIGH,
        catalogue=("KMS-01",),
        controls=("CKV_AWS_227",),
        types=(KEY, REPLICA_KEY),
        check_resource=_enabled,
    ),
    Rule(
        id="kms-deletion-window",
        title="A deleted key can be brought back for 30 days",
        what="deletionWindowInDays is 30 on every KMS key.",
        why="With the key every backup that it protects is lost.",
        remediation="set secrets.key_deletion_window_days: 30 in stacks/Pulumi.<environment>.yaml.",
        severity=Severity.HIGH,
        catalogue=("KMS-01",),
        controls=("KMS.3",),
        types=(KEY, REPLICA_KEY),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(
            number("deletionWindowInDays", default=30, least=30, most=30, unit="days")
        ),
    ),
    Rule(
        id="secrets-customer-key",
        title="Secrets are under a key of one's own",
        what="kmsKeyId names a customer key on every secret.",
        why="Everybody who may read secrets in the account could decrypt this one.",
        remediation="set kms_key_id to the stack's secrets key (components/managed_secret.py).",
        severity=Severity.HIGH,
        catalogue=("SEC-01",),
        controls=("CKV_AWS_149", "configureCustomerManagedKey"),
        types=(SECRET,),
        check_resource=on_resource(text_where("kmsKeyId", _is_own_key, "be a customer key")),
    ),
    Rule(
        id="secrets-recovery-window",
        title="A deleted secret can be brought back",
        what="recoveryWindowInDays is 7 to 30 on every secret.",
        why="A secret that is gone at once takes every connection with it.",
        remediation="set secrets.recovery_window_days: 7 or more in "
        "stacks/Pulumi.<environment>.yaml.",
        severity=Severity.MEDIUM,
        catalogue=("SEC-01",),
        controls=(),
        types=(SECRET,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(
            number("recoveryWindowInDays", default=30, least=7, most=30, unit="days")
        ),
    ),
    Rule(
        id="secrets-rotation-interval",
        title="Rotated secrets are rotated often enough",
        what="rotationRules of every SecretRotation are for 90 days or less.",
        why="A password that leaked stays good until it is changed.",
        remediation="set automatically_after_days to 90 or less.",
        severity=Severity.MEDIUM,
        catalogue=("SEC-02",),
        controls=("CKV_AWS_304", "SecretsManager.4"),
        types=(ROTATION,),
        check_resource=_rotation_interval,
    ),
    Rule(
        id="secrets-parameters-encrypted",
        title="SSM parameters with secrets are encrypted",
        what="A parameter whose name speaks of a secret is a SecureString, and every SecureString "
        "has a key of one's own.",
        why="Everybody who may read parameters could read the secret in plain text.",
        remediation='set type = "SecureString" and key_id, or keep it in Secrets Manager.',
        severity=Severity.HIGH,
        catalogue=("SEC-04",),
        controls=("CKV_AWS_337",),
        types=(PARAMETER,),
        check_resource=_secret_parameter,
    ),
    Rule(
        id="sns-customer-key",
        title="Topics are under a key of one's own",
        what="kmsMasterKeyId names a customer key on every topic.",
        why="Alarms tell what is weak; CloudWatch cannot publish under AWS's own key either.",
        remediation="set kms_master_key_id (components/alarm_topic.py).",
        severity=Severity.MEDIUM,
        catalogue=("SNS-01",),
        controls=("CKV_AWS_26", "SNS.1"),
        types=(TOPIC,),
        check_resource=on_resource(text_where("kmsMasterKeyId", _is_own_key, "be a customer key")),
    ),
    Rule(
        id="sqs-customer-key",
        title="Queues are under a key of one's own",
        what="kmsMasterKeyId names a customer key on every queue; SQS's own key "
        "(sqsManagedSseEnabled) is none.",
        why="Under SQS's own key everybody whom IAM lets receive a message can read it.",
        remediation="set kms_master_key_id (components/operation_function.py).",
        severity=Severity.MEDIUM,
        catalogue=("SNS-01",),
        controls=("CKV_AWS_27", "SQS.1"),
        types=(QUEUE,),
        check_resource=on_resource(text_where("kmsMasterKeyId", _is_own_key, "be a customer key")),
    ),
    Rule(
        id="logs-customer-key",
        title="Log groups are under a key of one's own",
        what="kmsKeyId is set on every log group.",
        why="Database logs hold statements with their values.",
        remediation="set kms_key_id to the stack's telemetry key.",
        severity=Severity.MEDIUM,
        catalogue=("LOG-01",),
        controls=("CKV_AWS_158",),
        types=(LOG_GROUP,),
        check_resource=on_resource(given("kmsKeyId")),
    ),
    Rule(
        id="logs-retention",
        title="Logs are kept long enough, for a time that somebody chose",
        what="retentionInDays is at least 1 (local), 30 (dev), 90 (staging) or 365 (prod) days.",
        why="An intrusion is noticed after months, and then the logs are gone.",
        remediation="set database.log_retention_days and functions.log_retention_days in "
        "stacks/Pulumi.<environment>.yaml.",
        severity=Severity.MEDIUM,
        catalogue=("LOG-01",),
        controls=("CKV_AWS_66", "CKV_AWS_338"),
        types=(LOG_GROUP,),
        check_resource=_log_retention,
    ),
    Rule(
        id="logs-deletion-protected",
        title="Log groups cannot be deleted by mistake",
        what="deletionProtectionEnabled is true on every log group.",
        why="Whoever covers their tracks deletes the logs first.",
        remediation="set monitoring.log_deletion_protection: true in "
        "stacks/Pulumi.<environment>.yaml (deletion_protection_enabled of the log group).",
        severity=Severity.MEDIUM,
        catalogue=("LOG-01",),
        controls=(),
        types=(LOG_GROUP,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(flag("deletionProtectionEnabled", True, default=False)),
    ),
)
