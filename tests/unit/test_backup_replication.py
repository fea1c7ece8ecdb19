"""Copies of the backups in another region or account."""

from __future__ import annotations

from typing import Any

from components import copies_destination
from components.deployment import Deployment
from stacks.settings import load
from tests.unit.changed_settings import changed
from tests.unit.conftest import Deployed
from tests.unit.recorder import ACCOUNT, deploy
from tests.unit.test_backup_settings import ELSEWHERE
from tests.unit.test_backup_storage import (
    ABANDONED,
    HANDOVER,
    KEY,
    class_rules,
    deny,
    encryption,
    inputs_of_bucket,
    inventory,
    leftovers,
    name,
    only_key,
    permanent,
    records,
    transport,
)
from tests.unit.test_network import tags

COPIES = name("prod", "copies", "eu-central-1")
COPIES_KEY = "arn:aws:kms:eu-west-1:123456789012:key/backups-copies-key"
THERE = {"region": "eu-central-1"}


def rule(bucket: str, key: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "copy-backups",
        "priority": 1,
        "status": "Enabled",
        "filter": {"prefix": ""},
        "deleteMarkerReplication": {"status": "Disabled"},
        "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": "Enabled"}},
        "destination": {
            "bucket": bucket,
            "storageClass": "STANDARD_IA",
            "encryptionConfiguration": {"replicaKmsKeyId": key},
            "metrics": {"status": "Enabled"},
            **more,
        },
    }


def role_statements(bucket: str, key: str, *more: str) -> list[dict[str, Any]]:
    source = f"arn:aws:s3:::{name('prod')}"

    def allow(sid: str, actions: list[str], resource: str, **more: Any) -> dict[str, Any]:
        return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": [resource], **more}

    def through(region: str, bucket: str) -> dict[str, Any]:
        return {
            "StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"},
            "ArnLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]},
        }

    return [
        allow("ReadRule", ["s3:GetReplicationConfiguration", "s3:ListBucket"], source),
        allow(
            "ReadBackups",
            [
                "s3:GetObjectLegalHold",
                "s3:GetObjectRetention",
                "s3:GetObjectVersionAcl",
                "s3:GetObjectVersionForReplication",
                "s3:GetObjectVersionTagging",
            ],
            f"{source}/*",
        ),
        allow("WriteCopies", ["s3:ReplicateObject", "s3:ReplicateTags", *more], f"{bucket}/*"),
        allow("ReadBackupsKey", ["kms:Decrypt"], KEY, Condition=through("eu-west-1", source)),
        allow(
            "WriteCopiesKey",
            ["kms:Encrypt", "kms:GenerateDataKey"],
            key,
            Condition=through("eu-central-1", bucket),
        ),
    ]


def test_prod_is_copied_to_a_guarded_bucket_of_another_region(deployed: Deployed) -> None:
    recorder, arn = deployed("prod"), f"arn:aws:s3:::{COPIES}"
    assert recorder.inputs("backups-copies-bucket") == {
        "bucket": COPIES,
        "forceDestroy": False,
        "objectLockEnabled": True,
        "tags": tags("prod", COPIES),
        **THERE,
    }
    inputs_of_bucket(recorder, "backups-copies", **THERE)
    assert recorder.inputs("backups-copies-encryption") == {
        "bucket": COPIES,
        "rules": encryption(COPIES_KEY),
        **THERE,
    }
    assert recorder.inputs("backups-copies-object-lock") == {
        "bucket": COPIES,
        "objectLockEnabled": "Enabled",
        "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 30}},
        **THERE,
    }
    # Copies are written to their storage class at once, and kept as long as the originals.
    assert recorder.inputs("backups-copies-lifecycle") == {
        "bucket": COPIES,
        "rules": [
            *class_rules("daily", 30),
            *class_rules("weekly", 84),
            *class_rules("monthly", 365),
            *class_rules("manual", 90),
            ABANDONED,
            HANDOVER,
            *leftovers("prod"),
        ],
        **THERE,
    }
    assert recorder.document("backups-copies-policy")["Statement"] == [
        *transport(arn),
        *only_key(arn, COPIES_KEY),
        permanent(arn),
        deny("DenyWrites", "s3:PutObject", f"{arn}/*"),
    ]


def test_the_copies_have_records_of_their_own_in_their_region(deployed: Deployed) -> None:
    recorder, logs = deployed("prod"), name("prod", "copy-logs", "eu-central-1")
    inputs_of_bucket(recorder, "backups-copies-records", **THERE)
    assert recorder.inputs("backups-copies-records-access-logs") == {
        "bucket": COPIES,
        "targetBucket": logs,
        "targetPrefix": "access/",
        **THERE,
    }
    assert recorder.inputs("backups-copies-records-inventory") == {
        **inventory(COPIES, logs, COPIES_KEY),
        **THERE,
    }
    policy = recorder.document("backups-copies-records-policy")
    assert policy["Statement"][3:] == records(COPIES, logs)


def test_the_rule_and_its_role(deployed: Deployed) -> None:
    recorder, arn = deployed("prod"), f"arn:aws:s3:::{COPIES}"
    assert recorder.inputs("backups-copies-rule") == {
        "bucket": name("prod"),
        "role": "arn:aws:iam/role:Role/backups-copies-replication-role",
        "rules": [rule(arn, COPIES_KEY)],
    }
    statements = recorder.document("backups-copies-replication-policy")["Statement"]
    assert statements == role_statements(arn, COPIES_KEY)
    assert recorder.inputs("backups-copies-replication-role")["name"] == "pgkeep-prod-backup-copies"
    assert recorder.document("backups-copies-replication-role", "assumeRolePolicy")[
        "Statement"
    ] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ]
    assert recorder.exports["backup_copies_bucket_arn"] == arn


def test_a_bucket_of_another_account_owns_its_copies() -> None:
    recorder = deploy(load(changed("prod", backups__replication=ELSEWHERE), "prod"))
    arn, key = ELSEWHERE["bucket_arn"], ELSEWHERE["key_arn"]
    assert recorder.inputs("backups-copies-rule")["rules"] == [
        rule(
            arn,
            key,
            account="210987654321",
            accessControlTranslation={"owner": "Destination"},
        )
    ]
    statements = recorder.document("backups-copies-replication-policy")["Statement"]
    assert statements == role_statements(arn, key, "s3:ObjectOwnerOverrideToBucketOwner")
    # Nothing for the copies is made there.
    elsewhere = [name for name, (_, inputs) in recorder.resources.items() if "region" in inputs]
    assert not [name for name in elsewhere if name.startswith("backups-")]


def test_the_owner_of_that_bucket_lets_in_the_role_and_nothing_else() -> None:
    raw = changed("prod", backups__replication=ELSEWHERE)
    china = Deployment(
        load(raw, "prod"), ACCOUNT, "aws-cn", "amazonaws.com.cn", "cn-north-1", zones=()
    )
    arn, role = (
        "arn:aws-cn:s3:::copies",
        f"arn:aws-cn:iam::{ACCOUNT}:role/pgkeep-prod-backup-copies",
    )
    let_in, *guards = copies_destination.bucket_policy(china, arn)
    assert let_in == {
        "Sid": "AllowCopies",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"},
        "Condition": {"StringEquals": {"aws:PrincipalArn": role}},
        "Action": ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"],
        "Resource": f"{arn}/*",
    }
    assert guards == [
        *transport(arn),
        permanent(arn),
        deny("DenyWrites", "s3:PutObject", f"{arn}/*"),
    ]
    assert copies_destination.key_statement(china, "cn-northwest-1", arn) == {
        "Sid": "AllowCopies",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws-cn:iam::{ACCOUNT}:root"},
        "Condition": {
            "StringEquals": {
                "kms:ViaService": "s3.cn-northwest-1.amazonaws.com.cn",
                "aws:PrincipalArn": role,
            },
            "ArnLike": {"kms:EncryptionContext:aws:s3:arn": [arn, f"{arn}/*"]},
        },
        "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
        "Resource": "*",
    }


def test_time_control_is_measured() -> None:
    replication = {"region": "eu-central-1", "time_control": True}
    recorder = deploy(load(changed("prod", backups__replication=replication), "prod"))
    minutes = {"minutes": 15}
    assert recorder.inputs("backups-copies-rule")["rules"] == [
        rule(
            f"arn:aws:s3:::{COPIES}",
            COPIES_KEY,
            metrics={"status": "Enabled", "eventThreshold": minutes},
            replicationTime={"status": "Enabled", "time": minutes},
        )
    ]


def test_other_environments_make_no_copies(deployed: Deployed) -> None:
    for environment in ("local", "dev", "staging"):
        recorder = deployed(environment)
        assert recorder.of_type("aws:s3/bucketReplicationConfig:BucketReplicationConfig") == {}
        assert recorder.exports["backup_copies_bucket_arn"] is None
