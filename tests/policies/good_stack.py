"""A stack that every rule accepts, for tests to spoil in one place."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

from policies.catalogue import RULES
from policies.evaluation import Judge, Kind, Verdict
from policies.inventory import Resource, Stack
from policies.rules import Context, Environment, Phase
from tests.policies.good_scenes import SCENES, Entry, document

UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

TLS_STATEMENT = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::backups", "arn:aws:s3:::backups/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
MANIFEST = {
    "workload": "node_pass",
    "database": "node_pass",
    "schema": "node_pass",
    "roles": [
        {"name": "np_owner", "kind": "owner", "login": False, "member_of": [], "grants": []},
        {
            "name": "np_migrator",
            "kind": "migrator",
            "login": True,
            "member_of": ["np_owner"],
            "connection_limit": 5,
        },
        {
            "name": "np_app",
            "kind": "app",
            "login": True,
            "member_of": [],
            "connection_limit": 100,
            "grants": [
                {"object_type": "schema", "objects": ["node_pass"], "privileges": ["USAGE"]},
                {
                    "object_type": "table",
                    "schema": "node_pass",
                    "objects": ["buyers"],
                    "privileges": ["SELECT", "INSERT", "UPDATE"],
                },
                {"object_type": "sequence", "objects": ["*"], "privileges": ["USAGE", "SELECT"]},
            ],
        },
        {
            "name": "np_backup",
            "kind": "backup",
            "login": True,
            "member_of": ["pg_read_all_data"],
            "connection_limit": 10,
        },
    ],
}

PARAMETERS = {
    "ssl_min_protocol_version": "TLSv1.2",
    "password_encryption": "scram-sha-256",
    "rds.accepted_password_auth_method": "scram",
    "log_connections": "1",
    "log_disconnections": "1",
    "log_statement": "ddl",
    "log_min_duration_statement": "1000",
    "shared_preload_libraries": "pg_stat_statements,pgaudit",
    "pgaudit.log": "ddl,role,write",
    "pgaudit.role": "rds_pgaudit",
    "log_replication_commands": "1",
    "log_lock_waits": "1",
    "log_autovacuum_min_duration": "10000",
    "rds.restrict_password_commands": "1",
    "statement_timeout": "60000",
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "60000",
}

GROUP = "aws:rds/parameterGroup:ParameterGroup"
INSTANCE = "aws:rds/instance:Instance"
BUCKET = "aws:s3/bucket:Bucket"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
INVOCATION = "aws:lambda/invocation:Invocation"


METRICS = ("CPUUtilization", "FreeStorageSpace", "DatabaseConnections")
# What a primary and its replica have alike.
OBSERVED: dict[str, Any] = {
    "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
    "monitoringInterval": 15,
    "monitoringRoleArn": "arn:aws:iam::1:role/rds-monitoring",
    "performanceInsightsEnabled": True,
    "performanceInsightsKmsKeyId": "arn:aws:kms:eu-west-1:1:key/database",
    "iamDatabaseAuthenticationEnabled": True,
    "autoMinorVersionUpgrade": True,
    "copyTagsToSnapshot": True,
    "deletionProtection": True,
    "caCertIdentifier": "rds-ca-rsa2048-g1",
    "maxAllocatedStorage": 1000,
    "storageType": "gp3",
}

# name -> (type, properties, property -> names of the resources that it refers to)
GOOD: dict[str, Entry] = {
    "group": (
        GROUP,
        {
            "name": "group-1",
            "family": "postgres17",
            "parameters": [
                {"name": "rds.force_ssl", "value": "1", "applyMethod": "immediate"},
                *({"name": name, "value": value} for name, value in PARAMETERS.items()),
            ],
        },
        {},
    ),
    "db": (
        INSTANCE,
        {
            "identifier": "db-1",
            "port": 5433,
            "dbSubnetGroupName": "subnets-1",
            "availabilityZone": "eu-west-1a",
            "engine": "postgres",
            "parameterGroupName": "group-1",
            "storageEncrypted": True,
            "publiclyAccessible": False,
            "backupRetentionPeriod": 35,
            "engineVersion": "17",
            "username": "pgkeep_admin",
            "kmsKeyId": "arn:aws:kms:eu-west-1:1:key/database",
            "multiAz": True,
            "skipFinalSnapshot": False,
            "finalSnapshotIdentifier": "db-1-final",
            "deleteAutomatedBackups": False,
            **OBSERVED,
        },
        {"parameterGroupName": ["group"], "dbSubnetGroupName": ["database-subnets"]},
    ),
    "database-subnets": (
        "aws:rds/subnetGroup:SubnetGroup",
        {"name": "subnets-1", "subnetIds": [UNKNOWN_STRING]},
        {"subnetIds": ["private-subnet"]},
    ),
    "private-subnet": ("aws:ec2/subnet:Subnet", {"mapPublicIpOnLaunch": False}, {}),
    "association": (
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        {"subnetId": UNKNOWN_STRING, "routeTableId": UNKNOWN_STRING},
        {"subnetId": ["private-subnet"], "routeTableId": ["private-routes"]},
    ),
    "private-routes": ("aws:ec2/routeTable:RouteTable", {}, {}),
    "route": (
        "aws:ec2/route:Route",
        {"routeTableId": UNKNOWN_STRING, "natGatewayId": "nat-1"},
        {"routeTableId": ["private-routes"]},
    ),
    "events": (
        "aws:rds/eventSubscription:EventSubscription",
        {"snsTopic": "arn:aws:sns:eu-west-1:1:alarms", "enabled": True},
        {},
    ),
    "backup-replication": (
        "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
        {
            "sourceDbInstanceArn": "arn:aws:rds:eu-west-1:1:db:db-1",
            "kmsKeyId": "arn:aws:kms:eu-central-1:1:key/b",
        },
        {"sourceDbInstanceArn": ["db"]},
    ),
    "backup-age": (
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        {
            "namespace": "pgkeep/backup",
            "metricName": "BackupAgeHours",
            "alarmActions": ["arn:aws:sns:eu-west-1:1:alarms"],
        },
        {},
    ),
    "replica": (
        INSTANCE,
        {
            "identifier": "db-2",
            "replicateSourceDb": "db-1",
            "availabilityZone": "eu-west-1b",
            "publiclyAccessible": False,
            "backupRetentionPeriod": 35,
            **OBSERVED,
        },
        {"replicateSourceDb": ["db"]},
    ),
    **{
        f"{database}-{metric}": (
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            {
                "namespace": "AWS/RDS",
                "metricName": metric,
                "dimensions": {"DBInstanceIdentifier": identifier},
                "alarmActions": ["arn:aws:sns:eu-west-1:1:alarms"],
            },
            {"dimensions": [database]},
        )
        for database, identifier, metrics in (
            ("db", "db-1", METRICS),
            ("replica", "db-2", (*METRICS, "ReplicaLag")),
        )
        for metric in metrics
    },
    "backups": (BUCKET, {"bucket": "backups", "objectLockEnabled": True}, {}),
    "lock": (
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        {
            "bucket": "backups",
            "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 30}},
        },
        {"bucket": ["backups"]},
    ),
    "replication": (
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        {
            "bucket": "backups",
            "rules": [
                {
                    "status": "Enabled",
                    "destination": {
                        "bucket": "arn:aws:s3:::far",
                        "encryptionConfiguration": {"replicaKmsKeyId": "arn:aws:kms:a:1:key/c"},
                    },
                }
            ],
        },
        {"bucket": ["backups"]},
    ),
    "access-logs": (
        "aws:s3/bucketLogging:BucketLogging",
        {"bucket": "backups", "targetBucket": "elsewhere"},
        {"bucket": ["backups"]},
    ),
    "notification": (
        "aws:s3/bucketNotification:BucketNotification",
        {"bucket": "backups", "eventbridge": True},
        {"bucket": ["backups"]},
    ),
    "block": (
        BLOCK,
        {
            "bucket": "backups",
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
        {"bucket": ["backups"]},
    ),
    "tls": (
        BUCKET_POLICY,
        {"bucket": "backups", "policy": document(TLS_STATEMENT)},
        {"bucket": ["backups"]},
    ),
    "encryption": (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {
            "bucket": "backups",
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": "arn:aws:kms:eu-west-1:1:key/backups",
                    }
                }
            ],
        },
        {"bucket": ["backups"]},
    ),
    "versioning": (
        "aws:s3/bucketVersioning:BucketVersioning",
        {
            "bucket": "backups",
            "versioningConfiguration": {"status": "Enabled", "mfaDelete": "Enabled"},
        },
        {"bucket": ["backups"]},
    ),
    "ownership": (
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        {"bucket": "backups", "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"bucket": ["backups"]},
    ),
    "lifecycle": (
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        {
            "bucket": "backups",
            "rules": [
                {
                    "id": "abort",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "abortIncompleteMultipartUpload": {"daysAfterInitiation": 1},
                }
            ],
        },
        {"bucket": ["backups"]},
    ),
    "role": (
        ROLE,
        {
            "assumeRolePolicy": document(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ),
            "managedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccess"],
            "inlinePolicies": [
                {
                    "name": "write",
                    "policy": document(
                        {
                            "Effect": "Allow",
                            "Action": "s3:PutObject",
                            "Resource": "arn:aws:s3:::backups/*",
                        }
                    ),
                }
            ],
        },
        {},
    ),
    "permissions": (
        ROLE_POLICY,
        {
            "role": "role",
            "policy": {
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": ["secretsmanager:GetSecretValue"],
                        "Resource": ["arn:aws:secretsmanager:eu-west-1:1:secret:np-app-a1b2c3"],
                    },
                    {
                        "Effect": "Allow",
                        "Action": "cloudwatch:PutMetricData",
                        "Resource": "*",
                        "Condition": {"StringEquals": {"cloudwatch:namespace": "pgkeep"}},
                    },
                ]
            },
        },
        {},
    ),
    "roles": (
        INVOCATION,
        {"functionName": "roles", "input": json.dumps({"manifest": MANIFEST})},
        {},
    ),
}


ALL = {**GOOD, **{name: one for scene in SCENES.values() for name, one in scene.items()}}


def urn(name: str, kind: str | None = None) -> str:
    return f"urn:pulumi:prod::pgkeep::{kind or ALL[name][0]}::{name}"


def scene_of(name: str) -> dict[str, Entry]:
    """The good resources that `name` stands among."""
    return next((scene for scene in SCENES.values() if name in scene), GOOD)


def resource(name: str, /, **changes: Any) -> Resource:
    """The good resource `name` with properties changed; `None` removes one."""
    kind, properties, references = ALL[name]
    merged = {**copy.deepcopy(properties), **changes}
    dependencies = {key: [urn(target) for target in names] for key, names in references.items()}
    return Resource.of(
        type=kind,
        name=name,
        urn=urn(name),
        properties=merged,
        property_dependencies=dependencies,
        protect=True,
    )


def stack(*instead: Resource, without: tuple[str, ...] = ()) -> Stack:
    """The good stack, or the scene of the first one, with resources replaced, added, left out."""
    replaced = {one.name: one for one in instead}
    scene = scene_of(instead[0].name) if instead else GOOD
    names = [name for name in scene if name not in replaced and name not in without]
    return Stack([*(_unchanged(name) for name in names), *instead])


@functools.cache
def _unchanged(name: str) -> Resource:
    """Made once: no rule changes what it judges."""
    return resource(name)


def context(
    environment: Environment = Environment.PROD, phase: Phase = Phase.PREVIEW, **other: Any
) -> Context:
    return Context(environment=environment, phase=phase, **other)


def verdicts(*instead: Resource, without: tuple[str, ...] = (), **of_context: Any) -> list[Verdict]:
    """What all rules say about the good stack with these changes.

    A resource rule sees one resource and the context: where it said nothing of a neighbour, it is
    not asked again.
    """
    whole, seen = stack(*instead, without=without), context(**of_context)
    judge = Judge(seen, rules=RULES)
    judged = [one for one in whole.resources if one in instead or not _is_silent(one.name, seen)]
    return [said for one in judged for said in judge.resource(one)] + judge.stack(whole)


_SILENT: dict[tuple[str, str], bool] = {}


def _is_silent(name: str, seen: Context) -> bool:
    """Whether no resource rule of the catalogue says anything of the good resource `name`."""
    key = (name, repr(seen))
    if key not in _SILENT:
        _SILENT[key] = not Judge(seen).resource(_unchanged(name))
    return _SILENT[key]


def violations(
    *instead: Resource, without: tuple[str, ...] = (), **of_context: Any
) -> list[tuple[str, str]]:
    """(rule, resource) of every violation, once each."""
    found = verdicts(*instead, without=without, **of_context)
    pairs = [(v.rule.id, v.urn.rpartition("::")[2]) for v in found if v.kind is Kind.VIOLATION]
    return list(dict.fromkeys(pairs))


def notes(*instead: Resource, **of_context: Any) -> list[tuple[str, str]]:
    """(rule, resource) of everything that could not be verified before apply."""
    found = verdicts(*instead, **of_context)
    pairs = [(v.rule.id, v.urn.rpartition("::")[2]) for v in found if v.kind is Kind.NOT_VERIFIED]
    return list(dict.fromkeys(pairs))
