"""Customer keys: who may use which."""

from __future__ import annotations

from tests.unit.conftest import Deployed
from tests.unit.test_network import tags


def test_keys_rotate_and_have_an_alias(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    keys = recorder.of_type("aws:kms/key:Key")
    assert set(keys) == {f"keys-{kind}" for kind in ("database", "backups", "secrets", "telemetry")}
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
        if kind != "telemetry":
            assert services == []
            continue
        logs, alarms = services
        prefix = f"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/{{}}/pgkeep-{environment}*"
        assert logs["Principal"] == {"Service": "logs.eu-west-1.amazonaws.com"}
        assert logs["Condition"] == {
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": [
                    prefix.format("rds/instance"),
                    prefix.format("lambda"),
                    prefix.format("vpc"),
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
