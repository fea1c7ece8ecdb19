"""`pgkeep check --state` and `--plan`: shapes of documents that other programs and events leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line.checking import check, refused, rules, stacks
from tests.command_line.states import PROVIDER, SECRET, entry, state, urn, written
from tests.policies.good_stack import ALL

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
GROUP = "aws:rds/parameterGroup:ParameterGroup"
TOPIC = "aws:sns/topic:Topic"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
GOOD = ALL["db"][1]
HIDDEN = {**SECRET, "ciphertext": "v1:abc"}


def judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *resources: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    document = state(resources)
    document["deployment"] |= fields
    (one,) = stacks(capsys, states=[written(tmp_path, "state.json", document)])
    return one


def refused_by(one: dict[str, Any], rule: str) -> list[str]:
    return [item["urn"].rpartition("::")[2] for item in one["violations"] if item["rule"] == rule]


def test_an_import_has_only_the_list_of_defaults_for_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported = entry(INSTANCE, "db", outputs={**GOOD, "id": "db"})
    assert imported["inputs"] == {"__defaults": []}
    one = judged(tmp_path, capsys, imported)
    assert not rules(one) & {"rds-storage-encrypted", "rds-not-public", "rds-customer-key"}
    public = entry(INSTANCE, "db", outputs={**GOOD, "publiclyAccessible": True})
    assert "rds-not-public" in rules(judged(tmp_path, capsys, public))


def test_what_was_taken_away_by_hand_is_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"name": "alarms", "kmsMasterKeyId": "alias/alarms"}
    kept = entry(TOPIC, "alarms", asked)
    assert "sns-customer-key" not in rules(judged(tmp_path, capsys, kept))
    for blank in ("", None):
        lost = entry(TOPIC, "alarms", asked, outputs={**asked, "kmsMasterKeyId": blank})
        found = rules(judged(tmp_path, capsys, lost))
        # Null is what a provider has for an input that AWS never tells.
        assert ("sns-customer-key" in found) == (blank == "")
    closed = entry(INSTANCE, "db", GOOD, outputs={**GOOD, "enabledCloudwatchLogsExports": []})
    assert "rds-logs-exported" in rules(judged(tmp_path, capsys, closed))


def test_an_update_that_broke_off_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    making = {"type": "creating", "resource": entry(INSTANCE, "db", GOOD)}
    component = {"type": "creating", "resource": entry("my:own:Shop", "x", custom=False)}
    one = judged(tmp_path, capsys, pending_operations=[making, component])
    (note,) = one["not_verified"]
    assert note["urn"] == urn(INSTANCE, "db")
    assert "broke off while creating it" in note["message"]
    assert judged(tmp_path, capsys, pending_operations=None)["not_verified"] == []


@pytest.mark.parametrize("operations", [5, [5], [{"type": "creating"}], {"resource": 1}])
def test_broken_pending_operations_end_with_one_line(operations: Any, tmp_path: Path) -> None:
    document = state([])
    document["deployment"]["pending_operations"] = operations
    assert "pending operation 1" in refused(states=[written(tmp_path, "state.json", document)])


def provider(name: str, region: str) -> dict[str, Any]:
    return entry(PROVIDER, name, {"region": region}, id=f"{name}-id", provider=...)


def test_names_are_one_in_a_region_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def in_region(region: str, kind: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        reference = f"{urn(PROVIDER, region)}::{region}-id"
        return entry(kind, name, inputs, provider=reference, propertyDependencies=...)

    def parameters(force: str) -> dict[str, Any]:
        listed = [{"name": "rds.force_ssl", "value": force}]
        return {"name": "shop", "family": "postgres17", "parameters": listed}

    database = {**GOOD, "parameterGroupName": "shop"}
    both = [
        *(provider(region, region) for region in ("eu-west-1", "eu-central-1")),
        in_region("eu-west-1", GROUP, "near-group", parameters("1")),
        in_region("eu-central-1", GROUP, "far-group", parameters("0")),
        in_region("eu-west-1", INSTANCE, "near", {**database, "identifier": "near"}),
        in_region("eu-central-1", INSTANCE, "far", {**database, "identifier": "far"}),
    ]
    refused_databases = refused_by(judged(tmp_path, capsys, *both), "rds-ssl-enforced")
    assert "far" in refused_databases
    assert "near" not in refused_databases


def test_accounts_and_regions_of_arns_tell_names_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def alarms(region: str, account: str) -> list[dict[str, Any]]:
        return [
            entry(
                ALARM,
                metric,
                properties := {
                    "namespace": "AWS/RDS",
                    "metricName": metric,
                    "dimensions": {"DBInstanceIdentifier": "shop"},
                    "alarmActions": ["arn:aws:sns:eu-west-1:111111111111:alarms"],
                },
                outputs={
                    **properties,
                    "arn": f"arn:aws:cloudwatch:{region}:{account}:alarm:{metric}",
                },
                propertyDependencies=...,
            )
            for metric in ("CPUUtilization", "FreeStorageSpace", "DatabaseConnections")
        ]

    arn = "arn:aws:rds:eu-west-1:111111111111:db:shop"
    inputs = {**GOOD, "identifier": "shop"}
    database = entry(INSTANCE, "shop", inputs, outputs={**inputs, "arn": arn})
    for region, account, watched in (
        ("eu-west-1", "111111111111", True),
        ("eu-central-1", "111111111111", False),
        ("eu-west-1", "222222222222", False),
    ):
        one = judged(tmp_path, capsys, database, *alarms(region, account))
        assert ("shop" not in refused_by(one, "logs-database-alarms")) == watched


def test_resources_below_components_of_any_depth_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = "my:shop:Shop$awsx:ec2:Vpc$eks:index:Cluster$"
    public = entry(INSTANCE, "db", {**GOOD, "publiclyAccessible": True})
    public["urn"] = public["urn"].replace(INSTANCE, chain + INSTANCE)
    parents = [entry(kind, kind, custom=False) for kind in ("my:shop:Shop", "awsx:ec2:Vpc")]
    one = judged(tmp_path, capsys, *parents, public)
    assert refused_by(one, "rds-not-public") == ["db"]
    assert one["not_covered"] == []


def test_other_packages_of_aws_are_listed_as_not_covered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = [
        *("aws-native:dynamodb:Table", "aws-native:ecs:Service", "aws-native:nothing:Thing"),
        *("eks:index:ManagedNodeGroup", "awsx:s3:Thing", "pulumi-nodejs:dynamic:Resource"),
    ]
    one = judged(tmp_path, capsys, *(entry(kind, kind) for kind in kinds))
    assert [item["type"] for item in one["not_covered"]] == sorted(kinds)
    assert one["violations"] == []


def test_aws_native_is_judged_by_the_same_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = {"dbInstanceIdentifier": "shop", "publiclyAccessible": True, "engine": "postgres"}
    bucket = {"bucketName": "b", "versioningConfiguration": {"status": "Enabled"}}
    kinds = ("aws-native:rds:DbInstance", "aws-native:s3:Bucket")
    entries = [
        entry(kind, kind[-6:], inputs)
        for kind, inputs in zip(kinds, (database, bucket), strict=True)
    ]
    one = judged(tmp_path, capsys, *entries)
    assert refused_by(one, "rds-not-public") == ["stance"]
    assert refused_by(one, "s3-versioned") == []
    assert refused_by(one, "s3-public-access-blocked") == ["Bucket"]
    assert [item["reason"].split(":")[0] for item in one["not_covered"]] == [
        "cannot say whether its deletion leaves a snapshot"
    ]
    steps = [
        {"op": "create", "urn": item["urn"], "newState": {**item, "outputs": {}}}
        for item in entries
    ]
    plan = written(tmp_path, "plan.json", {"steps": steps, "changeSummary": {"create": 2}})
    (two,) = stacks(capsys, plans=[plan])
    assert refused_by(two, "rds-not-public") == ["stance"]
    assert refused_by(two, "s3-versioned") == []
    read = [{**step, "op": "read"} for step in steps]
    plan = written(tmp_path, "plan.json", {"steps": read, "changeSummary": {}})
    (three,) = stacks(capsys, plans=[plan])
    assert three["violations"] == []


def test_secrets_inside_of_values_are_not_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = [{"name": "rds.force_ssl", "value": HIDDEN}]
    group = entry(GROUP, "shop", {"name": "shop", "family": "postgres17", "parameters": listed})
    one = judged(tmp_path, capsys, group)
    assert "rds-ssl-enforced" not in rules(one)
    assert "rds-ssl-enforced" in {item["rule"] for item in one["not_verified"]}
    # A secret that AWS changed to something else tells nothing, and hides nothing.
    changed = entry(INSTANCE, "db", GOOD, outputs={**GOOD, "publiclyAccessible": HIDDEN})
    assert "rds-not-public" not in rules(judged(tmp_path, capsys, changed))
    imported = entry(INSTANCE, "db", outputs={**GOOD, "publiclyAccessible": HIDDEN})
    one = judged(tmp_path, capsys, imported)
    assert "rds-not-public" in {item["rule"] for item in one["not_verified"]}


def test_clusters_of_aurora_are_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = entry(CLUSTER, "c", {"engine": "aurora-postgresql", "clusterIdentifier": "c"})
    expected = {"rds-storage-encrypted", "rds-deletion-protected", "rds-iam-authentication"}
    assert expected <= rules(judged(tmp_path, capsys, cluster))


def test_exemption_patterns_have_no_character_sets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    public = entry(INSTANCE, "orders", {**GOOD, "storageEncrypted": False})
    file = written(tmp_path, "state.json", state([public]))
    exemption = {
        "rule": "rds-storage-encrypted",
        "resource": f"{INSTANCE}::[!x]*",
        "reason": "the data is public anyway, see ticket 12",
        "owner": "platform@example.com",
        "expires": "2999-01-01",
    }
    exemptions = tmp_path / "exemptions.yaml"
    exemptions.write_text(yaml.safe_dump([exemption]))
    (one,) = stacks(capsys, states=[file], exemptions=str(exemptions))
    assert {"rds-storage-encrypted", "policy-exemptions-valid"} <= rules(one)


def planned(*steps: dict[str, Any], **summary: int) -> dict[str, Any]:
    return {"config": {}, "steps": list(steps), "duration": 1, "changeSummary": summary}


def step(operation: str, kind: str, name: str, inputs: dict[str, Any], **fields: Any) -> Any:
    whole = entry(kind, name, inputs, **fields)
    return {"op": operation, "urn": whole["urn"], "newState": whole}


def test_a_plan_says_what_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one_step = step("update", INSTANCE, "db", GOOD)
    file = written(tmp_path, "plan.json", planned(one_step, same=12, update=1))
    (one,) = stacks(capsys, plans=[file])
    (note,) = [item for item in one["not_verified"] if not item["urn"]]
    assert "leaves out 12 unchanged resources" in note["message"]
    assert "--show-sames" in note["message"]
    assert check(plans=[file]) in (0, 1)
    assert "12 unchanged" in " ".join(capsys.readouterr().out.split())
    shown = [step("same", TOPIC, f"t{number}", {}) for number in range(12)]
    file = written(tmp_path, "plan.json", planned(one_step, *shown, same=12, update=1))
    (one,) = stacks(capsys, plans=[file])
    assert [item for item in one["not_verified"] if not item["urn"]] == []


def test_a_plan_joins_new_resources_to_what_stays_by_its_arn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = "aws:s3/bucket:Bucket"
    block = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    made = {"id": "data-1", "bucket": "data-1", "arn": "arn:aws:s3:::data-1", "policy": "[secret]"}
    steps = [
        step("same", bucket, "b", {}, outputs=made, id="data-1"),
        step("create", block, "p", {"bucket": "data-1", **dict.fromkeys(names, True)}),
    ]
    file = written(tmp_path, "plan.json", json.dumps(planned(*steps, same=1, create=1)))
    (one,) = stacks(capsys, plans=[file])
    assert "s3-public-access-blocked" not in rules(one)
