"""A database as a team has it before pgkeep: its VPC, its instance, its schema, its rows."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from tests.e2e.local_stack import REPOSITORY, LocalStack

NAME = "shop"
# The account that the copies of the backups go to, and its bucket.
THEM, THERE, COPIES = "210987654321", "eu-central-1", "copies-of-the-shop"
MASTER = "shop_master"
PASSWORD = "legacy-Passw0rd"
MIGRATIONS = REPOSITORY / "workloads/node_pass/migrations"
# docs/database.md, "Import": what the database needs before pgkeep's roles and migrations.
ROLES = "CREATE ROLE node_pass_owner NOLOGIN; GRANT node_pass_owner TO shop_master"
RECORD = """CREATE TABLE node_pass.pgkeep_migrations (
    name text PRIMARY KEY, sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    applied_at timestamptz NOT NULL DEFAULT now(), applied_by text NOT NULL DEFAULT session_user,
    seconds numeric NOT NULL)"""
ROWS = """INSERT INTO node_pass.buyers (license_id, wallet, tier, status)
SELECT 'OLD-' || n, '0xold', 'gold', 'active' FROM generate_series(1, 1000) n"""


class LegacyDatabase:
    """Made with boto3 on the local cloud of `local`, without Pulumi."""

    def __init__(self, local: LocalStack) -> None:
        self._local = local
        self.rds, self._ec2 = local.aws("rds"), local.aws("ec2")
        self.network = self._make_network()
        self.security_group_id = self._make_group("legacy-database")
        self.client_group_id = self._make_group("legacy-clients")
        self._ec2.authorize_security_group_ingress(
            GroupId=self.security_group_id,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 5432,
                    "ToPort": 5432,
                    "UserIdGroupPairs": [{"GroupId": self.client_group_id}],
                }
            ],
        )
        self._make_instance()
        self._fill()
        self.copies = self._make_copies()

    def _make_copies(self) -> dict[str, Any]:
        """As `backups.replication`: bucket and key, as `pgkeep backup destination` tells THEM."""
        self.their_s3, kms = (
            self._local.aws(service, region=THERE, account=THEM) for service in ("s3", "kms")
        )
        key = kms.create_key(Description="copies")["KeyMetadata"]["Arn"]
        copies = {
            "region": THERE,
            "bucket_arn": f"arn:aws:s3:::{COPIES}",
            "account_id": THEM,
            "key_arn": key,
        }
        self._local.write_config({"backups": {"replication": copies}})
        told = json.loads(self._local.pgkeep("backup", "destination", "--json"))
        create, _, _ = told["calls"]
        assert "--object-lock-enabled-for-bucket --object-ownership BucketOwnerEnforced" in create
        self.their_s3.create_bucket(
            Bucket=told["bucket"],
            CreateBucketConfiguration={"LocationConstraint": told["region"]},
            ObjectLockEnabledForBucket=True,
            ObjectOwnership="BucketOwnerEnforced",
        )
        self.their_s3.put_bucket_policy(Bucket=COPIES, Policy=json.dumps(told["bucket_policy"]))
        root = {"AWS": f"arn:aws:iam::{THEM}:root"}
        own = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [own, told["key_statement"]]}
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
        return copies

    def _make_network(self) -> dict[str, Any]:
        """The VPC as `network.existing` names it, with the endpoints that pgkeep's parts need."""
        ec2, octet = self._ec2, self._local.octet
        self.vpc_id = ec2.create_vpc(CidrBlock=f"10.{octet}.0.0/16")["Vpc"]["VpcId"]
        for name in ("EnableDnsSupport", "EnableDnsHostnames"):
            ec2.modify_vpc_attribute(VpcId=self.vpc_id, **{name: {"Value": True}})
        subnets = [
            ec2.create_subnet(
                VpcId=self.vpc_id,
                CidrBlock=f"10.{octet}.{number}.0/24",
                AvailabilityZone=f"eu-west-1{zone}",
            )["Subnet"]["SubnetId"]
            for number, zone in enumerate("ab")
        ]
        endpoints = self._make_group("legacy-endpoints")
        ec2.authorize_security_group_ingress(
            GroupId=endpoints,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 443,
                    "ToPort": 443,
                    "IpRanges": [{"CidrIp": f"10.{octet}.0.0/16"}],
                }
            ],
        )
        routes = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc_id]}])
        ec2.create_vpc_endpoint(
            VpcId=self.vpc_id,
            ServiceName="com.amazonaws.eu-west-1.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=[routes["RouteTables"][0]["RouteTableId"]],
        )
        for service in ("secretsmanager", "logs", "autoscaling", "kms"):
            ec2.create_vpc_endpoint(
                VpcId=self.vpc_id,
                ServiceName=f"com.amazonaws.eu-west-1.{service}",
                VpcEndpointType="Interface",
                PrivateDnsEnabled=True,
                SubnetIds=subnets,
                SecurityGroupIds=[endpoints],
            )
        lists = ec2.describe_prefix_lists()["PrefixLists"]
        s3 = next(found for found in lists if found["PrefixListName"].endswith(".s3"))
        tiers = ("database_subnet_ids", "host_subnet_ids", "function_subnet_ids")
        return {
            "vpc_id": self.vpc_id,
            **dict.fromkeys(tiers, subnets),
            "endpoints": {
                "security_group_id": endpoints,
                "s3_prefix_list_id": s3["PrefixListId"],
            },
        }

    def _make_group(self, name: str) -> str:
        made = self._ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc_id)
        return made["GroupId"]

    def _make_instance(self) -> None:
        rds = self.rds
        self.key_arn = self._local.aws("kms").create_key(Description="legacy")["KeyMetadata"]["Arn"]
        rds.create_db_subnet_group(
            DBSubnetGroupName="legacy-subnets",
            DBSubnetGroupDescription="legacy",
            SubnetIds=self.network["database_subnet_ids"],
        )
        rds.create_db_parameter_group(
            DBParameterGroupName="legacy-parameters",
            DBParameterGroupFamily="postgres16",
            Description="legacy",
        )
        rds.modify_db_parameter_group(
            DBParameterGroupName="legacy-parameters",
            Parameters=[
                {
                    "ParameterName": "rds.force_ssl",
                    "ParameterValue": "0",
                    "ApplyMethod": "immediate",
                }
            ],
        )
        rds.create_db_instance(
            DBInstanceIdentifier=NAME,
            Engine="postgres",
            EngineVersion="16",
            DBInstanceClass="db.t4g.small",
            AllocatedStorage=20,
            StorageType="gp2",
            DBName="node_pass",
            MasterUsername=MASTER,
            MasterUserPassword=PASSWORD,
            DBSubnetGroupName="legacy-subnets",
            DBParameterGroupName="legacy-parameters",
            VpcSecurityGroupIds=[self.security_group_id],
            StorageEncrypted=True,
            KmsKeyId=self.key_arn,
            BackupRetentionPeriod=1,
            PreferredBackupWindow="01:00-01:30",
            PreferredMaintenanceWindow="tue:02:00-tue:03:00",
            Tags=[{"Key": "team", "Value": "shop"}],
        )
        self.wait()

    def wait(self) -> None:
        """Until the instance is available."""
        deadline = time.monotonic() + 120
        while self.describe()["DBInstanceStatus"] != "available":
            assert time.monotonic() < deadline, self.describe()["DBInstanceStatus"]
            time.sleep(0.5)

    def describe(self) -> dict[str, Any]:
        """The instance as RDS shows it now."""
        return self.rds.describe_db_instances(DBInstanceIdentifier=NAME)["DBInstances"][0]

    def _fill(self) -> None:
        """The schema that the workload's migrations would make, recorded as applied, with rows."""
        statements = [ROLES, "CREATE SCHEMA node_pass AUTHORIZATION node_pass_owner"]
        statements += ["SET ROLE node_pass_owner", "SET search_path = node_pass", RECORD]
        for file in sorted(MIGRATIONS.glob("*.sql")):
            text = file.read_bytes()
            digest = hashlib.sha256(text).hexdigest()
            statements += [
                text.decode(),
                "INSERT INTO node_pass.pgkeep_migrations (name, sha256, seconds) "
                f"VALUES ('{file.name}', '{digest}', 0)",
            ]
        self.run([*statements, ROWS])

    def connection(self) -> dict[str, Any]:
        """As the legacy application connects: directly, as the master, by its own group."""
        return {
            "host": self.describe()["Endpoint"]["Address"],
            "port": 5432,
            "user": MASTER,
            "password": PASSWORD,
            "dbname": "node_pass",
            "sslmode": "verify-full",
            "sslrootcert": str(self._local.home / "rds-ca-bundle.pem"),
            "connect_timeout": 5,
        }

    def run(self, statements: list[str]) -> list[dict[str, Any]]:
        """Runs statements as the legacy application; each must succeed."""
        self._local.outputs["legacy_clients"] = self.client_group_id
        answer = self._local.query("legacy_clients", self.connection(), statements)
        assert answer["error"] is None, answer["error"]
        wrong = [result["error"] for result in answer["results"] if "error" in result]
        assert not wrong, wrong
        return answer["results"]
