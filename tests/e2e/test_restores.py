"""Restores to new instances, the restore test that runs by itself, and exports, on a real local cloud.

The stack is this file's own and is thrown away: its exemption lets the function delete its scratch
instance here, and nowhere else.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tests.e2e.local_stack import REPOSITORY, LocalStack, last_words

pytestmark = pytest.mark.root

SECONDS_OF_A_RESTORE = 300


@pytest.fixture(scope="module")
def site() -> Iterator[LocalStack]:
    local = LocalStack(octet=81)
    content = yaml.safe_load(local.config_file.read_text())
    settings = content["config"]["pgkeep:settings"]
    settings["restore_test"] = {"enabled": True}
    settings.setdefault("backups", {}).update(sign_manifests=True, worker={"enabled": False})
    local.config_file.write_text(yaml.safe_dump(content))
    try:
        up = local.toolchain("up")
        assert up.returncode == 0, last_words(up)
        yield local
    finally:
        if local.home.exists():
            local.toolchain("down")
        local.remove()


def pgkeep(stack: LocalStack, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, as a user types it."""
    return subprocess.run(
        [sys.executable, "-m", "pgkeep", *words],
        cwd=REPOSITORY,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_OF_A_RESTORE,
        check=False,
    )


def add_buyer(stack: LocalStack, name: str) -> None:
    answer = stack.query(
        "application_security_group_id",
        stack.through_pooler(),
        [
            f"INSERT INTO buyers (license_id, wallet, tier, status) "
            f"VALUES ('{name}', '0x', 'gold', 'active')"
        ],
    )
    assert answer["error"] is None
    assert "error" not in answer["results"][0], answer


def between() -> datetime:
    """A whole second that lies between what was committed before and what is after."""
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    while datetime.now(UTC) < moment + timedelta(seconds=1):
        time.sleep(0.1)
    return moment


def wait_for_archive(stack: LocalStack, moment: datetime) -> None:
    deadline = time.monotonic() + 180
    identifier = stack.outputs["database_identifier"]
    while time.monotonic() < deadline:
        answer = stack.aws("rds").describe_db_instances(DBInstanceIdentifier=identifier)
        latest = answer["DBInstances"][0].get("LatestRestorableTime")
        if latest and latest >= moment:
            return
        time.sleep(2)
    pytest.fail(f"{moment} did not become restorable")


def instances(stack: LocalStack) -> set[str]:
    found = stack.aws("rds").describe_db_instances()["DBInstances"]
    return {one["DBInstanceIdentifier"] for one in found if one["DBInstanceStatus"] != "deleting"}


def test_a_restore_ends_at_each_of_several_moments(site: LocalStack, tmp_path: Path) -> None:
    before = instances(site)
    moments: list[datetime] = []
    for number in range(1, 4):
        add_buyer(site, f"MARK-{number}")
        moments.append(between())
    wait_for_archive(site, moments[-1])
    page = tmp_path / "report.html"
    for number, moment in enumerate(moments, start=1):
        words = ["--at", moment.isoformat(), "--to", "instance:moment", "--drop-afterwards"]
        made = pgkeep(site, "restore", *words, "--report", str(page), "--json")
        assert made.returncode == 0, last_words(made)
        document = json.loads(made.stdout)
        assert document["proven"] is True
        assert document["row_counts"]["node_pass.buyers"] == number
        assert datetime.fromisoformat(document["restored_to"]) == moment
        assert document["objectives"]["rto"]["objective_seconds"] == 900
        print(number, document["steps"], document["rto_seconds"], document["rpo_seconds"])
        wait_until_gone(site, "moment")
    assert "<title>Restore of node_pass: proven</title>" in page.read_text()
    assert instances(site) == before


def test_a_table_comes_back_as_it_was_before_a_bad_update(site: LocalStack) -> None:
    before = instances(site)
    moment = between()
    spoil = ["UPDATE buyers SET tier = 'spoiled'", "SELECT count(*) FROM buyers"]
    group = "application_security_group_id"
    spoiled = site.query(group, site.through_pooler(), spoil)
    (count,) = spoiled["results"][1]["rows"][0]
    wait_for_archive(site, moment)
    words = ["--at", moment.isoformat(), "--table", "buyers", "--to", "rescued"]
    made = pgkeep(site, "restore", *words, "--json")
    assert made.returncode == 0, last_words(made)
    document = json.loads(made.stdout)
    print(document["steps"], document["rto_seconds"])
    assert (document["proven"], document["target"]) == (True, "rescued")
    assert document["row_counts"] == {"node_pass.buyers": count}
    read = "SELECT count(*), min(tier), max(tier) FROM node_pass.buyers"
    rescued = {**site.direct("migrator"), "dbname": "rescued"}
    answer = site.query("migration_security_group_id", rescued, [read])
    assert answer["results"][0]["rows"] == [[count, "gold", "gold"]]
    for refused in (words, [*words[:3], "byers", "--to", "other"]):
        ended = pgkeep(site, "restore", *refused)
        assert ended.returncode == 1
        assert "is not empty" in ended.stderr or "no table called 'byers'" in ended.stderr
    assert instances(site) == before


def wait_until_gone(stack: LocalStack, identifier: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = stack.aws("rds").describe_db_instances()["DBInstances"]
        if identifier not in {one["DBInstanceIdentifier"] for one in found}:
            return
        time.sleep(1)
    pytest.fail(f"{identifier} was not deleted")


@pytest.mark.parametrize(
    ("at", "match"),
    [
        ("2020-01-01T00:00:00Z", "is before the restore window, which is 20"),
        ("2120-01-01T00:00:00Z", "is after the restore window, which is 20"),
    ],
)
def test_a_moment_outside_the_window_is_refused_with_the_window(
    site: LocalStack, at: str, match: str
) -> None:
    made = pgkeep(site, "restore", "--at", at, "--to", "instance:never")
    assert made.returncode == 1
    assert match in made.stderr
    assert "never" not in instances(site)


def test_a_snapshot_becomes_an_instance_like_the_present_one(site: LocalStack) -> None:
    rds = site.aws("rds")
    identifier = site.outputs["database_identifier"]
    rds.create_db_snapshot(DBInstanceIdentifier=identifier, DBSnapshotIdentifier="before-change")
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier="before-change", WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    words = ["--from", "snapshot:before-change", "--to", "instance:out-of-snapshot", "--json"]
    made = pgkeep(site, "restore", *words)
    assert made.returncode == 0, last_words(made)
    document = json.loads(made.stdout)
    assert document["kind"] == "snapshot"
    assert document["row_counts"]["node_pass.buyers"] == 3
    (present,) = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    (restored,) = rds.describe_db_instances(DBInstanceIdentifier="out-of-snapshot")["DBInstances"]
    assert restored["Endpoint"]["Address"] == document["endpoint"]
    same: list[Any] = ["VpcSecurityGroups", "DBInstanceClass", "KmsKeyId", "StorageEncrypted"]
    for key in same:
        assert restored[key] == present[key], key
    groups = [one["DBParameterGroups"][0]["DBParameterGroupName"] for one in (present, restored)]
    assert groups[0] == groups[1]
    assert restored["DeletionProtection"] is False
    assert {"Key": "pgkeep:scratch", "Value": "restore"} in restored["TagList"]
    again = pgkeep(site, "restore", *words)
    assert again.returncode == 1
    assert "instance out-of-snapshot exists; a restore never replaces one" in again.stderr
    rds.delete_db_instance(DBInstanceIdentifier="out-of-snapshot", SkipFinalSnapshot=True)
    wait_until_gone(site, "out-of-snapshot")


def invoke(stack: LocalStack, function: str, event: dict[str, str]) -> dict[str, Any]:
    """The function's answer; its own schedule may be using its only concurrent execution."""
    from botocore.config import Config

    patient = Config(read_timeout=930, retries={"total_max_attempts": 1})
    client = stack.aws("lambda", config=patient)
    deadline = time.monotonic() + SECONDS_OF_A_RESTORE
    while True:
        try:
            answer = client.invoke(FunctionName=stack.outputs[function], Payload=json.dumps(event))
            break
        except client.exceptions.TooManyRequestsException:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)
    document = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, document
    return document


def test_the_restore_test_proves_both_ways_back_and_leaves_nothing(site: LocalStack) -> None:
    before = instances(site)
    backup = invoke(site, "backup_function", {"class": "daily"})
    started = time.monotonic()
    assert invoke(site, "restore_test_function", {"action": "start"})["status"] == "started"
    deadline = time.monotonic() + SECONDS_OF_A_RESTORE
    # Its own schedule goes on with it too, every ten minutes, and may be the one that ends it.
    states: list[str] = []
    while {"proven", "nothing to do"}.isdisjoint(states) and time.monotonic() < deadline:
        states.append(invoke(site, "restore_test_function", {"action": "continue"})["status"])
        time.sleep(2)
    assert not {"proven", "nothing to do"}.isdisjoint(states), states
    # The function signed it, and the restore test verified that before it restored anything.
    s3, bucket = site.aws("s3"), site.outputs["backup_bucket"]
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=backup["key"])["Body"].read())
    assert manifest["mac"]["key"] == site.outputs["manifest_key_arn"]
    print(f"restore test: {time.monotonic() - started:.1f} s")
    wait_until_gone(site, "pgkeep-local-restore-test")
    assert instances(site) == before
    last = json.loads(
        s3.get_object(Bucket=bucket, Key="reports/LAST_BACKUP_RESTORE_TEST.json")["Body"].read()
    )
    assert len(last["reports"]) == 2
    assert any(backup["id"] in key for key in last["reports"])
    for key in last["reports"]:
        document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        assert document["proven"] is True
        own = [one for one in document["checks"] if one["name"].startswith("workload: ")]
        assert len(own) == 4
        print(document["kind"], document["steps"], document["rto_seconds"])
    listed = json.loads(pgkeep(site, "backup", "list", "--json").stdout)
    proven = {point["kind"] for point in listed["recovery_points"] if point["proven"]}
    assert proven >= {"dump", "point-in-time"}
    assert invoke(site, "restore_test_function", {"action": "continue"}) == {
        "status": "nothing to do"
    }


def test_a_backup_without_time_or_worker_is_a_snapshot_and_its_export(site: LocalStack) -> None:
    preview = site.preview("--expect-no-changes")
    assert preview.returncode == 0, last_words(preview)
    add_buyer(site, "EXPORTED")
    started = time.monotonic()
    run = ("backup", "run", "--time-limit", "0")
    said = pgkeep(site, *run, "--json")
    assert said.returncode == 0, said.stderr
    answer = json.loads(said.stdout)
    given = answer["handed_over"]
    assert (given["to"], given["snapshot"]) == ("snapshot_export", given["export"])
    assert "id" not in answer
    assert "more than the 0 s that this run has" in answer["reason"]
    second = pgkeep(site, *run)
    assert second.returncode == 1
    assert f"export {given['export']} of a manual backup is at work since" in second.stderr
    # As the schedule does every ten minutes.
    states: list[dict[str, str]] = [{"state": ""}]
    while states and states[0]["state"] != "complete":
        assert time.monotonic() < started + SECONDS_OF_A_RESTORE, states
        assert states[0]["state"] != "failed", states
        # None is left when the schedule itself looked last; the list below says how it ended.
        states = invoke(site, "backup_function", {"action": "exports"})["exports"]
        time.sleep(1)
    points = json.loads(pgkeep(site, "backup", "list", "--json").stdout)
    # The export and its snapshot have the same name; the snapshot can be restored.
    kinds = [p["kind"] for p in points["recovery_points"] if p["id"] == given["export"]]
    assert sorted(kinds) == ["export", "snapshot"]
    (export,) = [p for p in points["recovery_points"] if p["kind"] == "export"]
    assert (export["class"], export["proven"]) == ("manual", False)
    assert export["size_bytes"] > 0
    assert 0 < export["rpo_seconds"] < SECONDS_OF_A_RESTORE
    assert [one for one in points["not_backups"] if "exports/" in one["folder"]] == []
    s3, bucket = site.aws("s3"), site.outputs["backup_bucket"]
    prefix = given["location"].removeprefix(f"s3://{bucket}/")
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]]
    (key,) = [one for one in keys if "/node_pass/node_pass.buyers/1/part-" in one]
    rows = pq.read_table(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
    assert "EXPORTED" in rows["license_id"].to_pylist()
    print(f"snapshot and export: {time.monotonic() - started:.1f} s")
    # A role that RDS refuses is a failed backup at once, and nothing is left at work.
    iam, role = site.aws("iam"), "pgkeep-local-export"
    policy = iam.get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=role)
    refused = pgkeep(site, *run, "--class", "daily")
    iam.put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=json.dumps(policy))
    assert refused.returncode == 1
    assert "RDS refuses it: IamRoleMissingPermissions" in refused.stderr
    assert invoke(site, "backup_function", {"action": "exports"}) == {"exports": []}
