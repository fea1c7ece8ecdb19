"""What staging and prod must have, unless `stated_exceptions` says why not.

A guard that the policy pack holds too needs the pack's exemption as well (`policy_exemptions`), for
the pack reads no reason from here: an exception without it is refused now, not at the preview.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

# guide cryptowallet, "Backup Retention": development 3, staging 7, production 30 days.
LEAST_PITR_RETENTION_DAYS = {"local": 1, "dev": 3, "staging": 7, "prod": 30}
GUARDED = ("staging", "prod")
# AWS Secrets Manager API reference: DeleteSecret.
LEAST_RECOVERY_DAYS = 7


@dataclass(frozen=True)
class Guard:
    """Something that staging and prod have; `holds` says whether the settings have it."""

    field: str
    holds: Callable[[Settings], bool]
    limit: str
    reason: str
    remedy: str
    policy_rules: tuple[str, ...] = ()
    """The policy pack's rules for the same, which want exemptions of their own."""
    environments: tuple[str, ...] = GUARDED


def _required(
    field: str, holds: Callable[[Settings], bool], reason: str, *policy_rules: str
) -> Guard:
    return Guard(field, holds, "must be true", reason, f"Set {field} to true", policy_rules)


GUARDS = (
    Guard(
        "database.pitr_retention_days",
        lambda settings: (
            settings.database.pitr_retention_days >= LEAST_PITR_RETENTION_DAYS[settings.environment]
        ),
        "at least {least} days",
        "point-in-time recovery is the first answer to a disaster",
        "Set it to {least} to 35",
        ("rds-pitr-retention",),
        tuple(LEAST_PITR_RETENTION_DAYS),
    ),
    _required(
        "database.multi_az",
        lambda settings: settings.database.multi_az,
        "a lost zone must not lose the database",
        "rds-multi-az",
    ),
    _required(
        "database.deletion_protection",
        lambda settings: settings.database.deletion_protection,
        "one wrong destroy must not end the database",
        "rds-deletion-protected",
        "rds-stateful-protected",
        "lb-deletion-protected",
    ),
    _required(
        "database.final_snapshot",
        lambda settings: settings.database.final_snapshot,
        "a deletion must be possible to undo",
        "rds-final-snapshot",
    ),
    Guard(
        "database.monitoring_interval_seconds",
        lambda settings: settings.database.monitoring_interval_seconds > 0,
        "at least 1 second",
        "without enhanced monitoring a slow host cannot be told from a slow query",
        "Set it to 60",
        ("rds-enhanced-monitoring",),
    ),
    Guard(
        "replicas.count",
        lambda settings: settings.replicas.count > 0,
        "at least 1 replica",
        "reads and a lost zone's recovery need a second copy",
        "Set it to 1 or more",
    ),
    _required(
        "database.keep_automated_backups",
        lambda settings: settings.database.keep_automated_backups,
        "a deletion must be possible to undo to the second",
        "rds-final-snapshot",
    ),
    _required(
        "database.keep_kms_key",
        lambda settings: settings.database.keep_kms_key,
        "snapshots cannot be restored without their key",
    ),
    _required(
        "monitoring.log_deletion_protection",
        lambda settings: settings.monitoring.log_deletion_protection,
        "whoever covers their tracks deletes the logs first",
        "logs-deletion-protected",
    ),
    Guard(
        "database.event_categories",
        lambda settings: bool(settings.database.event_categories),
        "at least one",
        "RDS says only there that it failed over or could not back up",
        "Leave the setting out",
        ("rds-instance-events", "rds-parameter-group-events", "rds-security-group-events"),
    ),
    _required(
        "network.flow_logs.enabled",
        lambda settings: (
            settings.network.existing is not None or settings.network.flow_logs.enabled
        ),
        "after an incident nobody could say what left the network",
        "net-flow-logs",
    ),
    _required(
        "network.interface_endpoints",
        lambda settings: (
            settings.network.existing is not None or settings.network.interface_endpoints
        ),
        "through NAT hosts and functions may talk to any HTTPS address",
        "net-endpoints-exist",
    ),
    _required(
        "backups.keep_bucket",
        lambda settings: settings.backups.keep_bucket,
        "deleting the stack must not delete its backups",
        "s3-not-emptied",
        "backup-vault-not-emptied",
    ),
    Guard(
        "backups.object_lock.mode",
        lambda settings: settings.backups.object_lock.mode != "off",
        "must be governance or compliance",
        "a stolen administrator could delete every backup with the database",
        "Set it to governance",
        ("s3-object-lock",),
        environments=("prod",),
    ),
    Guard(
        "backups.replication",
        lambda settings: settings.backups.replication is not None,
        "required",
        "a lost region or account would lose the database with all its backups",
        "Set backups.replication.region",
        ("s3-replicated",),
        environments=("prod",),
    ),
    Guard(
        "secrets.recovery_window_days",
        lambda settings: settings.secrets.recovery_window_days != 0,
        "7 to 30 days",
        "a deleted secret must be possible to restore",
        "Set it to 7 to 30",
        ("secrets-recovery-window",),
    ),
    *(
        Guard(
            f"tags.{field}",
            lambda settings, field=field: getattr(settings.tags, field) is not None,
            "required",
            reason,
            f"Set tags.{field} in the stack's file",
        )
        for field, reason in (
            ("owner", "somebody has to answer for what runs there"),
            ("data_classification", "scanners and auditors go by it"),
            ("cost_centre", "somebody has to pay for it"),
        )
    ),
)


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Fewer guards than the environment asks for, and stated exceptions that are none."""
    stated = {exception.field for exception in settings.stated_exceptions}
    departed = {
        guard.field: guard
        for guard in GUARDS
        if settings.environment in guard.environments and not guard.holds(settings)
    }
    for field, guard in departed.items():
        if field not in stated:
            yield _refusal(settings, guard)
    yield from _exceptions(settings, departed)
    yield from _secrets(settings)


def value_of(settings: Settings, dotted: str) -> object:
    """The value at `group.field`."""
    value: object = settings
    for part in dotted.split("."):
        value = getattr(value, part)
    return value


def _refusal(settings: Settings, guard: Guard) -> Refusal:
    least = LEAST_PITR_RETENTION_DAYS[settings.environment]
    rules = ", ".join(guard.policy_rules)
    exemption = f" and exempt it from {rules} in policy_exemptions" if rules else ""
    return Refusal(
        guard.field,
        value_of(settings, guard.field),
        f"{guard.limit.format(least=least)} in {settings.environment}",
        guard.reason,
        f"{guard.remedy.format(least=least)}, or state the reason in stated_exceptions{exemption}.",
    )


def _exceptions(settings: Settings, departed: dict[str, Guard]) -> Iterator[Refusal]:
    guards = [guard.field for guard in GUARDS if settings.environment in guard.environments]
    exempted = {exemption.rule for exemption in settings.policy_exemptions}
    stated: set[str] = set()
    for number, exception in enumerate(settings.stated_exceptions):
        place = f"stated_exceptions[{number}].field"
        guard = departed.get(exception.field)
        if exception.field not in guards:
            yield Refusal(
                place,
                exception.field,
                f"must be one of {', '.join(guards)}",
                "other settings have no guard that could be left out",
                "Remove the exception or name the setting that is meant.",
            )
        elif guard is None or exception.field in stated:
            yield Refusal(
                place,
                exception.field,
                "must be a guard that is left out, named once",
                "an exception that nothing needs would hide the next mistake",
                "Remove the exception.",
            )
        elif missing := [rule for rule in guard.policy_rules if rule not in exempted]:
            yield Refusal(
                place,
                exception.field,
                f"needs an entry of policy_exemptions for {', '.join(missing)}",
                "the policy pack refuses it too, and its exemptions have an owner and an end",
                "Add the exemption, or give the exception up.",
            )
        stated.add(exception.field)


def _secrets(settings: Settings) -> Iterator[Refusal]:
    days = settings.secrets.recovery_window_days
    if 0 < days < LEAST_RECOVERY_DAYS:
        yield Refusal(
            "secrets.recovery_window_days",
            days,
            "0 or 7 to 30 days",
            "Secrets Manager refuses other windows",
            "Set it to 7 to 30.",
        )
