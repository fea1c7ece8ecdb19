"""Another region: a replica there, automated backups replicated there and restored from there."""

import datetime
import time
from typing import Any

import psycopg
import pytest

from localcloud.databases import shipping
from localcloud.databases.backend import LocalRDSBackend
from localcloud.fabric import NetworkInterface, run_in_namespace
from pgkeep.backup import recovery_points
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import PASSWORD, DatabasesCloud, refused

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud

OTHER_REGION = "eu-central-1"


class Elsewhere:
    """The other region: a VPC of its own with a client in it, and a key."""

    def __init__(self, cloud: DatabasesCloud) -> None:
        self.cloud = cloud
        self.rds = cloud.client_of("rds", OTHER_REGION)
        ec2 = cloud.client_of("ec2", OTHER_REGION)
        kms = cloud.client_of("kms", OTHER_REGION)
        self.key = kms.create_key()["KeyMetadata"]["Arn"]
        vpc = ec2.create_vpc(CidrBlock="10.92.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(
                VpcId=vpc,
                CidrBlock=f"10.92.{number}.0/24",
                AvailabilityZone=f"{OTHER_REGION}{zone}",
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        self.clients, self.databases = (
            ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
            for name in ("clients", "databases")
        )
        ec2.authorize_security_group_ingress(
            GroupId=self.databases,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 5432,
                    "ToPort": 5432,
                    "UserIdGroupPairs": [{"GroupId": self.clients}],
                }
            ],
        )
        self.rds.create_db_subnet_group(
            DBSubnetGroupName="abroad", DBSubnetGroupDescription="abroad", SubnetIds=subnets
        )
        self.inside = self.interface("abroad", subnets[0], self.clients)
        self.outside = self.interface("stranger", subnets[0], self.databases)
        self.placed: dict[str, Any] = {
            "DBSubnetGroupName": "abroad",
            "VpcSecurityGroupIds": [self.databases],
        }

    def interface(self, name: str, subnet_id: str, group: str) -> NetworkInterface:
        return self.cloud.fabric.attach(name=name, subnet_id=subnet_id, security_group_ids=[group])

    def describe(self, identifier: str) -> dict[str, Any]:
        found = self.rds.describe_db_instances(DBInstanceIdentifier=identifier)
        return found["DBInstances"][0]

    def wait(self, identifier: str, status: str = "available") -> dict[str, Any]:
        return self.cloud.eventually(
            lambda: (d := self.describe(identifier))["DBInstanceStatus"] == status and d, 60
        )

    def rows(self, identifier: str, client: NetworkInterface | None = None) -> list[int]:
        endpoint = self.describe(identifier)["Endpoint"]
        connection = run_in_namespace(
            (client or self.inside).namespace_path,
            lambda: psycopg.connect(
                host=endpoint["Address"],
                hostaddr=self.cloud.address(endpoint["Address"]),
                port=endpoint["Port"],
                dbname="shop",
                user="master",
                password=PASSWORD,
                sslmode="verify-full",
                sslrootcert=str(self.cloud.home.rds_ca_bundle),
                connect_timeout=3,
            ),
        )
        with connection:
            rows = connection.execute("SELECT id FROM buyers ORDER BY id").fetchall()
        return [int(row[0]) for row in rows]


@pytest.fixture(scope="module")
def source(cloud: DatabasesCloud) -> str:
    """ARN of an encrypted instance with backups."""
    cloud.create_instance("source", StorageEncrypted=True)
    cloud.wait("source")
    with cloud.connect("source") as connection:
        connection.execute("CREATE TABLE buyers (id int PRIMARY KEY)")
        connection.execute("INSERT INTO buyers VALUES (1)")
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe("source"))
    return cloud.describe("source")["DBInstanceArn"]


@pytest.fixture(scope="module")
def elsewhere(cloud: DatabasesCloud) -> Elsewhere:
    return Elsewhere(cloud)


def insert(cloud: DatabasesCloud, number: int) -> datetime.datetime:
    """Insert a row and return a later moment."""
    with cloud.connect("source") as connection:
        connection.execute("INSERT INTO buyers VALUES (%s)", [number])
    moment = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    time.sleep(1.1)
    return moment + datetime.timedelta(seconds=1)


def test_a_replica_in_another_region(
    cloud: DatabasesCloud, source: str, elsewhere: Elsewhere
) -> None:
    request = {
        "DBInstanceIdentifier": "source",  # the name is free in that region
        "SourceDBInstanceIdentifier": source,
        "SourceRegion": "eu-west-1",
        **elsewhere.placed,
    }
    with refused("InvalidParameterValue", "specify a KmsKeyId of eu-central-1"):
        elsewhere.rds.create_db_instance_read_replica(**request)
    elsewhere.rds.create_db_instance_read_replica(**request, KmsKeyId=elsewhere.key)
    described = elsewhere.wait("source")
    assert described["ReadReplicaSourceDBInstanceIdentifier"] == source
    assert described["KmsKeyId"] == elsewhere.key
    assert described["AvailabilityZone"].startswith(OTHER_REGION)
    assert described["Endpoint"]["Address"].endswith(f"{OTHER_REGION}.rds.amazonaws.com")
    assert cloud.describe("source")["ReadReplicaDBInstanceIdentifiers"] == [
        described["DBInstanceArn"]
    ]
    insert(cloud, 2)
    cloud.eventually(lambda: elsewhere.rows("source") == [1, 2])
    with pytest.raises(psycopg.OperationalError, match="timeout"):
        elsewhere.rows("source", elsewhere.outside)


def test_it_is_promoted_and_goes_its_own_way(
    cloud: DatabasesCloud, source: str, elsewhere: Elsewhere
) -> None:
    elsewhere.rds.promote_read_replica(DBInstanceIdentifier="source", BackupRetentionPeriod=5)
    described = elsewhere.wait("source")
    assert described["BackupRetentionPeriod"] == 5
    assert cloud.describe("source")["ReadReplicaDBInstanceIdentifiers"] == []
    insert(cloud, 3)
    assert elsewhere.rows("source") == [1, 2]
    cloud.eventually(lambda: "LatestRestorableTime" in elsewhere.describe("source"))
    elsewhere.rds.delete_db_instance(DBInstanceIdentifier="source", SkipFinalSnapshot=True)
    cloud.eventually(lambda: not elsewhere.rds.describe_db_instances()["DBInstances"])
    assert cloud.describe("source")["DBInstanceStatus"] == "available"


def test_backups_are_replicated_and_outlive_their_source(
    cloud: DatabasesCloud, source: str, elsewhere: Elsewhere
) -> None:
    with refused("InvalidParameterValue", "KmsKeyId"):
        elsewhere.rds.start_db_instance_automated_backups_replication(SourceDBInstanceArn=source)
    with refused("InvalidParameterValue", "another Region"):
        cloud.rds.start_db_instance_automated_backups_replication(SourceDBInstanceArn=source)
    started = elsewhere.rds.start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=source, KmsKeyId=elsewhere.key, BackupRetentionPeriod=3
    )["DBInstanceAutomatedBackup"]
    assert started["Status"] == "replicating"
    arn = started["DBInstanceAutomatedBackupsArn"]
    assert arn.startswith(f"arn:aws:rds:{OTHER_REGION}:")
    moment = insert(cloud, 4)
    insert(cloud, 5)
    shipping.ship_now(cloud.node("source"))
    (backup,) = elsewhere.rds.describe_db_instance_automated_backups(
        DBInstanceAutomatedBackupsArn=arn
    )["DBInstanceAutomatedBackups"]
    assert backup["RestoreWindow"]["LatestTime"] == cloud.describe("source")["LatestRestorableTime"]
    assert backup["KmsKeyId"] == elsewhere.key
    assert backup["BackupRetentionPeriod"] == 3
    assert recovery_points.replications(cloud.rds, "source") == {OTHER_REGION: arn}
    now = backup["RestoreWindow"]["LatestTime"] + datetime.timedelta(minutes=2)
    (point,) = recovery_points.of_replication(elsewhere.rds, arn, OTHER_REGION, {}, now)
    assert (point.kind, point.id, point.rpo_seconds) == ("point-in-time copy", arn, 120)
    assert point.since == backup["RestoreWindow"]["EarliestTime"]
    since = f"{point.since:%Y-%m-%d %H:%M:%S} UTC"
    assert point.note == f"in {OTHER_REGION}, any moment since {since}"
    with refused("InvalidDBInstanceAutomatedBackupState"):
        elsewhere.rds.start_db_instance_automated_backups_replication(
            SourceDBInstanceArn=source, KmsKeyId=elsewhere.key
        )
    cloud.rds.delete_db_instance(DBInstanceIdentifier="source", SkipFinalSnapshot=True)
    cloud.gone("source")
    (backup,) = elsewhere.rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    assert backup["Status"] == "retained"
    elsewhere.rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceAutomatedBackupsArn=arn,
        TargetDBInstanceIdentifier="restored",
        RestoreTime=moment,
        **elsewhere.placed,
    )
    described = elsewhere.wait("restored")
    assert described["KmsKeyId"] == elsewhere.key
    assert elsewhere.rows("restored") == [1, 2, 3, 4]
    elsewhere.rds.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=arn)
    elsewhere.rds.delete_db_instance(DBInstanceIdentifier="restored", SkipFinalSnapshot=True)
    cloud.eventually(lambda: not elsewhere.rds.describe_db_instances()["DBInstances"])
    assert not LocalRDSBackend.plane.nodes()
    assert list((cloud.home.databases / ".automated").iterdir()) == []
