"""aws-native: what each property becomes in the provider aws."""

from __future__ import annotations

from typing import Any

import pytest

from policies.native_types import TRANSLATIONS
from policies.values import UNKNOWN
from tests.policies.native_resources import by_type, native
from tests.policies.one_rule import UNKNOWN as UNKNOWN_TEXT


def test_a_group_without_outgoing_rules_lets_everything_out() -> None:
    own = "EC2's own, in a group without egress rules"
    world = [{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"], "description": own}]
    for properties in ({}, {"securityGroupEgress": []}):
        (group,) = native("ec2:SecurityGroup", properties)
        assert group.get("egress") == world
    (group,) = native("ec2:SecurityGroup", {"securityGroupEgress": [UNKNOWN_TEXT]})
    assert group.get("egress") == [UNKNOWN]
    # AWS refuses a rule without a source; until then it is the widest.
    (group,) = native("ec2:SecurityGroup", {"securityGroupIngress": [{"ipProtocol": "tcp"}]})
    assert group.get("ingress") == [{"protocol": "tcp", "cidrBlocks": ["0.0.0.0/0"]}]
    listed = [
        *({"cidrIpv6": "::/0"}, {"sourcePrefixListId": "pl-1"}),
        *({"sourceSecurityGroupId": "sg-1"}, {"destinationSecurityGroupId": "sg-2"}, "odd"),
    ]
    (group,) = native("ec2:SecurityGroup", {"securityGroupIngress": listed})
    assert group.get("ingress") == [
        {"protocol": None, "ipv6CidrBlocks": ["::/0"]},
        {"protocol": None, "prefixListIds": ["pl-1"]},
        {"protocol": None, "securityGroups": ["sg-1"]},
        {"protocol": None, "securityGroups": ["sg-2"]},
        "odd",
    ]


def test_an_instance_of_a_cluster_is_one() -> None:
    (one,) = native("rds:DbInstance", {"dbClusterIdentifier": "c", "publiclyAccessible": True})
    assert one.type == "aws:rds/clusterInstance:ClusterInstance"
    assert one.properties == {"clusterIdentifier": "c", "publiclyAccessible": True}
    (one,) = native("rds:DbInstance", {"dbClusterIdentifier": ""})
    assert one.type == "aws:rds/instance:Instance"


def test_a_bucket_is_several_resources() -> None:
    parts = native(
        "s3:Bucket",
        {
            "bucketName": "b",
            "accessControl": "BucketOwnerFullControl",
            "loggingConfiguration": {"logFilePrefix": "log/"},
            "notificationConfiguration": {
                "eventBridgeConfiguration": {},
                "topicConfigurations": [{"topic": "t"}],
            },
            "lifecycleConfiguration": {
                "rules": [
                    {
                        **{"id": "1", "status": "Enabled", "tagFilters": [{"key": "a"}]},
                        **{"expirationInDays": 3, "noncurrentVersionExpirationInDays": 4},
                    },
                    {"noncurrentVersionExpiration": {"noncurrentDays": 5}, "prefix": ""},
                    {"expirationDate": "2030-01-01", "objectSizeLessThan": "5"},
                    "odd",
                ]
            },
            "versioningConfiguration": {},
            "ownershipControls": {"rules": []},
            "objectLockConfiguration": UNKNOWN_TEXT,
            "replicationConfiguration": 5,
            "tags": [{"key": "a", "value": "b"}],
        },
    )
    assert {one.urn for one in parts} == {parts[0].urn}
    own = {"bucket": "b"}
    assert by_type(parts) == {
        "Bucket": {"bucket": "b", "tags": {"a": "b"}},
        "BucketAcl": {"acl": "bucket-owner-full-control", **own},
        "BucketLogging": {"targetPrefix": "log/", "targetBucket": "b", **own},
        "BucketNotification": {"eventbridge": True, "topics": [{"topic": "t"}], **own},
        "BucketLifecycleConfiguration": {
            "rules": [
                {
                    **{"id": "1", "status": "Enabled", "filter": {"tagFilters": [{"key": "a"}]}},
                    "expiration": {"days": 3},
                    "noncurrentVersionExpiration": {"noncurrentDays": 4},
                },
                {"noncurrentVersionExpiration": {"noncurrentDays": 5}},
                {"filter": {"objectSizeLessThan": "5"}, "expiration": {"date": "2030-01-01"}},
                "odd",
            ],
            **own,
        },
        "BucketVersioning": {"versioningConfiguration": {}, **own},
        "BucketOwnershipControls": {"rule": [], **own},
        "BucketObjectLockConfiguration": {"objectLockEnabled": UNKNOWN, "rule": UNKNOWN, **own},
        "BucketReplicationConfig": {"role": 5, "rules": 5, **own},
    }


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"eventBridgeConfiguration": {"eventBridgeEnabled": False}}, None),
        ({}, None),
        ({"eventBridgeConfiguration": UNKNOWN_TEXT}, {"eventbridge": UNKNOWN}),
        ({"queueConfigurations": [1]}, {"queues": [1]}),
        (UNKNOWN_TEXT, {"lambdaFunctions": UNKNOWN}),
    ],
    ids=str,
)
def test_notifications_of_a_bucket(configuration: Any, expected: dict[str, Any] | None) -> None:
    parts = by_type(
        native("s3:Bucket", {"bucketName": "b", "notificationConfiguration": configuration})
    )
    wanted = None if expected is None else {**expected, "bucket": "b"}
    assert parts.get("BucketNotification") == wanted


def test_documents_attachments_and_logins() -> None:
    role = by_type(
        native("iam:Role", {"policies": [{"policyName": "p", "policyDocument": {"a": 1}}]})
    )
    assert role == {"Role": {"inlinePolicies": [{"name": "p", "policy": {"a": 1}}]}}
    policy = native("iam:ManagedPolicy", {"roles": ["r"], "users": ["u"], "groups": ["g", "h"]})
    assert [(one.type.rpartition(":")[2], dict(one.properties)) for one in policy] == [
        ("Policy", {}),
        ("RolePolicyAttachment", {"role": "r", "policyArn": UNKNOWN}),
        ("UserPolicyAttachment", {"user": "u", "policyArn": UNKNOWN}),
        ("GroupPolicyAttachment", {"group": "g", "policyArn": UNKNOWN}),
        ("GroupPolicyAttachment", {"group": "h", "policyArn": UNKNOWN}),
    ]
    user = native(
        "iam:User",
        {
            "userName": "u",
            "loginProfile": {"password": "x"},
            "managedPolicyArns": "odd",
            "policies": [{"policyName": "p", "policyDocument": "d"}, 5],
        },
    )
    assert [(one.type.rpartition(":")[2], dict(one.properties)) for one in user] == [
        ("User", {"name": "u"}),
        ("UserLoginProfile", {"user": "u"}),
        ("UserPolicyAttachment", {"policyArn": "odd", "user": "u"}),
        ("UserPolicy", {"name": "p", "policy": "d", "user": "u"}),
        ("UserPolicy", {"name": 5, "policy": 5, "user": "u"}),
    ]
    group = native("iam:Group", {"groupName": "g", "policies": "odd"})
    assert dict(group[1].properties) == {"name": "odd", "policy": "odd", "group": "g"}
    topics = native("sns:TopicPolicy", {"topics": ["a", "b"], "policyDocument": {"p": 1}})
    assert [dict(one.properties) for one in topics] == [
        {"arn": "a", "policy": {"p": 1}},
        {"arn": "b", "policy": {"p": 1}},
    ]
    assert len(native("sns:TopicPolicy", {"topics": UNKNOWN_TEXT})) == 1


def test_secrets_and_backups() -> None:
    secret = native(
        "secretsmanager:Secret",
        {"secretString": "s", "generateSecretString": {"secretStringTemplate": "t"}},
        {"id": "arn:secret"},
    )
    assert [dict(one.properties) for one in secret] == [
        {},
        {"secretString": "s", "secretId": "arn:secret"},
        {"secretString": "t", "secretId": "arn:secret"},
    ]
    assert (
        len(native("secretsmanager:Secret", {"generateSecretString": {"passwordLength": 9}})) == 1
    )
    odd = native("secretsmanager:Secret", {"generateSecretString": 5})
    assert odd[1].get("secretString") == 5
    rule = {
        **{"ruleName": "r", "targetBackupVault": "v", "scheduleExpression": "cron(0 1 * * ? *)"},
        "lifecycle": {"deleteAfterDays": 35, "moveToColdStorageAfterDays": 5},
        "copyActions": [{"destinationBackupVaultArn": "arn", "lifecycle": UNKNOWN_TEXT}, 5],
    }
    plan = native("backup:BackupPlan", {"backupPlan": {"backupPlanRule": [rule, 5]}})
    assert plan[0].properties == {
        "rules": [
            {
                **{"ruleName": "r", "targetVaultName": "v", "schedule": "cron(0 1 * * ? *)"},
                "lifecycle": {"deleteAfter": 35, "coldStorageAfter": 5},
                "copyActions": [{"destinationVaultArn": "arn", "lifecycle": UNKNOWN}, 5],
            },
            5,
        ]
    }
    selection = {
        **{"selectionName": "s", "iamRoleArn": "r", "resources": ["x"]},
        "listOfTags": [{"conditionKey": "k", "conditionType": "STRINGEQUALS", "conditionValue": 1}],
    }
    taken = native("backup:BackupSelection", {"backupPlanId": "p", "backupSelection": selection})
    assert taken[0].properties == {
        **{"planId": "p", "name": "s", "iamRoleArn": "r", "resources": ["x"]},
        "selectionTags": [{"key": "k", "type": "STRINGEQUALS", "value": 1}],
    }
    for conditions, expected in (
        (
            {"StringLike": [{"ConditionKey": "k", "ConditionValue": "v*"}]},
            {"stringLikes": [{"key": "k", "value": "v*"}]},
        ),
        (
            {"stringNotLike": [{"conditionKey": "k", "conditionValue": "v"}], "other": 5},
            {"stringNotLikes": [{"key": "k", "value": "v"}], "other": 5},
        ),
        ("x", "x"),
        (UNKNOWN_TEXT, UNKNOWN),
    ):
        given = {"backupSelection": {"conditions": conditions}}
        assert native("backup:BackupSelection", given)[0].properties == {"conditions": expected}
    copied = native(
        "rds:DbInstance",
        {"automaticBackupReplicationRegion": "eu-central-1"},
        {"dbInstanceArn": "arn:db"},
    )
    assert copied[1].properties == {"sourceDbInstanceArn": "arn:db"}
    keyed = {"automaticBackupReplicationKmsKeyId": "k", "automaticBackupReplicationRegion": "r"}
    assert native("rds:DbInstance", keyed)[1].get("kmsKeyId") == "k"


def test_odd_values_stay_odd() -> None:
    for kind, properties, expected in (
        ("rds:DbParameterGroup", {"parameters": [1]}, {"parameters": [1]}),
        ("sns:Topic", {"tags": "x"}, {"tags": "x"}),
        ("sns:Topic", {"tags": [5]}, {"tags": [5]}),
        ("sns:Topic", {"tags": [UNKNOWN_TEXT]}, {"tags": UNKNOWN}),
        ("sns:Topic", {"tags": [{"key": UNKNOWN_TEXT}]}, {"tags": UNKNOWN}),
        ("iam:Role", {"policies": 5}, {"inlinePolicies": 5}),
        ("iam:Role", {"policies": [5]}, {"inlinePolicies": [5]}),
        ("backup:BackupPlan", {"backupPlan": 5}, {"name": 5, "rules": 5}),
        ("lambda:Function", {"code": {"s3Key": UNKNOWN_TEXT}}, {"s3Key": UNKNOWN}),
        (
            "rds:DbCluster",
            {"masterUserSecret": {"kmsKeyId": "k"}},
            {"masterUserSecretKmsKeyId": "k"},
        ),
        ("rds:DbCluster", {"masterUserSecret": 5}, {"masterUserSecretKmsKeyId": 5}),
    ):
        fixed = TRANSLATIONS[f"aws-native:{kind}"].fixed
        assert native(kind, properties)[0].properties == {**expected, **fixed}
    acl = native("s3:Bucket", {"accessControl": 5})
    assert acl[1].get("acl") == 5
