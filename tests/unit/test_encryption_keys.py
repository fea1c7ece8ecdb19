"""Customer keys: who may use which."""

from __future__ import annotations

from typing import Any

from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.recorder import deploy, raw_settings
from tests.unit.test_network import tags


def test_keys_rotate_and_have_an_alias(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    keys = recorder.of_type("aws:kms/key:Key")
    copies = keys.pop("backups-copies-key", None)
    assert (copies is not None) == (environment == "prod")
    keys.pop("database-key-backup-replication", None)
    # It signs and encrypts nothing: test_manifest_signatures.py.
    assert (keys.pop("keys-manifests", None) is not None) == (environment != "dev")
    kinds = ("database", "backups", "secrets", "telemetry", "hosts")
    assert set(keys) == {f"keys-{kind}" for kind in kinds}
    for name, inputs in keys.items():
        kind = name.removeprefix("keys-")
        rest = {key: value for key, value in inputs.items() if key not in ("description", "policy")}
        assert rest == {
            "keyUsage": "ENCRYPT_DECRYPT",
            "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "enableKeyRotation": True,
            "isEnabled": True,
            "deletionWindowInDays": 30 if environment in ("staging", "prod") else 7,
            "tags": tags(environment, f"pgkeep-{environment}-{kind}"),
        }
        assert recorder.inputs(f"{name}-alias") == {
            "name": f"alias/pgkeep-{environment}-{kind}",
            "targetKeyId": f"0123abcd-{name}",
        }


def test_policies_name_account_services_and_actions(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    for kind in ("database", "backups", "secrets", "telemetry"):
        statements = recorder.document(f"keys-{kind}")["Statement"]
        account, *services = statements
        assert account["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
        assert not any("*" in action for action in account["Action"])
        # Without these nobody could repair or delete the key.
        assert {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"} <= set(account["Action"])
        if kind == "backups":
            assert services == [inventory(f"pgkeep-{environment}-backups-123456789012-eu-west-1")]
            continue
        if kind != "telemetry":
            assert services == []
            continue
        logs, alarms, events = services
        prefix = f"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/{{}}/pgkeep-{environment}*"
        assert logs["Principal"] == {"Service": "logs.eu-west-1.amazonaws.com"}
        assert logs["Condition"] == {
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": [
                    prefix.format("rds/instance"),
                    prefix.format("lambda"),
                    prefix.format("vpc"),
                    f"arn:aws:logs:eu-west-1:123456789012:log-group:/pgkeep/pgkeep-{environment}/*",
                ]
            }
        }
        assert alarms == {
            "Sid": "AlarmsOfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
        assert events == {
            **alarms,
            "Sid": "DatabaseEventsOfThisAccount",
            "Principal": {"Service": "events.rds.amazonaws.com"},
        }


def inventory(bucket: str) -> dict[str, Any]:
    return {
        "Sid": "InventoryOfTheBackups",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "kms:GenerateDataKey",
        "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
        },
    }


def test_the_key_of_the_copies_is_in_their_region(deployed: Deployed) -> None:
    recorder = deployed("prod")
    inputs = recorder.inputs("backups-copies-key")
    assert (inputs["region"], inputs["enableKeyRotation"]) == ("eu-central-1", True)
    assert recorder.inputs("backups-copies-key-alias") == {
        "name": "alias/pgkeep-prod-copies",
        "targetKeyId": "0123abcd-backups-copies-key",
        "region": "eu-central-1",
    }
    account, service = recorder.document("backups-copies-key")["Statement"]
    assert account["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert service == inventory("pgkeep-prod-copies-123456789012-eu-central-1")


def test_a_given_key_is_used_and_not_made() -> None:
    arns = {
        f"{kind}_arn": f"arn:aws:kms:eu-west-1:123456789012:key/{number}{'0' * 31}"
        for number, kind in enumerate(("database", "backups", "secrets", "telemetry", "hosts"))
    }
    recorder = deploy(load(raw_settings("dev") | {"keys": arns}, "dev"))
    assert recorder.of_type("aws:kms/key:Key") == {}
    assert recorder.of_type("aws:kms/alias:Alias") == {}
    assert recorder.inputs("database-instance")["kmsKeyId"] == arns["database_arn"]
    assert recorder.inputs("backups-encryption")["rules"][0][
        "applyServerSideEncryptionByDefault"
    ] == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": arns["backups_arn"]}
    assert recorder.inputs("alarms-topic")["kmsMasterKeyId"] == arns["telemetry_arn"]
    assert recorder.inputs("roles-backup")["kmsKeyId"] == arns["secrets_arn"]
    template = recorder.inputs("pooler-hosts-template")
    assert template["blockDeviceMappings"][0]["ebs"]["kmsKeyId"] == arns["hosts_arn"]


def test_only_auto_scaling_s_own_role_uses_the_key_of_the_disks(deployed: Deployed) -> None:
    account, disks, grants = deployed("prod").document("keys-hosts")["Statement"]
    assert account["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    role = (
        "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/"
        "AWSServiceRoleForAutoScaling"
    )
    here = {"aws:PrincipalArn": role, "kms:CallerAccount": "123456789012"}
    assert disks == {
        "Sid": "DisksOfAutoScaling",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [
            *("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
            *("kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"),
        ],
        "Resource": "*",
        "Condition": {"StringEquals": here},
    }
    assert grants == {
        "Sid": "GrantsForDisksOfAutoScaling",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "kms:CreateGrant",
        "Resource": "*",
        "Condition": {"StringEquals": here, "Bool": {"kms:GrantIsForAWSResource": "true"}},
    }
