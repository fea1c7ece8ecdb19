"""What botocore's models say about inputs, and that our settings' limits are theirs."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from facts.service_models import UnknownMemberError, member
from stacks.messages import group_of
from stacks.settings import Settings


def test_choices_in_the_shape() -> None:
    found = member("rds", "CreateDBInstance", "DatabaseInsightsMode")
    assert found.choices == ("standard", "advanced")


def test_choices_in_the_documentation() -> None:
    found = member("rds", "CreateDBInstance", "MonitoringInterval")
    assert found.choices == ()
    assert found.documented_choices == ("0", "1", "5", "10", "15", "30", "60")
    assert member("rds", "CreateDBInstance", "DBName").documented_choices == ()


def test_ranges() -> None:
    timeout = member("lambda", "CreateFunction", "Timeout")
    assert (timeout.type, timeout.minimum) == ("integer", 1)
    retention = member("rds", "CreateDBInstance", "BackupRetentionPeriod")
    assert retention.documented_range == (0, 35)
    assert member("rds", "CreateDBInstance", "DBName").documented_range is None


def test_members_of_structures_in_lists() -> None:
    key = member("rds", "CreateDBInstance", "Tags.Key")
    assert key.type == "string"
    assert "key" in key.documentation.lower()


@pytest.mark.parametrize(
    "path",
    [
        ("rds", "CreateDBInstance", "Nothing"),
        ("rds", "CreateNothing", "X"),
        ("nothing", "CreateX", "X"),
    ],
)
def test_what_the_model_does_not_have(path: tuple[str, str, str]) -> None:
    with pytest.raises(UnknownMemberError):
        member(*path)


def field(dotted: str) -> Any:
    model: Any = Settings
    found: Any = None
    for name in dotted.split("."):
        found = model.model_fields[name]
        model = group_of(found.annotation)
    return found


# The choices of a setting are exactly those that AWS documents for the API's member.
@pytest.mark.parametrize(
    ("setting", "service", "operation", "name"),
    [
        (
            "database.monitoring_interval_seconds",
            "rds",
            "CreateDBInstance",
            "MonitoringInterval",
        ),
        ("functions.architecture", "lambda", "CreateFunction", "Architectures"),
    ],
)
def test_a_settings_choices_are_the_apis(
    setting: str, service: str, operation: str, name: str
) -> None:
    ours = {str(value) for value in get_args(field(setting).annotation)}
    theirs = member(service, operation, name)
    assert ours == set(theirs.choices or theirs.documented_choices)


def test_log_retention_is_what_cloudwatch_keeps() -> None:
    theirs = set(member("logs", "PutRetentionPolicy", "retentionInDays").documented_choices)
    assert {"1", "365", "3653"} <= theirs
    for setting in ("database.log_retention_days", "functions.log_retention_days"):
        assert {str(days) for days in get_args(field(setting).annotation)} == theirs


# The bounds of a setting lie within those of the API's member.
@pytest.mark.parametrize(
    ("setting", "service", "operation", "name"),
    [
        ("database.pitr_retention_days", "rds", "CreateDBInstance", "BackupRetentionPeriod"),
        ("functions.backup_memory_mib", "lambda", "CreateFunction", "MemorySize"),
        ("functions.backup_timeout_seconds", "lambda", "CreateFunction", "Timeout"),
        ("secrets.key_deletion_window_days", "kms", "ScheduleKeyDeletion", "PendingWindowInDays"),
        (
            "secrets.recovery_window_days",
            "secretsmanager",
            "DeleteSecret",
            "RecoveryWindowInDays",
        ),
    ],
)
def test_a_settings_bounds_are_within_the_apis(
    setting: str, service: str, operation: str, name: str
) -> None:
    bounds = [
        bound
        for rule in field(setting).metadata
        for bound in (getattr(rule, "ge", None), getattr(rule, "le", None))
        if bound is not None
    ]
    theirs = member(service, operation, name)
    low, high = theirs.documented_range or (theirs.minimum, theirs.maximum)
    assert bounds, setting
    assert (
        low is None
        or min(bounds) >= low
        or (setting, min(bounds))
        == (
            "secrets.recovery_window_days",
            0,
        )
    )
    assert high is None or max(bounds) <= high
