"""`pgkeep backup destination`: what the owner of the copies' bucket in another account is told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pgkeep.backup import destination_command
from pgkeep.failures import CommandError
from tests.command_line.test_settings import changed_local, pgkeep

OURS, THEIRS = "123456789012", "210987654321"
KEY = f"arn:aws:kms:eu-central-1:{THEIRS}:key/01234567-89ab-cdef-0123-456789abcdef"
VAULT = f"arn:aws:backup:eu-west-1:{THEIRS}:backup-vault:kept"
COPIES: dict[str, Any] = {
    "region": "eu-central-1",
    "bucket_arn": "arn:aws:s3:::copies",
    "account_id": THEIRS,
    "key_arn": KEY,
}


@pytest.fixture
def stack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use(tmp_path, monkeypatch, COPIES)


def use(
    folder: Path, monkeypatch: pytest.MonkeyPatch, copies: dict[str, Any] | None, **more: Any
) -> Path:
    backups = more.pop("backups", {}) | ({} if copies is None else {"replication": copies})
    file = changed_local(folder, {"backups": backups, **more})
    monkeypatch.setenv("PGKEEP_STACK_CONFIG_FILE", str(file))
    return file


def test_it_is_said_call_by_call_with_both_documents(stack_file: Path) -> None:
    told: subprocess.CompletedProcess[str] = pgkeep(
        "backup", "destination", "--account", OURS, stack_file=stack_file
    )
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert lines[0] == f"# In account {THEIRS}, before stack local of account {OURS} is deployed:"
    assert lines[1] == (
        "aws s3api create-bucket --region eu-central-1 --bucket copies "
        "--object-lock-enabled-for-bucket --object-ownership BucketOwnerEnforced "
        "--create-bucket-configuration LocationConstraint=eu-central-1"
    )
    assert lines[3].endswith("--policy file://bucket-policy.json")
    policy, _, key = told.stdout.partition("# bucket-policy.json\n")[2].partition("\n\n# One more ")
    assert [one["Sid"] for one in json.loads(policy)["Statement"]] == [
        "AllowCopies",
        "DenyPlainText",
        "DenyOldTls",
        "DenyPermanentDeletion",
        "DenyWrites",
    ]
    heading, _, statement = key.partition("\n")
    assert heading == f"statement in the policy of {KEY}"
    assert json.loads(statement)["Action"] == ["kms:Encrypt", "kms:GenerateDataKey"]


def test_as_json_in_a_region_without_constraint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = KEY.replace("eu-central-1", "us-east-1")
    use(tmp_path, monkeypatch, {**COPIES, "region": "us-east-1", "key_arn": key})
    destination_command.run("local", OURS, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["bucket"], found["region"], found["key_arn"]) == ("copies", "us-east-1", key)
    assert (found["stack_account"], found["bucket_account"]) == (OURS, THEIRS)
    assert "LocationConstraint" not in found["calls"][0]
    via = found["key_statement"]["Condition"]["StringEquals"]["kms:ViaService"]
    assert via == "s3.us-east-1.amazonaws.com"


def with_vault(arn: str = VAULT) -> dict[str, Any]:
    return {"aws_backup": {"region": "eu-central-1", "account_vault_arn": arn}}


def test_a_vault_gets_its_calls_policy_and_key_statements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(tmp_path, monkeypatch, None, backups=with_vault())
    destination_command.run("local", OURS, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"stack_account", "vault"}
    vault = found["vault"]
    assert (vault["account"], vault["name"], vault["region"]) == (THEIRS, "kept", "eu-west-1")
    assert vault["calls"] == [
        "aws backup create-backup-vault --region eu-west-1 --backup-vault-name kept "
        "--encryption-key-arn KEY_ARN",
        "aws backup put-backup-vault-access-policy --region eu-west-1 --backup-vault-name kept "
        "--policy file://vault-policy.json",
        "aws backup put-backup-vault-lock-configuration --region eu-west-1 "
        "--backup-vault-name kept --min-retention-days 3 --max-retention-days 365",
    ]
    allow, deny = vault["vault_policy"]["Statement"]
    assert allow["Principal"] == {"AWS": f"arn:aws:iam::{OURS}:root"}
    assert (allow["Effect"], allow["Action"]) == ("Allow", "backup:CopyIntoBackupVault")
    assert (deny["Effect"], deny["Action"][0]) == ("Deny", "backup:DeleteRecoveryPoint")
    assert [one["Principal"] for one in vault["key_statements"]] == [allow["Principal"]] * 2
    assert (vault["database_key_arn"], vault["database_key_statements"]) == (None, [])
    destination_command.run("local", OURS, as_json=False)
    text = capsys.readouterr().out
    assert text.startswith("# Once, in the management account of the organization")
    assert "isCrossAccountBackupEnabled=true" in text
    assert "More statements in the policy of arn" not in text


def test_a_given_database_key_and_a_bucket_are_told_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = KEY.replace(THEIRS, OURS).replace("eu-central-1", "eu-west-1")
    use(tmp_path, monkeypatch, COPIES, backups=with_vault(), keys={"database_arn": given})
    destination_command.run("local", OURS, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["bucket"], found["vault"]["name"]) == ("copies", "kept")
    theirs = {"AWS": f"arn:aws:iam::{THEIRS}:root"}
    assert found["vault"]["database_key_arn"] == given
    statements = found["vault"]["database_key_statements"]
    assert [one["Principal"] for one in statements] == [theirs] * 2
    destination_command.run("local", OURS, as_json=False)
    text = capsys.readouterr().out
    assert f"# More statements in the policy of {given}, by its owner" in text
    assert text.index("# bucket-policy.json") < text.index("# vault-policy.json")


def test_the_vault_s_own_account_is_not_the_stack_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(tmp_path, monkeypatch, None, backups=with_vault())
    with pytest.raises(CommandError, match=r"owns the copies .backups.aws_backup.account_vault"):
        destination_command.run("local", THEIRS, as_json=False)


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ("12345", "--account 12345 refused: an account's number has 12 digits"),
        (THEIRS, f"account {THEIRS} owns the copies .backups.replication.account_id."),
    ],
)
def test_a_wrong_account_is_refused(stack_file: Path, account: str, said: str) -> None:
    del stack_file
    with pytest.raises(CommandError, match=said):
        destination_command.run("local", account, as_json=False)


def test_a_stack_without_copies_there_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(tmp_path, monkeypatch, {"region": "eu-central-1"})
    with pytest.raises(CommandError, match=r"set backups.replication.bucket_arn, account_id"):
        destination_command.run("local", OURS, as_json=False)
    use(tmp_path, monkeypatch, {**COPIES, "key_arn": KEY.replace(THEIRS, OURS)})
    with pytest.raises(CommandError, match=r"backups.replication.key_arn: .* refused"):
        destination_command.run("local", OURS, as_json=False)
