"""Settings of the backups: what is accepted by default and what is refused before AWS."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.settings import SettingsError, load
from tests.unit.changed_settings import changed, refused
from tests.unit.recorder import ENVIRONMENTS, raw_settings

KEY = "arn:aws:kms:eu-central-1:{}:key/01234567-89ab-cdef-0123-456789abcdef"
ELSEWHERE = {
    "region": "eu-central-1",
    "bucket_arn": "arn:aws:s3:::copies",
    "account_id": "210987654321",
    "key_arn": KEY.format("210987654321"),
}


def stated(field: str, *rules: str) -> dict[str, Any]:
    """A stated exception, exempt from the policies' `rules`."""
    why = {"reason": "another tool does this", "owner": "platform", "expires": "2099-01-01"}
    return {
        "stated_exceptions": [{"field": field, "reason": "another tool does this"}],
        "policy_exemptions": [{"rule": rule, "resource": "*", **why} for rule in rules],
    }


def test_retention_follows_the_guides() -> None:
    days = {
        environment: load(raw_settings(environment), environment).backups.retention_days
        for environment in ENVIRONMENTS
    }
    longer = {"weekly": 12 * 7, "monthly": 365, "manual": 90}
    assert days == {
        "local": {"daily": 3, **longer},
        "dev": {"daily": 3, **longer},
        "staging": {"daily": 7, **longer},
        "prod": {"daily": 30, **longer},
    }


def test_object_lock_follows_the_environment() -> None:
    found = {
        environment: load(raw_settings(environment), environment).backups.object_lock
        for environment in ENVIRONMENTS
    }
    assert {name: (lock.mode, lock.retention_days) for name, lock in found.items()} == {
        "local": ("off", 1),
        "dev": ("off", 3),
        "staging": ("governance", 7),
        "prod": ("governance", 30),
    }


REFUSED: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "prod",
        {"backups__weekly": {"retention_days": 30, "storage_class": "STANDARD"}},
        "backups.weekly.retention_days",
        "more than 30 days (backups.daily.retention_days)",
        "would go before daily ones",
    ),
    (
        "prod",
        {"backups__monthly": {"retention_days": 84, "storage_class": "STANDARD"}},
        "backups.monthly.retention_days",
        "more than 84 days (backups.weekly.retention_days)",
        "would go before weekly ones",
    ),
    (
        "prod",
        {"backups__daily__schedule": "0 2 * * *"},
        "backups.daily.schedule",
        "must be cron(six fields) or rate(N UNIT), such as cron(0 2 * * ? *)",
        "an expression of EventBridge Scheduler",
    ),
    *(
        (
            environment,
            {
                "backups__daily__retention_days": least - 1,
                "backups__object_lock__retention_days": 1,
                "backups__replication": {"region": "eu-central-1", "storage_class": "STANDARD"},
            },
            "backups.daily.retention_days",
            f"at least {least} days in {environment}",
            f"before the {least} days that are promised",
        )
        for environment, least in (("dev", 3), ("staging", 7), ("prod", 30))
    ),
    *(
        (
            "prod",
            {"backups__daily__schedule": schedule, "monitoring__backup_age_hours": hours},
            "monitoring.backup_age_hours",
            f"more than {hours} hours (backups.daily.schedule)",
            "although none is late",
        )
        for schedule, hours in (
            ("cron(0 2 * * ? *)", 24),
            ("cron(0 0/6 * * ? *)", 6),
            ("cron(30 */12 ? * * *)", 12),
            ("cron(15 * * * ? *)", 1),
            ("rate(2 days)", 48),
            ("rate(3 hours)", 3),
            ("rate(60 minutes)", 1),
        )
    ),
    (
        "prod",
        {"backups__noncurrent_retention_days": 29},
        "backups.noncurrent_retention_days",
        "at least 30 days in prod",
        "deleted by mistake",
    ),
    (
        "prod",
        {"backups__weekly__transition_after_days": 29},
        "backups.weekly.transition_after_days",
        "at least 30 days for STANDARD_IA",
        "S3 refuses a lifecycle rule",
    ),
    (
        "prod",
        {"backups__weekly__storage_class": "GLACIER_IR"},
        "backups.weekly.storage_class",
        "retention of at least 120 days (30 before the move, 90 minimum in GLACIER_IR), it is 84",
        "S3 charges the minimum time",
    ),
    (
        "prod",
        {"backups__daily__storage_class": "INTELLIGENT_TIERING"},
        "backups.daily.storage_class",
        "retention of at least 31 days",
        "the move costs more than it saves",
    ),
    (
        "prod",
        {"backups__pre_migration__storage_class": "GLACIER"},
        "backups.pre_migration.storage_class",
        "a class that can be read at once for pre-migration backups",
        "a restore has minutes",
    ),
    (
        "prod",
        {"backups__object_lock__retention_days": 31},
        "backups.object_lock.retention_days",
        "at most 30 days (backups.daily.retention_days)",
        "does not expire a locked version",
    ),
    (
        "prod",
        {"backups__object_lock__mode": "off"},
        "backups.object_lock.mode",
        "must be governance or compliance in prod",
        "a stolen administrator",
    ),
    (
        "staging",
        {"backups__object_lock__mode": "compliance"},
        "backups.object_lock.mode",
        "needs a reason in staging",
        "the account's root user included",
    ),
    (
        "dev",
        {"backups__object_lock": {"mode": "compliance", "reason": "a rehearsal"}},
        "backups.object_lock.mode",
        "needs backups.keep_bucket",
        "destroy would fail",
    ),
    (
        "prod",
        {"backups__replication": None},
        "backups.replication",
        "required in prod",
        "a lost region or account",
    ),
    (
        "prod",
        {"backups__replication": {"region": "eu-west-1"}},
        "backups.replication.region",
        "another region than the stack's, or another account",
        "is lost with the original",
    ),
    (
        "prod",
        {"backups__replication": {**ELSEWHERE, "key_arn": None}},
        "backups.replication.key_arn",
        "required with backups.replication.bucket_arn",
        "unless it is told the key",
    ),
    (
        "prod",
        {"backups__replication": {**ELSEWHERE, "region": "eu-north-1"}},
        "backups.replication.key_arn",
        "a key of eu-north-1 (backups.replication.region)",
        "the bucket's own region only",
    ),
    (
        "prod",
        {"backups__replication": {**ELSEWHERE, "key_arn": KEY.format("123456789012")}},
        "backups.replication.key_arn",
        "a key of account 210987654321 (backups.replication.account_id)",
        "could not read them",
    ),
    (
        "prod",
        {"backups__replication": {"region": "eu-central-1", "account_id": "210987654321"}},
        "backups.replication.account_id",
        "needs backups.replication.bucket_arn",
        "cannot make a bucket in another account",
    ),
    (
        "prod",
        {"backups__sign_manifests": False},
        "backups.replication.signing_key_replica",
        "needs backups.sign_manifests",
        "there is no key that signs",
    ),
    (
        "prod",
        {
            "backups__replication": {
                **ELSEWHERE,
                "region": "eu-west-1",
                "key_arn": KEY.format("210987654321").replace("eu-central-1", "eu-west-1"),
                "signing_key_replica": True,
            }
        },
        "backups.replication.signing_key_replica",
        "false with copies in the stack's own region",
        "the key itself is in eu-west-1",
    ),
    (
        "prod",
        {"backups__replication__storage_class": "GLACIER_IR"},
        "backups.replication.storage_class",
        "a minimum of at most 30 days (backups.daily.retention_days), it is 90",
        "S3 charges the minimum time",
    ),
    (
        "prod",
        {"keys": {"backups_arn": KEY.format("123456789012")}},
        "keys.backups_arn",
        "a key of eu-west-1",
        "in its own region only",
    ),
    (
        "prod",
        {"keys": {"database_arn": "alias/mine"}},
        "keys.database_arn",
        "must be the ARN of a key and not of an alias: arn:aws:kms:REGION:ACCOUNT:key/ID",
        "its policy has to let this account's IAM decide",
    ),
    (
        "prod",
        {"backups__break_glass_role_arns": ["arn:aws:iam::123456789012:user/me"]},
        "backups.break_glass_role_arns[0]",
        "must be the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME",
        "a user's keys can be stolen",
    ),
]


@pytest.mark.parametrize(
    ("environment", "changes", "field", "limit", "reason"),
    REFUSED,
    ids=[f"{case[0]}-{case[2]}-{index}" for index, case in enumerate(REFUSED)],
)
def test_a_wrong_setting_is_refused_in_one_line(
    environment: str, changes: dict[str, Any], field: str, limit: str, reason: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(changed(environment, **changes), environment, "eu-west-1")
    [line] = caught.value.lines
    assert line.startswith(f"{field}: ")
    assert " refused, " in line
    assert limit in line
    assert reason in line


@pytest.mark.parametrize(
    ("environment", "changes"),
    [
        (
            "prod",
            {
                "backups__object_lock__mode": "off",
                **stated("backups.object_lock.mode", "s3-object-lock"),
            },
        ),
        ("prod", {"backups__object_lock__mode": "compliance"}),
        ("staging", {"backups__object_lock": {"mode": "compliance", "reason": "rehearsal"}}),
        ("prod", {"backups__replication": None, **stated("backups.replication", "s3-replicated")}),
        ("prod", {"backups__replication": ELSEWHERE}),
        ("prod", {"backups__replication": {**ELSEWHERE, "region": "eu-central-1"}}),
        ("prod", {"backups__monthly__storage_class": "DEEP_ARCHIVE"}),
        ("prod", {"backups__pre_migration__retention_days": 400}),
        ("dev", {"backups__break_glass_role_arns": ["arn:aws:iam::123456789012:role/ops/glass"]}),
    ],
)
def test_what_is_stated_or_fits_is_accepted(environment: str, changes: dict[str, Any]) -> None:
    assert load(changed(environment, **changes), environment, "eu-west-1")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_region_alone_makes_copies_in_every_environment(environment: str) -> None:
    raw = changed(environment)
    raw.setdefault("backups", {})["replication"] = {"region": "eu-central-1"}
    replication = load(raw, environment, "eu-west-1").backups.replication
    assert replication is not None
    # Daily backups outlive STANDARD_IA's 30 days in prod only.
    assert replication.storage_class == ("STANDARD_IA" if environment == "prod" else "STANDARD")


def test_one_account_cannot_be_copied_to_without_its_region_being_another() -> None:
    [line] = refused_in_region({"region": "eu-west-1"})
    assert line.startswith("backups.replication.region: 'eu-west-1' refused")


def refused_in_region(replication: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(changed("prod", backups__replication=replication), "prod", "eu-west-1")
    return caught.value.lines


def test_without_the_stack_s_region_nothing_is_said_about_it() -> None:
    assert load(changed("prod", backups__replication={"region": "eu-west-1"}), "prod")


def test_a_misspelt_class_is_named_with_the_known_ones() -> None:
    [line] = refused("prod", backups__yearly={"retention_days": 700})
    assert line.startswith("backups.yearly: ")
    assert "pre_migration" in line
