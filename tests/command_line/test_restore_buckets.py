"""Backups of another bucket and without a signature: listed, verified, and asked for by their id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from operations.backup import manifest
from operations.backup.store import Store
from operations.errors import OperationError
from pgkeep.app import app
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError
from tests.operations.stored_backups import BUCKET as COPIES
from tests.operations.stored_backups import made, put

OWN = "pgkeep-own-backups"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two buckets in one account; the stack signs, and the copies are another stack's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        client: Any = boto3.client("s3")
        for bucket in (OWN, COPIES):
            client.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )
        kms: Any = boto3.client("kms")
        key = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]
        outputs = {
            "backup_bucket": OWN, "database_name": "node_pass", "region": "eu-west-1",
            "manifest_key_arn": key["Arn"],
        }  # fmt: skip
        stack = DeployedStack("prod", outputs)

        def find(*_: object) -> DeployedStack:
            return stack

        monkeypatch.setattr(DeployedStack, "find", find)
        yield client


def run(*words: str) -> dict[str, Any]:
    ended = CliRunner().invoke(app, [*words, "--json"])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return json.loads(ended.stdout)


def test_copies_of_another_stack_are_told_from_our_own_and_verified_when_asked(s3: Any) -> None:
    copy = made(1)
    put(s3, copy)
    listed = run("backup", "list", "--bucket", COPIES)
    assert listed["recovery_points"] == []
    (other,) = listed["not_backups"]
    assert (copy.id in other["folder"], other["unsigned"]) == (True, True)
    with pytest.raises(CommandError, match=r"is not signed: .*--unsigned"):
        run("backup", "verify", copy.id, "--bucket", COPIES)
    # Its bytes are none of a backup's; that they are read at all is what counts here.
    said = run("backup", "verify", copy.id, "--bucket", COPIES, "--unsigned")
    assert (said["id"], said["objects"]) == (copy.id, 3)
    with pytest.raises(CommandError, match=f"bucket {OWN} has no backup"):
        run("backup", "verify", copy.id, "--unsigned")


def test_a_key_that_is_named_verifies_copies_of_another_stack(s3: Any) -> None:
    """As after the loss of a region: the copies were signed there, and here is the replica."""
    kms: Any = boto3.client("kms")
    key = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]
    kms.create_alias(AliasName="alias/lost-manifests", TargetKeyId=key["KeyId"])
    copy = made(1)
    put(s3, copy)
    body = manifest.encode(copy, kms, key["Arn"])
    s3.put_object(Bucket=COPIES, Key=copy.key, Body=body)
    for named in ("alias/lost-manifests", key["Arn"]):
        from_there = ("--bucket", COPIES, "--signed-by", named)
        (point,) = run("backup", "list", *from_there)["recovery_points"]
        assert point["id"] == copy.id
        assert run("backup", "verify", "latest", *from_there)["id"] == copy.id
    with pytest.raises(CommandError, match="--signed-by KEY verifies it where the key"):
        run("backup", "verify", copy.id, "--bucket", COPIES)
    encrypts = kms.create_key()["KeyMetadata"]["Arn"]
    for wrong, why in (
        ("manifests", "must be the ARN of a key, or an alias in eu-west-1 such as"),
        ("alias/none", "eu-west-1 has no such key; `aws kms list-aliases --region eu-west-1`"),
        (key["Arn"].replace("eu-west-1", "eu-north-1"), "eu-north-1 has no such key"),
        (encrypts, f"{encrypts} encrypts and signs no manifests"),
    ):
        with pytest.raises(CommandError, match=f"--signed-by {wrong} refused: .*{why}"):
            run("backup", "list", "--bucket", COPIES, "--signed-by", wrong)


def test_a_restore_asks_the_bucket_that_it_was_given(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del s3
    asked: list[tuple[str, str, bool]] = []

    def get(store: Store, identifier: str, database: str, *, unsigned: bool) -> None:
        assert database == "node_pass"
        asked.append((store.bucket, identifier, unsigned))
        raise OperationError("enough")

    monkeypatch.setattr(Store, "get", get)
    to = ("restore", "--to", "other", "--from", "ID")
    for words in ((), ("--bucket", COPIES), ("--bucket", COPIES, "--unsigned")):
        with pytest.raises(CommandError, match="enough"):
            run(*to, *words)
    assert asked == [(OWN, "ID", False), (COPIES, "ID", False), (COPIES, "ID", True)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("restore", "--to", "other"), "interrupted: other is not proven"),
        (
            ("restore", "--to", "node_pass", "--terminate", "--confirm", "RESTORE_PRODUCTION"),
            "interrupted: node_pass is unchanged",
        ),
        (("backup", "verify", "latest"), "interrupted: the backup was not read to its end"),
    ],
)
def test_ctrl_c_ends_with_a_word_and_the_code_that_shells_have(
    s3: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    del s3

    def get(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "get", get)
    with pytest.raises(CommandError, match=said) as ended:
        run(*words)
    assert ended.value.code == 130


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("--unsigned", "--to", "x"), "--unsigned needs --from ID: the newest backup without"),
        (("--at", "latest", "--bucket", COPIES, "--to", "x"), "--bucket refused with --at"),
        (("--from", "snapshot:s", "--unsigned", "--to", "instance:x"), "--unsigned refused with"),
        (
            ("--at", "latest", "--signed-by", "alias/k", "--to", "x"),
            "--signed-by refused with --at",
        ),
    ],
)
def test_what_does_not_fit_is_refused(words: tuple[str, ...], refusal: str) -> None:
    with pytest.raises(CommandError, match=refusal):
        run("restore", *words)


def test_a_foreign_folder_is_named_as_it_is(s3: Any) -> None:
    """What looks like markup of the terminal is part of a name."""
    s3.put_object(Bucket=COPIES, Key="daily/notes/[bold]ours/a.txt", Body=b"1")
    ended = CliRunner().invoke(app, ["backup", "list", "--bucket", COPIES])
    assert ended.exit_code == 0, ended.exception
    assert "no backup daily/notes/[bold]ours: it has no manifest" in ended.stdout
