"""AWS Backup: exact inputs, and that the policy pack accepts them with their real values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.evaluation import Judge, Kind
from policies.inventory import Resource
from policies.rules import Context, Environment, Phase
from stacks.settings import SettingsError, load
from tests.unit.changed_settings import changed
from tests.unit.recorder import REGION, Recorder, deploy
from tests.unit.test_network import tags

THERE = "eu-central-1"
VAULT = "arn:aws:backup:eu-west-1:210987654321:backup-vault:pgkeep"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/keys-database"
COPIES_KEY = "arn:aws:kms:eu-west-1:123456789012:key/database-key-aws-backup"
SNAPSHOTS = [
    f"arn:aws:rds:{region}:123456789012:snapshot:awsbackup:*" for region in ("eu-west-1", THERE)
]


def deployed_with(**given: Any) -> Recorder:
    settings = {"region": THERE, **given}
    return deploy(load(changed("prod", backups__aws_backup=settings), "prod", REGION))


@pytest.fixture(scope="module")
def deployed_to_both() -> Recorder:
    return deployed_with(account_vault_arn=VAULT)


def test_nothing_of_it_without_the_setting() -> None:
    recorder = deploy(load(changed("prod"), "prod", REGION))
    assert not [name for name in recorder.resources if name.startswith("aws-backup")]
    assert recorder.exports["aws_backup_vaults"] == {}
    assert recorder.exports["aws_backup_account_vault_arn"] is None


def test_the_vaults_with_their_locks_and_policies(deployed_to_both: Recorder) -> None:
    recorder = deployed_to_both
    assert recorder.exports["aws_backup_account_vault_arn"] == VAULT
    assert recorder.inputs("aws-backup-vault") == {
        "name": "pgkeep-prod-database",
        "kmsKeyArn": KEY,
        "forceDestroy": False,
        "tags": tags("prod", "pgkeep-prod-database"),
    }
    assert recorder.inputs("aws-backup-copies") == {
        "name": "pgkeep-prod-copies",
        "kmsKeyArn": COPIES_KEY,
        "forceDestroy": False,
        "region": THERE,
        "tags": tags("prod", "pgkeep-prod-copies"),
    }
    assert recorder.inputs("database-key-aws-backup")["region"] == THERE
    lock = {"minRetentionDays": 30, "maxRetentionDays": 365}
    assert recorder.inputs("aws-backup-vault-lock") == {
        "backupVaultName": "pgkeep-prod-database",
        **lock,
    }
    assert recorder.inputs("aws-backup-copies-lock") == {
        "backupVaultName": "pgkeep-prod-copies",
        "region": THERE,
        **lock,
    }
    permanent = {
        "Sid": "NobodyDeletesRecoveryPoints",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": [
            "backup:DeleteRecoveryPoint",
            "backup:DisassociateRecoveryPoint",
            "backup:UpdateRecoveryPointLifecycle",
        ],
        "Resource": "*",
    }
    # The account of the copies can bring one back, into the vault of its region.
    back = {
        "Sid": "AllowCopiesBack",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
        "Action": "backup:CopyIntoBackupVault",
        "Resource": "*",
    }
    for label, statements in (("vault", [back, permanent]), ("copies", [permanent])):
        policy = json.loads(recorder.inputs(f"aws-backup-{label}-policy")["policy"])
        assert policy["Statement"] == statements
    vaults = {"aws-backup-vault", "aws-backup-copies"}
    assert vaults <= recorder.protected
    kept = {f"aws-backup-{one}" for one in ("vault-lock", "vault-policy", "copies-lock")}
    assert vaults | kept | {"database-key-aws-backup"} <= recorder.retained


def test_the_plan_keeps_each_class_as_long_as_dumps(deployed_to_both: Recorder) -> None:
    rules = deployed_to_both.inputs("aws-backup-plan")["rules"]
    destinations = [deployed_to_both.inputs("aws-backup-copies")["name"], VAULT]
    for rule, (label, schedule, days) in zip(
        rules,
        [
            ("daily", "cron(0 5 * * ? *)", 30),
            ("weekly", "cron(0 6 ? * SUN *)", 84),
            ("monthly", "cron(0 7 1 * ? *)", 365),
        ],
        strict=True,
    ):
        copies = rule.pop("copyActions")
        assert rule == {
            "ruleName": label,
            "targetVaultName": "pgkeep-prod-database",
            "schedule": schedule,
            "startWindow": 60,
            "completionWindow": 720,
            "lifecycle": {"deleteAfter": days},
            "recoveryPointTags": tags("prod", f"pgkeep-prod-{label}"),
        }
        assert [copy["lifecycle"] for copy in copies] == [{"deleteAfter": days}] * 2
        assert copies[1]["destinationVaultArn"] == destinations[1]
        assert "aws-backup-copies" in copies[0]["destinationVaultArn"]
    selection = deployed_to_both.inputs("aws-backup-selection")
    assert selection["resources"] == ["arn:aws:rds/instance:Instance/database-instance"]
    assert "tags" not in selection


def test_the_role_reaches_this_instance_and_its_snapshots_alone(deployed_to_both: Recorder) -> None:
    recorder = deployed_to_both
    (trust,) = recorder.document("aws-backup-role", "assumeRolePolicy")["Statement"]
    assert trust["Principal"] == {"Service": "backup.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    statements = {
        one["Sid"]: (one["Action"], one["Resource"], one.get("Condition"))
        for one in recorder.document("aws-backup-policy")["Statement"]
    }
    through_rds = {
        "StringEquals": {
            "kms:ViaService": ["rds.eu-west-1.amazonaws.com", f"rds.{THERE}.amazonaws.com"]
        }
    }
    assert statements == {
        "SnapshotThePrimary": (
            [
                "rds:AddTagsToResource",
                "rds:CreateDBSnapshot",
                "rds:DescribeDBInstances",
                "rds:ListTagsForResource",
            ],
            ["arn:aws:rds:eu-west-1:123456789012:db:pgkeep-prod", *SNAPSHOTS],
            None,
        ),
        "CopySnapshots": (["rds:CopyDBSnapshot", "rds:DescribeDBSnapshots"], SNAPSHOTS, None),
        "ExpireSnapshots": (["rds:DeleteDBSnapshot"], SNAPSHOTS, None),
        "IntoVaults": (
            ["backup:CopyIntoBackupVault", "backup:DescribeBackupVault"],
            [
                "arn:aws:backup:eu-west-1:123456789012:backup-vault:pgkeep-prod-database",
                f"arn:aws:backup:{THERE}:123456789012:backup-vault:pgkeep-prod-copies",
                VAULT,
            ],
            None,
        ),
        "UseKeys": (
            [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            [KEY, COPIES_KEY],
            through_rds,
        ),
        "LetRdsUseKeys": (
            ["kms:CreateGrant"],
            [KEY, COPIES_KEY],
            {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
        "ShareWithTheAccount": (["rds:ModifyDBSnapshotAttribute"], SNAPSHOTS, None),
    }
    # What reaches the other account is opened with the key that it is under.
    users = recorder.document("keys-database")["Statement"][1:]
    assert [one["Principal"] for one in users] == [{"AWS": "arn:aws:iam::210987654321:root"}] * 2
    assert [one["Action"] for one in users] == [
        ["kms:Decrypt", "kms:DescribeKey"],
        "kms:CreateGrant",
    ]


def test_copies_are_opened_with_the_key_that_the_instance_has_from_its_origin() -> None:
    """An imported instance is under its own key, and so is every snapshot of it."""
    own = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    point = {"source_identifier": "older", "kms_key_arn": own}
    settings = changed(
        "prod", backups__aws_backup={"region": THERE}, database__origin={"point_in_time": point}
    )
    recorder = deploy(load(settings, "prod", REGION))
    statements = recorder.document("aws-backup-policy")["Statement"]
    keys = {one["Sid"]: one["Resource"] for one in statements if "Key" in one["Sid"]}
    assert keys == {"UseKeys": [own, COPIES_KEY], "LetRdsUseKeys": [own, COPIES_KEY]}
    assert "AllowCopiesBack" not in recorder.inputs("aws-backup-vault-policy")["policy"]


def test_failures_and_silence_raise_alarms(deployed_to_both: Recorder) -> None:
    alarm = deployed_to_both.inputs("aws-backup-backup-completed")
    assert alarm["name"] == "pgkeep-prod-aws-backup-backup-completed"
    assert (alarm["namespace"], alarm["metricName"]) == (
        "AWS/Backup",
        "NumberOfBackupJobsCompleted",
    )
    assert alarm["dimensions"] == {"BackupVaultName": "pgkeep-prod-database"}
    assert (alarm["period"], alarm["evaluationPeriods"], alarm["treatMissingData"]) == (
        86_400,
        2,
        "breaching",
    )
    failed = [
        name
        for name in deployed_to_both.resources
        if name.startswith("aws-backup-") and "Alarm" in deployed_to_both.resources[name][0]
    ]
    assert sorted(failed) == [
        "aws-backup-backup-aborted",
        "aws-backup-backup-completed",
        "aws-backup-backup-expired",
        "aws-backup-backup-failed",
        "aws-backup-copy-failed",
        "aws-backup-copy-failed-into-account",
        "aws-backup-copy-failed-into-region",
    ]
    # A failed copy counts for one of the two vaults, and AWS does not say for which.
    for suffix, vault in (
        ("", "pgkeep-prod-database"),
        ("-into-region", "pgkeep-prod-copies"),
        ("-into-account", "pgkeep"),
    ):
        alarm = deployed_to_both.inputs(f"aws-backup-copy-failed{suffix}")
        assert alarm["metricName"] == "NumberOfCopyJobsFailed"
        assert alarm["dimensions"] == {"BackupVaultName": vault}
        assert alarm["threshold"] == 0


def test_a_stack_whose_backups_may_go_can_be_destroyed_with_its_vaults() -> None:
    settings = changed("dev", backups__aws_backup={"region": THERE})
    recorder = deploy(load(settings, "dev", REGION))
    for label in ("vault", "copies"):
        assert recorder.inputs(f"aws-backup-{label}")["forceDestroy"] is True


def test_compliance_off_and_break_glass() -> None:
    lock = {"mode": "compliance", "changeable_for_days": 3}
    recorder = deployed_with(lock=lock)
    assert recorder.inputs("aws-backup-vault-lock")["changeableForDays"] == 3
    assert "keys-database" in recorder.resources
    assert len(recorder.document("keys-database")["Statement"]) == 1
    off = deployed_with(lock={"mode": "off"})
    assert "aws-backup-vault-lock" not in off.resources


def test_the_policy_pack_accepts_every_resource_with_its_values(
    deployed_to_both: Recorder,
) -> None:
    judge = Judge(Context(Environment.PROD, phase=Phase.APPLY))
    for name, (kind, inputs) in deployed_to_both.resources.items():
        if "aws-backup" not in name and name != "keys-database":
            continue
        urn = f"urn:pulumi:prod::pgkeep::{kind}::{name}"
        found = judge.resource(Resource(urn, kind, name, inputs))
        wrong = [one.message for one in found if one.kind is Kind.VIOLATION and one.blocks]
        assert not wrong, f"{name}: {wrong}"


@pytest.mark.parametrize(
    ("action", "pattern", "refused"),
    [
        ("rds:DeleteDBSnapshot", "awsbackup:*", False),
        ("rds:DeleteDBSnapshot", "*", True),
        ("rds:DeleteDBSnapshot", "awsbackup*", True),
        ("backup:DeleteRecoveryPoint", "awsbackup:*", True),
    ],
)
def test_only_snapshots_of_aws_backup_may_be_deleted(
    action: str, pattern: str, refused: bool
) -> None:
    arn = f"arn:aws:rds:eu-west-1:123456789012:snapshot:{pattern}"
    statement = {"Effect": "Allow", "Action": action, "Resource": arn}
    policy = {"policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
    kind = "aws:iam/rolePolicy:RolePolicy"
    judge = Judge(Context(Environment.PROD, phase=Phase.APPLY))
    found = judge.resource(Resource(f"urn:pulumi:prod::pgkeep::{kind}::one", kind, "one", policy))
    rules = {one.rule.id for one in found if one.kind is Kind.VIOLATION}
    assert ("iam-no-deletion" in rules) is refused


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"region": REGION},
            "backups.aws_backup.region: 'eu-west-1' refused, another region than the stack's: the "
            "loss of the region would take database and copies together. Name another region.",
        ),
        (
            {"region": THERE, "kms_key_arn": KEY.replace("keys-database", "0123abcd")},
            "backups.aws_backup.kms_key_arn: ",
        ),
        (
            {"region": THERE, "account_vault_arn": VAULT.replace("eu-west-1", THERE)},
            "backups.aws_backup.account_vault_arn: ",
        ),
    ],
)
def test_what_would_not_protect_is_refused(given: dict[str, str], line: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(changed("prod", backups__aws_backup=given), "prod", REGION)
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(line)
