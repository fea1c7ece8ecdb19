"""DB snapshots: consistent while the instance writes, copied, shared, restored, deleted."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from operations.restore import instances
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud, refused

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud

OTHER_REGION = "eu-central-1"


@pytest.fixture(scope="module")
def source(cloud: DatabasesCloud) -> str:
    cloud.create_instance(
        "source",
        StorageEncrypted=True,
        CopyTagsToSnapshot=True,
        Tags=[{"Key": "Name", "Value": "source"}],
    )
    cloud.wait("source")
    with cloud.connect("source") as connection:
        connection.execute("CREATE TABLE accounts (id int PRIMARY KEY, balance int)")
        connection.execute("INSERT INTO accounts SELECT n, 100 FROM generate_series(1, 1000) n")
    return "source"


@pytest.fixture(scope="module")
def snapshot(cloud: DatabasesCloud, source: str) -> str:
    """Taken while money moves between the accounts."""
    stop = threading.Event()

    def move() -> None:
        with cloud.connect(source) as connection:
            while not stop.is_set():
                connection.execute(
                    "UPDATE accounts SET balance = balance + CASE id % 2 WHEN 0 THEN 1 ELSE -1 END"
                )

    writer = threading.Thread(target=move)
    writer.start()
    try:
        created = cloud.rds.create_db_snapshot(
            DBInstanceIdentifier=source, DBSnapshotIdentifier="manual"
        )["DBSnapshot"]
        assert created["Status"] == "creating"
        available(cloud, "manual")
    finally:
        stop.set()
        writer.join()
    return "manual"


def available(cloud: DatabasesCloud, name: str, rds: Any = None) -> dict[str, Any]:
    def find() -> Any:
        (found,) = (rds or cloud.rds).describe_db_snapshots(DBSnapshotIdentifier=name)[
            "DBSnapshots"
        ]
        return found if found["Status"] == "available" else None

    return cloud.eventually(find)


def restore(cloud: DatabasesCloud, name: str, snapshot: str, **inputs: Any) -> dict[str, Any]:
    defaults = {"DBSubnetGroupName": "private", "VpcSecurityGroupIds": [cloud.database_group]}
    cloud.rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot, **{**defaults, **inputs}
    )
    return cloud.wait(name)


@pytest.fixture
def target(cloud: DatabasesCloud) -> Iterator[str]:
    yield "target"
    cloud.rds.delete_db_instance(DBInstanceIdentifier="target", SkipFinalSnapshot=True)
    cloud.gone("target")


def total(cloud: DatabasesCloud, identifier: str, **options: Any) -> tuple[int, int]:
    with cloud.connect(identifier, **options) as connection:
        row = connection.execute("SELECT count(*), sum(balance) FROM accounts").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def test_a_snapshot_is_one_moment_of_its_instance(
    cloud: DatabasesCloud, snapshot: str, target: str
) -> None:
    described = restore(cloud, target, snapshot, DBInstanceClass="db.t4g.medium")
    assert total(cloud, target) == (1000, 100_000)
    assert described["DBInstanceClass"] == "db.t4g.medium"
    assert described["StorageEncrypted"] is True
    assert described["BackupRetentionPeriod"] == 7
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe(target))


def test_it_is_described_as_its_instance_was(
    cloud: DatabasesCloud, source: str, snapshot: str
) -> None:
    described, instance = available(cloud, snapshot), cloud.describe(source)
    assert described["SnapshotType"] == "manual"
    assert described["PercentProgress"] == 100
    assert described["Encrypted"] is True
    assert described["TagList"] == [{"Key": "Name", "Value": "source"}]
    for name in ("AllocatedStorage", "AvailabilityZone", "DbiResourceId", "Engine", "KmsKeyId",
                 "EngineVersion", "MasterUsername", "StorageType", "LicenseModel"):  # fmt: skip
        assert described[name] == instance[name], name


def test_every_backup_window_leaves_an_automated_snapshot(
    cloud: DatabasesCloud, source: str, target: str
) -> None:
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe(source))
    found = cloud.eventually(
        lambda: cloud.rds.describe_db_snapshots(
            DBInstanceIdentifier=source, SnapshotType="automated"
        )["DBSnapshots"]
    )
    name = found[0]["DBSnapshotIdentifier"]
    assert name.startswith("rds:source-2")
    with refused("InvalidDBSnapshotState"):
        cloud.rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    restore(cloud, target, name)
    with cloud.connect(target) as connection:
        connection.execute("CREATE TABLE its_own (id int)")


def test_a_copy_is_independent_of_its_source(
    cloud: DatabasesCloud, source: str, target: str
) -> None:
    cloud.rds.create_db_snapshot(DBInstanceIdentifier=source, DBSnapshotIdentifier="short")
    taken_at = available(cloud, "short")["SnapshotCreateTime"]
    copied = cloud.rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier="short", TargetDBSnapshotIdentifier="copied", CopyTags=True
    )["DBSnapshot"]
    assert copied["TagList"] == [{"Key": "Name", "Value": "source"}]
    cloud.rds.delete_db_snapshot(DBSnapshotIdentifier="short")
    with refused("DBSnapshotNotFound"):
        cloud.rds.describe_db_snapshots(DBSnapshotIdentifier="short")
    assert instances.taken_at(available(cloud, "copied")) == taken_at
    restore(cloud, target, "copied")
    assert total(cloud, target)[0] == 1000


def test_a_copy_in_another_region_needs_a_key_there(cloud: DatabasesCloud, snapshot: str) -> None:
    elsewhere = cloud.client_of("rds", OTHER_REGION)
    kms = cloud.client_of("kms", OTHER_REGION)
    arn = available(cloud, snapshot)["DBSnapshotArn"]
    with refused("InvalidParameterCombination", "KmsKeyId of eu-central-1"):
        elsewhere.copy_db_snapshot(
            SourceDBSnapshotIdentifier=arn,
            TargetDBSnapshotIdentifier="abroad",
            SourceRegion="eu-west-1",
        )
    key = kms.create_key()["KeyMetadata"]["Arn"]
    elsewhere.copy_db_snapshot(
        SourceDBSnapshotIdentifier=arn,
        TargetDBSnapshotIdentifier="abroad",
        SourceRegion="eu-west-1",
        KmsKeyId=key,
    )
    copied = available(cloud, "abroad", elsewhere)
    assert copied["KmsKeyId"] == key
    assert copied["SourceRegion"] == "eu-west-1"
    assert copied["SourceDBSnapshotIdentifier"] == arn
    assert copied["DBSnapshotArn"].startswith(f"arn:aws:rds:{OTHER_REGION}:")
    with refused("DBSnapshotNotFound", "copy it to eu-west-1"):
        restore(cloud, "refused", copied["DBSnapshotArn"])
    elsewhere.delete_db_snapshot(DBSnapshotIdentifier="abroad")


def test_a_snapshot_with_the_default_key_cannot_be_shared(
    cloud: DatabasesCloud, snapshot: str
) -> None:
    share = {"AttributeName": "restore", "ValuesToAdd": ["210987654321"]}
    with refused("InvalidDBSnapshotState", "default key"):
        cloud.rds.modify_db_snapshot_attribute(DBSnapshotIdentifier=snapshot, **share)
    kms = cloud.client_of("kms")
    cloud.rds.copy_db_snapshot(
        SourceDBSnapshotIdentifier=snapshot,
        TargetDBSnapshotIdentifier="shared",
        KmsKeyId=kms.create_key()["KeyMetadata"]["Arn"],
    )
    with refused("InvalidDBSnapshotState", "public"):
        cloud.rds.modify_db_snapshot_attribute(
            DBSnapshotIdentifier="shared", AttributeName="restore", ValuesToAdd=["all"]
        )
    cloud.rds.modify_db_snapshot_attribute(DBSnapshotIdentifier="shared", **share)
    attributes = cloud.rds.describe_db_snapshot_attributes(DBSnapshotIdentifier="shared")
    assert attributes["DBSnapshotAttributesResult"]["DBSnapshotAttributes"] == [
        {"AttributeName": "restore", "AttributeValues": ["210987654321"]}
    ]


def test_a_restore_refuses_what_it_cannot_do(cloud: DatabasesCloud, snapshot: str) -> None:
    for code, name, inputs in (
        ("DBSnapshotNotFound", "absent", {}),
        ("InvalidParameterValue", snapshot, {"AllocatedStorage": 19}),
        ("InvalidParameterCombination", snapshot, {"Engine": "mysql"}),
    ):
        with refused(code):
            restore(cloud, "refused", name, **inputs)


def test_a_final_snapshot_can_be_restored_under_the_same_name(
    cloud: DatabasesCloud, snapshot: str, target: str
) -> None:
    restore(cloud, target, snapshot)
    with cloud.connect(target) as connection:
        connection.execute("INSERT INTO accounts VALUES (0, 0)")
    cloud.rds.delete_db_instance(DBInstanceIdentifier=target, FinalDBSnapshotIdentifier="final")
    cloud.gone(target)
    restore(cloud, target, "final")
    assert total(cloud, target)[0] == 1001


def test_a_restored_instance_may_get_a_managed_password(
    cloud: DatabasesCloud, snapshot: str, target: str
) -> None:
    described = restore(cloud, target, snapshot, ManageMasterUserPassword=True)
    secrets = cloud.client_of("secretsmanager")
    value = secrets.get_secret_value(SecretId=described["MasterUserSecret"]["SecretArn"])
    password = json.loads(value["SecretString"])["password"]
    assert total(cloud, target, password=password)[0] == 1000
