"""`pgkeep check --state`: its environment, exemptions, thresholds and levels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line.checking import check, judged_state, refused, rules, stacks
from tests.command_line.states import entry, state, written
from tests.policies.good_stack import ALL, BUCKET, INSTANCE

GOOD = ALL["db"][1]


@pytest.mark.parametrize(
    ("stack", "option", "days", "violated"),
    [
        ("dev", None, 3, False),
        ("prod", None, 3, True),
        ("development", None, 3, True),
        ("acme-eu", "dev", 3, False),
        ("dev", "prod", 3, True),
    ],
)
def test_the_environment_is_the_stacks_name_the_option_or_the_strictest(
    stack: str,
    option: str | None,
    days: int,
    violated: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = entry(INSTANCE, "db", {**GOOD, "backupRetentionPeriod": days}, stack=stack)
    file = written(tmp_path, "state.json", state([one], stack))
    (found,) = stacks(capsys, states=[file], environment=option)
    assert ("rds-pitr-retention" in rules(found)) is violated


def test_exemptions_and_thresholds_come_from_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import datetime

    short = entry(INSTANCE, "db", {**GOOD, "backupRetentionPeriod": 14})
    until = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)
    exemptions = written(
        tmp_path,
        "exemptions.yaml",
        "policy_exemptions:\n"
        f"  - rule: rds-pitr-retention\n    resource: {INSTANCE}::db\n"
        f"    reason: rebuilt every night from prod\n    owner: a@example.com\n    expires: {until}\n",
    )
    assert "rds-pitr-retention" in rules(judged_state(tmp_path, capsys, short))
    assert "rds-pitr-retention" not in rules(
        judged_state(tmp_path, capsys, short, exemptions=exemptions)
    )
    unused = judged_state(tmp_path, capsys, exemptions=exemptions)
    assert rules(unused) == {"policy-exemptions-valid"}
    config = written(tmp_path, "c.json", {"rds-pitr-retention": {"minimumDays": 14}})
    assert "rds-pitr-retention" not in rules(judged_state(tmp_path, capsys, short, config=config))
    level = written(tmp_path, "l.json", {"rds-pitr-retention": "advisory"})
    (found,) = [
        item
        for item in judged_state(tmp_path, capsys, short, config=level)["violations"]
        if item["rule"] == "rds-pitr-retention"
    ]
    assert found["enforcement"] == "advisory"


def test_an_advisory_violation_does_not_refuse(tmp_path: Path) -> None:
    one = entry(BUCKET, "b", {"bucket": "b", "forceDestroy": True}, stack="dev")
    file = written(tmp_path, "state.json", state([one], "dev"))
    assert check(states=[file]) == 1
    levels = written(tmp_path, "c.json", {"all": "advisory"})
    assert check(states=[file], config=levels) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"environment": "production"},
        {"config": "[]"},
        {"config": '{"no-such-rule": "advisory"}'},
        {"config": '{"rds-not-public": "sometimes"}'},
        {"config": '{"rds-pitr-retention": {"minimumDays": 99}}'},
        {"config": '{"rds-pitr-retention": {"minimumDays": true}}'},
        {"config": '{"rds-pitr-retention": {"days": 3}}'},
        {"config": "{"},
        {"exemptions": "policy_exemptions: all"},
        {"exemptions": "5"},
        {"exemptions": "a: [b"},
    ],
    ids=str,
)
def test_unusable_options_end_with_one_line(options: dict[str, str], tmp_path: Path) -> None:
    files = {
        key: written(tmp_path, key, value) if key != "environment" else value
        for key, value in options.items()
    }
    assert refused(states=[written(tmp_path, "state.json", state([]))], **files)
