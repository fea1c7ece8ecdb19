"""The rules of backup plans: when each is due, and what it starts.

Source: AWS Backup developer guide, "Backup plan options and configuration".
"""

import datetime
import fnmatch
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from moto.backup.models import Plan

from localcloud.errors import LocalCloudError
from localcloud.schedules import expressions
from localcloud.schedules.clock import Timer
from localcloud.vaults import backup_jobs
from localcloud.vaults.backend import LocalBackupBackend
from localcloud.vaults.records import BackupRequest

_log = logging.getLogger(__name__)


def timers(backend: LocalBackupBackend, now: datetime.datetime) -> Iterator[Timer]:
    """A timer for each rule of each plan; a changed plan's rules count anew from `now`."""
    for plan in list(backend.plans.values()):
        for rule in plan.backup_plan["Rules"]:
            zone = rule.get("ScheduleExpressionTimezone") or "UTC"
            try:
                expression = expressions.parse(rule["ScheduleExpression"], zone)
            except LocalCloudError:
                continue

            def fire(
                due: datetime.datetime, plan: Plan = plan, rule: Mapping[str, Any] = rule
            ) -> None:
                _start(backend, plan, rule, due, now)

            identity = f"{plan.backup_plan_arn} {plan.version_id} {rule['RuleId']}"
            yield Timer(identity, expression, now, None, fire)


def _start(
    backend: LocalBackupBackend,
    plan: Plan,
    rule: Mapping[str, Any],
    due: datetime.datetime,
    now: datetime.datetime,
) -> None:
    """One job for each resource of the plan's selections."""
    for (plan_id, _), selection in list(backend.selections.items()):
        if plan_id != plan.backup_plan_id:
            continue
        for arn in selected(backend, selection):
            request = BackupRequest(
                vault_name=rule["TargetBackupVaultName"],
                resource_arn=arn,
                role_arn=selection["IamRoleArn"],
                delete_after_days=(rule.get("Lifecycle") or {}).get("DeleteAfterDays"),
                start_by=due + datetime.timedelta(minutes=rule["StartWindowMinutes"]),
                complete_within=datetime.timedelta(minutes=rule["CompletionWindowMinutes"]),
                tags=rule.get("RecoveryPointTags") or {},
                rule=_creator(plan, rule),
                copies=tuple(rule.get("CopyActions") or ()),
            )
            try:
                backup_jobs.start(backend, request, now)
            except Exception:
                _log.exception("plan %s, rule %s", plan.backup_plan_arn, rule["RuleName"])


def selected(backend: LocalBackupBackend, selection: Mapping[str, Any]) -> list[str]:
    """The region's instances that a selection names, also by a pattern with asterisks."""
    instances = [str(one.arn) for one in list(backend.rds.databases.values())]
    return [
        arn
        for arn in instances
        if _named(arn, selection.get("Resources") or ())
        and not _named(arn, selection.get("NotResources") or ())
    ]


def _named(arn: str, patterns: Any) -> bool:
    return any(fnmatch.fnmatchcase(arn, pattern) for pattern in patterns)


def _creator(plan: Plan, rule: Mapping[str, Any]) -> dict[str, str]:
    """RecoveryPointCreator of the API."""
    return {
        "BackupPlanId": plan.backup_plan_id,
        "BackupPlanArn": plan.backup_plan_arn,
        "BackupPlanName": plan.backup_plan["BackupPlanName"],
        "BackupPlanVersion": plan.version_id,
        "BackupRuleId": rule["RuleId"],
        "BackupRuleName": rule["RuleName"],
        "BackupRuleCron": rule["ScheduleExpression"],
        "BackupRuleTimezone": rule["ScheduleExpressionTimezone"],
    }
