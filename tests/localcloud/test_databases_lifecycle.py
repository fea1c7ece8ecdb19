"""Modify, snapshot and delete; every input is read back; nothing stays behind."""

import subprocess
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from localcloud.databases.engine import unmount_below
from localcloud.image import postgresql_16
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import PASSWORD, DatabasesCloud

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud

INPUTS: dict[str, Any] = {
    "AllocatedStorage": 400,
    "StorageType": "gp3",
    "Iops": 12000,
    "StorageThroughput": 500,
    "MaxAllocatedStorage": 1000,
    "StorageEncrypted": True,
    "MultiAZ": True,
    "PreferredBackupWindow": "01:00-01:30",
    "PreferredMaintenanceWindow": "sun:03:00-sun:04:00",
    "CopyTagsToSnapshot": True,
    "DeletionProtection": True,
    "MonitoringInterval": 60,
    "MonitoringRoleArn": "arn:aws:iam::123456789012:role/monitoring",
    "EnableIAMDatabaseAuthentication": True,
    "EnablePerformanceInsights": True,
    "PerformanceInsightsRetentionPeriod": 31,
    "PerformanceInsightsKMSKeyId": "arn:aws:kms:eu-west-1:123456789012:key/pi",
    "DatabaseInsightsMode": "standard",
    "EnableCloudwatchLogsExports": ["postgresql", "upgrade"],
    "AutoMinorVersionUpgrade": True,
    "CACertificateIdentifier": "rds-ca-ecc384-g1",
    "NetworkType": "IPV4",
    "EngineLifecycleSupport": "open-source-rds-extended-support-disabled",
    "Tags": [{"Key": "Name", "Value": "full"}],
    "PubliclyAccessible": False,
    "Port": 5433,
}
RENAMED = {
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
    "EnableCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
    "Tags": "TagList",
}


@pytest.fixture(scope="module")
def full(cloud: DatabasesCloud) -> str:
    cloud.create_instance("full", **INPUTS)
    cloud.wait("full")
    return "full"


def test_every_input_is_read_back(cloud: DatabasesCloud, full: str) -> None:
    described = cloud.describe(full)
    assert described["Endpoint"]["Port"] == INPUTS["Port"]
    expected = {RENAMED.get(name, name): value for name, value in INPUTS.items() if name != "Port"}
    assert {name: described.get(name) for name in expected} == expected
    assert described["SecondaryAvailabilityZone"] == "eu-west-1b"
    assert described["CertificateDetails"]["CAIdentifier"] == INPUTS["CACertificateIdentifier"]
    assert described["KmsKeyId"].startswith("arn:aws:kms:")
    assert described["LicenseModel"] == "postgresql-license"
    with cloud.connect(full):
        pass


def test_changes_are_read_back(cloud: DatabasesCloud, full: str) -> None:
    cloud.rds.modify_db_instance(
        DBInstanceIdentifier=full,
        ApplyImmediately=True,
        BackupRetentionPeriod=14,
        DBInstanceClass="db.t4g.medium",
        DBPortNumber=5432,
        EnablePerformanceInsights=False,
        CloudwatchLogsExportConfiguration={"DisableLogTypes": ["upgrade"]},
        DeletionProtection=False,
    )
    assert cloud.describe(full)["DBInstanceStatus"] == "modifying"
    described = cloud.wait(full)
    assert described["BackupRetentionPeriod"] == 14
    assert described["DBInstanceClass"] == "db.t4g.medium"
    assert described["PerformanceInsightsEnabled"] is False
    assert described["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert described["Endpoint"]["Port"] == 5432
    with cloud.connect(full) as connection:
        row = connection.execute("SHOW max_connections").fetchone()
    assert row == ("450",)


def test_a_change_may_wait_for_the_maintenance_window(cloud: DatabasesCloud, full: str) -> None:
    cloud.rds.modify_db_instance(DBInstanceIdentifier=full, DBInstanceClass="db.t4g.large")
    described = cloud.wait(full)
    assert described["DBInstanceClass"] == "db.t4g.medium"
    assert described["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.large"}
    cloud.rds.modify_db_instance(
        DBInstanceIdentifier=full, DBInstanceClass="db.t4g.medium", ApplyImmediately=True
    )
    assert cloud.wait(full)["PendingModifiedValues"] == {}


def test_other_security_groups_are_enforced_at_once(cloud: DatabasesCloud, full: str) -> None:
    def change(group: str) -> None:
        cloud.rds.modify_db_instance(DBInstanceIdentifier=full, VpcSecurityGroupIds=[group])
        cloud.wait(full)

    change(cloud.client_group)
    with (
        pytest.raises(psycopg.OperationalError, match="timeout"),
        cloud.connect(full, connect_timeout=2),
    ):
        pass
    change(cloud.database_group)
    with cloud.connect(full):
        pass


def test_a_snapshot_holds_the_data(cloud: DatabasesCloud, full: str) -> None:
    with pytest.raises(ClientError, match="Invalid snapshot identifier"):
        cloud.rds.create_db_snapshot(DBInstanceIdentifier=full, DBSnapshotIdentifier="1x")
    cloud.rds.create_db_snapshot(DBInstanceIdentifier=full, DBSnapshotIdentifier="manual")

    def available() -> bool:
        found = cloud.rds.describe_db_snapshots(DBSnapshotIdentifier="manual")["DBSnapshots"]
        return found[0]["Status"] == "available"

    cloud.eventually(available)
    folder = cloud.home.databases / ".snapshots" / "manual"
    assert (folder / "backup_manifest").exists()
    cloud.rds.delete_db_snapshot(DBSnapshotIdentifier="manual")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"Engine": "mysql"}, "runs postgres only"),
        ({"EngineVersion": "15"}, "Cannot find version 15 for postgres"),
        ({"DBInstanceClass": "db.t9.huge"}, "Invalid DB Instance class: db.t9.huge"),
        ({"MasterUsername": "rdsadmin"}, "reserved word"),
        ({"MasterUserPassword": "short"}, "shorter than 8 characters"),
        ({"MasterUserPassword": "with/slash-and-more"}, "Only printable ASCII"),
        ({"AllocatedStorage": 5}, "Invalid storage size"),
        ({"AllocatedStorage": 100, "Iops": 5000}, "storage size less than 400"),
        ({"BackupRetentionPeriod": 36}, "Must be between 0 and 35"),
        ({"DBName": "1shop"}, "DBName 1shop cannot be used"),
        ({"DBParameterGroupName": "absent"}, "DBParameterGroup not found: absent"),
        ({"DBSubnetGroupName": "absent"}, "Subnet Group absent not found"),
        ({"VpcSecurityGroupIds": ["sg-absent"]}, "Invalid security group"),
        ({"CACertificateIdentifier": "rds-ca-2019"}, "Certificate not found: rds-ca-2019"),
        ({"MultiAZ": True, "AvailabilityZone": "eu-west-1a"}, "not valid for Multi-AZ"),
        ({"MonitoringInterval": 60}, "MonitoringRoleARN value is required"),
        ({"DBInstanceIdentifier": "full"}, "already exists"),
    ],
)
def test_what_rds_refuses(
    cloud: DatabasesCloud, full: str, inputs: dict[str, Any], message: str
) -> None:
    inputs = dict(inputs)
    identifier = inputs.pop("DBInstanceIdentifier", "refused")
    with pytest.raises(ClientError, match=message):
        cloud.create_instance(identifier, **inputs)
    names = [i["DBInstanceIdentifier"] for i in cloud.rds.describe_db_instances()["DBInstances"]]
    assert "refused" not in names


def test_what_is_not_emulated_is_refused(cloud: DatabasesCloud, full: str) -> None:
    with pytest.raises(ClientError, match="StopDBInstance is not emulated"):
        cloud.rds.stop_db_instance(DBInstanceIdentifier=full)


def test_a_managed_password_is_the_servers(cloud: DatabasesCloud) -> None:
    import json

    import boto3

    cloud.create_instance(
        "managed", MasterUserPassword=None, ManageMasterUserPassword=True, BackupRetentionPeriod=0
    )
    secret_arn = cloud.wait("managed")["MasterUserSecret"]["SecretArn"]
    secrets = boto3.client("secretsmanager", **cloud.arguments)
    value = json.loads(secrets.get_secret_value(SecretId=secret_arn)["SecretString"])
    assert value["password"] != PASSWORD
    with cloud.connect("managed", password=value["password"]):
        pass


def test_what_rds_offers(cloud: DatabasesCloud) -> None:
    (version,) = cloud.rds.describe_db_engine_versions(Engine="postgres", EngineVersion="17")[
        "DBEngineVersions"
    ]
    assert version["EngineVersion"].startswith("17.")
    assert version["DBParameterGroupFamily"] == "postgres17"
    assert version["ValidUpgradeTarget"] == []
    (earlier,) = cloud.rds.describe_db_engine_versions(
        Engine="postgres", DBParameterGroupFamily="postgres16"
    )["DBEngineVersions"]
    (target,) = earlier["ValidUpgradeTarget"]
    assert target["IsMajorVersionUpgrade"]
    assert (earlier["EngineVersion"], target["EngineVersion"]) == (
        postgresql_16.VERSION,
        version["EngineVersion"],
    )
    certificates = cloud.rds.describe_certificates()
    assert certificates["DefaultCertificateForNewLaunches"] == "rds-ca-rsa2048-g1"
    assert len(certificates["Certificates"]) == 3
    options = cloud.rds.describe_orderable_db_instance_options(
        Engine="postgres", DBInstanceClass="db.m7g.large"
    )["OrderableDBInstanceOptions"]
    assert {option["StorageType"] for option in options} >= {"gp3", "io2"}


def test_deletion_protection_and_the_final_snapshot(cloud: DatabasesCloud, full: str) -> None:
    cloud.rds.modify_db_instance(DBInstanceIdentifier=full, DeletionProtection=True)
    cloud.wait(full)
    with pytest.raises(ClientError, match="Cannot delete protected DB Instance"):
        cloud.rds.delete_db_instance(DBInstanceIdentifier=full, SkipFinalSnapshot=True)
    cloud.rds.modify_db_instance(DBInstanceIdentifier=full, DeletionProtection=False)
    cloud.wait(full)
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier is required"):
        cloud.rds.delete_db_instance(DBInstanceIdentifier=full)
    address = cloud.describe(full)["Endpoint"]["Address"]
    deleting = cloud.rds.delete_db_instance(
        DBInstanceIdentifier=full, FinalDBSnapshotIdentifier="final"
    )["DBInstance"]
    assert deleting["DBInstanceStatus"] == "deleting"
    cloud.gone(full)
    (final,) = cloud.rds.describe_db_snapshots(DBSnapshotIdentifier="final")["DBSnapshots"]
    assert final["Status"] == "available"
    assert (cloud.home.databases / ".snapshots/final/backup_manifest").exists()
    assert not (cloud.home.databases / full).exists()
    assert cloud.fabric.records.find(address) is None
    # The name is free again.
    cloud.create_instance(full)
    cloud.wait(full)


def test_a_changed_subnet_group_stays(cloud: DatabasesCloud) -> None:
    name = {"DBSubnetGroupName": "changing"}
    cloud.rds.create_db_subnet_group(
        **name, DBSubnetGroupDescription="first", SubnetIds=cloud.subnet_ids
    )
    for description in ("second", "third"):
        cloud.rds.modify_db_subnet_group(
            **name, DBSubnetGroupDescription=description, SubnetIds=cloud.subnet_ids[::-1]
        )
        (group,) = cloud.rds.describe_db_subnet_groups(**name)["DBSubnetGroups"]
        assert group["DBSubnetGroupDescription"] == description
        assert [s["SubnetIdentifier"] for s in group["Subnets"]] == cloud.subnet_ids[::-1]
    cloud.rds.delete_db_subnet_group(**name)
    with pytest.raises(cloud.rds.exceptions.DBSubnetGroupNotFoundFault):
        cloud.rds.modify_db_subnet_group(**name, SubnetIds=cloud.subnet_ids)


def test_no_process_mount_or_namespace_stays(cloud: DatabasesCloud) -> None:
    names = [i["DBInstanceIdentifier"] for i in cloud.rds.describe_db_instances()["DBInstances"]]
    for name in names:
        cloud.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    for name in names:
        cloud.gone(name)
    mounts = subprocess.run(["mount"], capture_output=True, text=True, check=True).stdout
    assert str(cloud.home.path) not in mounts
    listed = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert f"{cloud.home.prefix}-db-" not in listed
    unmount_below(cloud.home.databases)  # Nothing to do is no error.
