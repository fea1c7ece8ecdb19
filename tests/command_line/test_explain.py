"""`pgkeep explain`: by rule, by control, as a list, as JSON, and for a name that there is not."""

from __future__ import annotations

import json

import pytest

from pgkeep import app, explain
from pgkeep.check.judging import FRAME_RULES
from pgkeep.failures import CommandError
from policies.catalogue import RULES
from policies.exemptions import Exemption, parse


def told(capsys: pytest.CaptureFixture[str], *names: str) -> list[dict]:
    explain.run(names, as_json=True)
    return json.loads(capsys.readouterr().out)["rules"]


def test_a_rule_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    (rule,) = told(capsys, "rds-pitr-retention")
    assert rule["severity"] == "high"
    assert rule["enforcement"] == dict.fromkeys(("local", "dev", "staging", "prod"), "mandatory")
    assert "CKV_AWS_133" in rule["controls"]
    assert rule["catalogue"] == ["RDS-05"]
    assert rule["types"] == ["aws:rds/instance:Instance", "aws:rds/cluster:Cluster"]
    assert rule["settings"]["minimumDays"]["minimum"] == 1
    assert rule["exemption"]["resource"] == "aws:rds/instance:Instance::<name>"


@pytest.mark.parametrize("name", ["CKV_AWS_16", "ckv_aws_16", "RDS-01", "RDS.3", "3.2.1"])
def test_a_control_names_the_rules_that_cover_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [rule["rule"] for rule in told(capsys, name)] == ["rds-storage-encrypted"]


def test_a_control_of_several_rules_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    found = {rule["rule"] for rule in told(capsys, "RDS-12", "rds-minor-upgrades")}
    assert found == {"rds-minor-upgrades", "rds-no-major-upgrades"}


def test_all_are_listed_without_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(told(capsys)) == len(RULES) + len(FRAME_RULES)
    explain.run([], as_json=False)
    text = capsys.readouterr().out
    assert all(rule.id in text for rule in RULES)


@pytest.mark.parametrize("rule", [*RULES, *FRAME_RULES], ids=lambda rule: rule.id)
def test_every_rule_can_be_read_and_shows_a_well_formed_exemption(
    rule, capsys: pytest.CaptureFixture[str]
) -> None:
    explain.run([rule.id], as_json=False)
    text = " ".join(capsys.readouterr().out.split())
    assert rule.title in text
    entry = explain.exemption(rule)
    if entry is None:
        assert "cannot be exempted" in text
        return
    filled = {**entry, "expires": "2026-03-01"}
    (parsed,) = parse([filled])
    assert isinstance(parsed, Exemption)
    assert bool(parsed.covers) == rule.exemption_names_subject


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("rds-storage-encryption", "rds-storage-encrypted"),
        ("CKV_AWS_1333", "CKV_AWS_133"),
        ("RDS-001", "RDS-01"),
    ],
)
def test_an_unknown_name_ends_with_the_closest_ones(name: str, close: str) -> None:
    with pytest.raises(CommandError, match=close) as caught:
        explain.run([name], as_json=False)
    assert caught.value.code == 2


def test_the_command_ends_with_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["pgkeep", "explain", "x" * 500])
    with pytest.raises(SystemExit) as caught:
        app.main()
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
