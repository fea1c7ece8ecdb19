"""An instance that was made without pgkeep is imported as docs/database.md says, with its data, and
then goes from PostgreSQL 16 to 17, with its standby. Its backups are copied to another account.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.legacy_database import COPIES, MASTER, NAME, LegacyDatabase
from tests.e2e.local_stack import REPOSITORY, LocalStack, last_words

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def local() -> Iterator[LocalStack]:
    cloud = LocalStack(octet=81)
    try:
        run(cloud, "start")
        yield cloud
    finally:
        run(cloud, "stop")
        cloud.remove()


def run(cloud: LocalStack, command: str) -> None:
    """`python -m localcloud COMMAND`."""
    subprocess.run(
        [sys.executable, "-m", "localcloud", command],
        cwd=REPOSITORY,
        env=cloud.environment,
        check=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def legacy(local: LocalStack) -> LegacyDatabase:
    local.__dict__["outputs"] = {}
    return LegacyDatabase(local)


def settings(legacy: LegacyDatabase, **database: Any) -> dict[str, Any]:
    return {
        "network": {"existing": legacy.network, "vpc_cidr": None},
        "replicas": {"count": 0},
        "backups": {"replication": legacy.copies},
        "database": {
            "origin": {
                "existing": {
                    "identifier": NAME,
                    "kms_key_arn": legacy.key_arn,
                    "keep_security_group_ids": [legacy.security_group_id],
                }
            },
            "master_username": MASTER,
            "engine_version": "16",
            "multi_az": True,
            **database,
        },
    }


def test_what_rds_cannot_change_is_refused_before_anything_is_made(
    local: LocalStack, legacy: LegacyDatabase
) -> None:
    wrong = settings(
        legacy, master_username="somebody", availability_zone="eu-west-1b", multi_az=False
    )
    wrong["replicas"]["count"] = 1
    wrong["database"]["origin"]["existing"]["kms_key_arn"] = legacy.key_arn[:-4] + "0000"
    local.write_config(wrong)
    up = local.toolchain("up")
    said = up.stdout + up.stderr
    assert up.returncode != 0
    zone = legacy.describe()["AvailabilityZone"]
    expected = [
        f"must be '{legacy.key_arn}': the instance is under that key, and RDS cannot change it. "
        "Name that key.",
        f"database.master_username: 'somebody' refused, must be '{MASTER}': the instance has that "
        "master user, and RDS cannot change it. Name that user.",
        "replicas.count: 1 refused, none in the update that imports: the instance takes the stack's "
        "parameters at its next restart",
    ]
    if zone != "eu-west-1b":
        expected.append(f"database.availability_zone: 'eu-west-1b' refused, must be '{zone}'")
    for line in expected:
        assert line in said, said
    assert "Traceback" not in said
    assert legacy.describe()["DBParameterGroups"][0]["DBParameterGroupName"] == "legacy-parameters"


def test_an_unknown_instance_is_refused(local: LocalStack, legacy: LegacyDatabase) -> None:
    wrong = settings(legacy)
    wrong["database"]["origin"]["existing"]["identifier"] = "nobody"
    local.write_config(wrong)
    preview = local.preview()
    said = preview.stdout + preview.stderr
    assert preview.returncode != 0
    assert "database.origin.existing.identifier: 'nobody' refused, must be an instance of" in said
    assert "DBInstance nobody not found" in said
    assert "Traceback" not in said


def test_the_update_imports_and_brings_it_in_line(
    local: LocalStack, legacy: LegacyDatabase
) -> None:
    before = legacy.describe()
    local.write_config(settings(legacy))
    up = local.toolchain("up")
    assert up.returncode == 0, last_words(up)
    assert "1 imported" in up.stdout
    del local.__dict__["outputs"]
    after = legacy.describe()
    kept = ("DbiResourceId", "InstanceCreateTime", "KmsKeyId", "MasterUsername", "Endpoint")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert after["DBSubnetGroup"]["DBSubnetGroupName"] == "legacy-subnets"
    groups = {group["DBParameterGroupName"] for group in after["DBParameterGroups"]}
    assert groups == {"pgkeep-local-postgres16"}
    assert after["StorageType"] == "gp3"
    assert legacy.security_group_id in [g["VpcSecurityGroupId"] for g in after["VpcSecurityGroups"]]
    tags = {tag["Key"]: tag["Value"] for tag in after["TagList"]}
    assert tags["pgkeep:owner"] == "platform"
    assert "team" not in tags


def test_its_data_is_there_through_the_pooler(local: LocalStack) -> None:
    answer = local.query(
        "application_security_group_id",
        local.through_pooler(),
        [
            "SELECT count(*), max(wallet) FROM buyers",
            "UPDATE buyers SET tx_hash = '0x1' WHERE license_id = 'OLD-1000' RETURNING wallet",
        ],
    )
    assert answer["error"] is None
    assert answer["results"][0]["rows"] == [[1000, "0xold"]]
    assert answer["results"][1]["rows"] == [["0xold"]]


def test_a_second_up_changes_nothing(local: LocalStack) -> None:
    preview = local.preview("--expect-no-changes")
    assert preview.returncode == 0, last_words(preview)


def test_a_backup_of_16_is_whole_and_in_the_other_account(
    local: LocalStack, legacy: LegacyDatabase
) -> None:
    answer = local.query(
        "migration_security_group_id",
        local.direct("migrator"),
        [
            "SELECT lo_from_bytea(16000, 'of 16')",
            "GRANT SELECT ON LARGE OBJECT 16000 TO node_pass_backup",
        ],
    )
    assert not any("error" in result for result in answer["results"]), answer
    made = json.loads(local.pgkeep("backup", "run", "--class", "pre-migration", "--json"))
    folder = f"pre-migration/node_pass/{made['id']}/"
    copied: set[str] = set()
    deadline = time.monotonic() + 60
    while f"{folder}manifest.json" not in copied:
        assert time.monotonic() < deadline, copied
        listed = legacy.their_s3.list_objects_v2(Bucket=COPIES, Prefix=folder)
        copied = {one["Key"] for one in listed.get("Contents", [])}
    ours = local.aws("s3").list_objects_v2(Bucket=local.outputs["backup_bucket"], Prefix=folder)
    assert copied == {one["Key"] for one in ours["Contents"]}
    head = legacy.their_s3.head_object(Bucket=COPIES, Key=f"{folder}manifest.json")
    assert head["SSEKMSKeyId"] == legacy.copies["key_arn"]
    # pg_restore of 17 sets a parameter that 16 does not know.
    restored = local.run_pgkeep(
        "restore", "--from", made["id"], "--to", "proof", "--drop-afterwards"
    )
    assert restored.returncode == 0, last_words(restored)
    assert "large objects (1)" in restored.stdout


def test_a_major_upgrade_has_to_be_named(local: LocalStack, legacy: LegacyDatabase) -> None:
    local.write_config(settings(legacy, engine_version="17"))
    preview = local.preview()
    said = preview.stdout + preview.stderr
    assert preview.returncode != 0
    assert "database.engine_version: '17' refused, must be '16': the instance runs 16." in said
    assert "Traceback" not in said


def test_the_named_upgrade_keeps_the_data(local: LocalStack, legacy: LegacyDatabase) -> None:
    upgrade = {
        "engine_version": "17",
        "major_upgrade": {"from_version": "16", "to_version": "17"},
        "apply_changes_immediately": True,
    }
    exemption = {
        "rule": "rds-no-major-upgrades",
        "resource": "aws:rds/instance:Instance::database-instance",
        "reason": "the upgrade to 17",
        "owner": "platform",
        "expires": f"{datetime.date.today() + datetime.timedelta(days=7)}",  # noqa: DTZ011
    }
    before = legacy.describe()
    local.write_config({**settings(legacy, **upgrade), "policy_exemptions": [exemption]})
    up = local.toolchain("up")
    assert up.returncode == 0, last_words(up)
    after = legacy.describe()
    assert after["EngineVersion"].startswith("17.")
    assert after["DbiResourceId"] == before["DbiResourceId"]
    assert before["MultiAZ"]
    assert after["MultiAZ"]
    groups = {group["DBParameterGroupName"] for group in after["DBParameterGroups"]}
    assert groups == {"pgkeep-local-postgres17"}
    names = {
        group["DBParameterGroupName"]
        for group in legacy.rds.describe_db_parameter_groups()["DBParameterGroups"]
    }
    assert "pgkeep-local-postgres16" not in names
    answer = local.query(
        "application_security_group_id",
        local.through_pooler(),
        ["SELECT count(*), current_setting('server_version_num')::int / 10000 FROM buyers"],
    )
    assert answer["error"] is None
    assert answer["results"][0]["rows"] == [[1000, 17]]
    preview = local.preview("--expect-no-changes")
    assert preview.returncode == 0, last_words(preview)
