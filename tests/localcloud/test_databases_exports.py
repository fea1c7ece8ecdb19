"""Exports of snapshots: real rows in Parquet files, written with the role that was given."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from localcloud.databases import snapshot_reader
from localcloud.permissions import credentials
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud, refused

pytestmark = pytest.mark.root

ACCOUNT, BUCKET = "123456789012", "pgkeep-local-backups-123456789012-eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/export"
SNAPSHOT = f"arn:aws:rds:eu-west-1:{ACCOUNT}:snapshot:exported"
TABLES = """
CREATE TABLE kinds (b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, t text,
    y bytea, ts timestamptz, a int[], "Odd Name" uuid);
ALTER TABLE kinds RENAME "Odd Name" TO "Odd_Name";
INSERT INTO kinds VALUES (true, -1, 2147483647, -9223372036854775808, 1.5, 'NaN', 1e30, E'a"b,\\n\\r',
    '\\x00ff', '2026-01-02 03:04:05+00', '{1,2}', '00000000-0000-0000-0000-000000000001');
INSERT INTO kinds (t) VALUES (''), (NULL);
CREATE TABLE empty (id int);
CREATE UNLOGGED TABLE unlogged (id int);
CREATE TABLE refused (id int, "a b" int);
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted SELECT generate_series(0, 19);
CREATE SCHEMA "with space";
CREATE TABLE "with space"."t`able" (id int);
INSERT INTO "with space"."t`able" VALUES (1);
"""


def trust(principal: str = "export.rds.amazonaws.com", account: str = ACCOUNT) -> str:
    condition = {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": f"arn:aws:rds:eu-west-1:{ACCOUNT}:*"},
    }
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": principal},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allow(*statements: tuple[list[str], str]) -> str:
    found = [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": found})


class Exports:
    """The cloud with a bucket, a key, a role that fits, and a snapshot."""

    def __init__(self, cloud: DatabasesCloud) -> None:
        self.cloud = cloud
        self.s3, self.iam = cloud.client_of("s3"), cloud.client_of("iam")
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self.kms = cloud.client_of("kms")
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.iam.create_role(RoleName="export", AssumeRolePolicyDocument=trust())
        self.permit(self.rights())
        cloud.create_instance("orders", BackupRetentionPeriod=0)
        cloud.wait("orders")
        with cloud.connect("orders") as connection:
            connection.execute(TABLES)
        cloud.rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="exported")
        cloud.eventually(lambda: self.snapshot()["Status"] == "available")
        # What comes later is in no export.
        with cloud.connect("orders") as connection:
            connection.execute("INSERT INTO empty VALUES (1)")

    def snapshot(self) -> dict[str, Any]:
        found = self.cloud.rds.describe_db_snapshots(DBSnapshotIdentifier="exported")
        return found["DBSnapshots"][0]

    def rights(self, prefix: str = "exports/") -> list[tuple[list[str], str]]:
        bucket = f"arn:aws:s3:::{BUCKET}"
        return [
            (["s3:PutObject", "s3:GetObject", "s3:DeleteObject"], f"{bucket}/{prefix}*"),
            (["s3:ListBucket", "s3:GetBucketLocation"], bucket),
            (["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"], self.key),
        ]

    def permit(self, rights: list[tuple[list[str], str]]) -> None:
        self.iam.put_role_policy(
            RoleName="export", PolicyName="export", PolicyDocument=allow(*rights)
        )

    def start(self, name: str, client: Any = None, **changed: Any) -> dict[str, Any]:
        asked = {
            "SourceArn": SNAPSHOT,
            "S3BucketName": BUCKET,
            "S3Prefix": "exports/daily",
            "IamRoleArn": ROLE,
            "KmsKeyId": self.key,
        }
        rds = client or self.cloud.rds
        return rds.start_export_task(ExportTaskIdentifier=name, **{**asked, **changed})

    def task(self, name: str) -> dict[str, Any]:
        (found,) = self.cloud.rds.describe_export_tasks(ExportTaskIdentifier=name)["ExportTasks"]
        return found

    def end(self, name: str) -> dict[str, Any]:
        running = ("STARTING", "IN_PROGRESS", "CANCELING")
        self.cloud.eventually(lambda: self.task(name)["Status"] not in running, 120)
        return self.task(name)

    def keys(self, name: str) -> list[str]:
        prefix = f"exports/daily/{name}/"
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [one["Key"].removeprefix(prefix) for one in found]

    def read(self, name: str, key: str) -> bytes:
        found = self.s3.get_object(Bucket=BUCKET, Key=f"exports/daily/{name}/{key}")
        assert found["SSEKMSKeyId"] == self.key
        return found["Body"].read()

    def rows(self, name: str, folder: str) -> list[dict[str, Any]]:
        (key,) = [one for one in self.keys(name) if one.startswith(f"{folder}/")]
        return pq.read_table(io.BytesIO(self.read(name, key))).to_pylist()


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exports]:
    cloud = DatabasesCloud(tmp_path_factory.mktemp("cloud"), databases_cloud.base_image(print))
    try:
        yield Exports(cloud)
    finally:
        cloud.close()


def test_it_is_the_snapshot_s_data_as_parquet(exports: Exports) -> None:
    begun = exports.start("whole")
    assert (begun["Status"], begun["S3Prefix"], begun["SourceType"]) == (
        "STARTING", "exports/daily", "SNAPSHOT",
    )  # fmt: skip
    # Two exports of one snapshot at once.
    with refused("InvalidExportSourceState", "being exported by another"):
        exports.start("second")
    with refused("ExportTaskAlreadyExists"):
        exports.start("whole")
    ended = exports.end("whole")
    assert (ended["Status"], ended.get("FailureCause")) == ("COMPLETE", None)
    assert ended["PercentProgress"] == 100
    assert ended["SnapshotTime"] == exports.snapshot()["SnapshotCreateTime"]
    assert ended["TaskEndTime"] > ended["TaskStartTime"] > ended["SnapshotTime"]
    assert ended["WarningMessage"] == "Skipped tables: shop.public.refused"
    folders = {key.rpartition("/")[0] for key in exports.keys("whole")}
    assert folders == {
        "", "shop/public.kinds/1", "shop/public.parted/1", "shop/public.parted/2",
        "shop/with_space.t_able/1",
    }  # fmt: skip
    files = [key for key in exports.keys("whole") if "/" not in key]
    assert files == ["export_info_whole.json", "export_tables_info_whole_from_1_to_5.json"]
    info = json.loads(exports.read("whole", files[0]))
    assert (info["status"], info["exportedFilesPath"]) == ("COMPLETE", "exports/daily/whole")
    tables = json.loads(exports.read("whole", files[1]))["perTableStatus"]
    assert {one["target"]: one["status"] for one in tables}["shop.public.empty"] == "COMPLETE"
    assert exports.rows("whole", "shop/public.parted/2") == [{"id": n} for n in range(10, 20)]
    full, blank, null = exports.rows("whole", "shop/public.kinds")
    assert math.isnan(full.pop("f8"))
    assert full == {
        "b": True, "i2": -1, "i4": 2147483647, "i8": -9223372036854775808, "f4": 1.5,
        "n": "1000000000000000000000000000000", "t": 'a"b,\n\r', "y": b"\x00\xff",
        "ts": "2026-01-02 03:04:05+00", "a": "{1,2}",
        "Odd_Name": "00000000-0000-0000-0000-000000000001",
    }  # fmt: skip
    assert (blank["t"], null["t"]) == ("", None)
    (key,) = [one for one in exports.keys("whole") if "kinds" in one]
    assert key.endswith(".gz.parquet")
    events = exports.cloud.rds.describe_events(SourceType="db-snapshot")["Events"]
    assert "The snapshot export task completed." in [one["Message"] for one in events]
    # Nothing of the copy is left.
    assert list(exports.cloud.home.databases.glob(".export-*")) == []
    assert exports.cloud.plane.helpers == {}


def test_tasks_are_found_by_bucket_source_and_status(exports: Exports) -> None:
    def found(**asked: Any) -> list[str]:
        tasks = exports.cloud.rds.describe_export_tasks(**asked)["ExportTasks"]
        return [one["ExportTaskIdentifier"] for one in tasks]

    def by(name: str, value: str) -> list[str]:
        return found(Filters=[{"Name": name, "Values": [value]}])

    assert by("s3-bucket", BUCKET) == by("status", "complete") == found(SourceArn=SNAPSHOT)
    assert "whole" in by("s3-bucket", BUCKET)
    assert by("s3-bucket", "other") == by("status", "failed") == []
    with refused("ExportTaskNotFound"):
        exports.task("absent")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"SourceArn": SNAPSHOT.replace("exported", "absent")}, "DBSnapshotNotFound"),
        ({"S3BucketName": "absent"}, "InvalidS3BucketFault"),
        ({"IamRoleArn": ROLE.replace("export", "absent")}, "IamRoleNotFound"),
        ({"KmsKeyId": f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/absent"}, "KMSKeyNotAccessibleFault"),
        ({"S3Prefix": "daily"}, "IamRoleMissingPermissions"),
        ({"S3Prefix": "a:b"}, "InvalidParameterValue"),
        ({"ExportOnly": ["shop"]}, "InvalidParameterValue"),
    ],
)
def test_what_rds_refuses(exports: Exports, changed: dict[str, Any], code: str) -> None:
    with refused(code):
        exports.start("refused", **changed)
    with refused("ExportTaskNotFound"):
        exports.task("refused")


@pytest.mark.parametrize(
    "document", [trust("rds.amazonaws.com"), trust(account="210987654321")], ids=["who", "whose"]
)
def test_a_role_that_does_not_trust_rds_is_refused(exports: Exports, document: str) -> None:
    exports.iam.update_assume_role_policy(RoleName="export", PolicyDocument=document)
    try:
        with refused("IamRoleMissingPermissions", "isn't allowed to assume the IAM role"):
            exports.start("untrusted")
    finally:
        exports.iam.update_assume_role_policy(RoleName="export", PolicyDocument=trust())


@pytest.mark.parametrize(
    "action", ["s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "kms:GenerateDataKey"]
)
def test_a_role_without_one_of_the_rights_is_refused(exports: Exports, action: str) -> None:
    fewer = [([one for one in actions if one != action], r) for actions, r in exports.rights()]
    exports.permit(fewer)
    try:
        with refused("IamRoleMissingPermissions", f"isn't authorized to call {action}"):
            exports.start("too-little")
    finally:
        exports.permit(exports.rights())


def test_a_key_that_is_disabled_is_refused(exports: Exports) -> None:
    identifier = exports.key.rpartition("/")[2]
    exports.kms.disable_key(KeyId=identifier)
    try:
        with refused("KMSKeyNotAccessibleFault"):
            exports.start("locked")
    finally:
        exports.kms.enable_key(KeyId=identifier)


def test_who_starts_it_must_pass_the_role_and_let_rds_use_the_key(exports: Exports) -> None:
    iam = exports.iam
    iam.create_role(RoleName="caller", AssumeRolePolicyDocument=trust("lambda.amazonaws.com"))
    session = credentials.assume(ACCOUNT, "eu-west-1", f"arn:aws:iam::{ACCOUNT}:role/caller", "x")
    rds = _client(exports, session)

    def permit(condition: dict[str, Any], *kms: str) -> None:
        statements = [
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": ROLE, "Condition": condition},
            {"Effect": "Allow", "Action": ["kms:DescribeKey", *kms], "Resource": exports.key},
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName="caller", PolicyName="caller", PolicyDocument=document)

    passed = {"StringEquals": {"iam:PassedToService": "export.rds.amazonaws.com"}}
    for condition, kms, missing in (
        ({"StringEquals": {"iam:PassedToService": "rds.amazonaws.com"}}, [], "iam:PassRole"),
        (passed, [], "kms:CreateGrant"),
    ):
        permit(condition, *kms)
        with pytest.raises(ClientError, match=missing):
            exports.start("not-passed", rds)
    permit(passed, "kms:CreateGrant")
    assert exports.start("passed", rds)["Status"] == "STARTING"
    assert exports.end("passed")["Status"] == "COMPLETE"


def _client(exports: Exports, session: Any) -> Any:
    import boto3

    return boto3.client(
        "rds",
        endpoint_url=exports.cloud.arguments["endpoint_url"],
        region_name="eu-west-1",
        aws_access_key_id=session.access_key_id,
        aws_secret_access_key=session.secret_access_key,
        aws_session_token=session.session_token,
    )


def test_one_that_is_canceled_stops_and_one_that_breaks_says_why(
    exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports.start("canceled")
    assert exports.cloud.rds.cancel_export_task(ExportTaskIdentifier="canceled")["Status"] == (
        "CANCELING"
    )
    assert exports.end("canceled")["Status"] == "CANCELED"
    assert not [one for one in exports.keys("canceled") if one.startswith("export_info")]
    with refused("InvalidExportTaskStateFault"):
        exports.cloud.rds.cancel_export_task(ExportTaskIdentifier="canceled")

    def broken(*_: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(snapshot_reader.parquet, "write", broken)
    exports.start("broken")
    ended = exports.end("broken")
    assert (ended["Status"], ended["FailureCause"]) == ("FAILED", "the disk is full")
    assert exports.cloud.plane.helpers == {}
