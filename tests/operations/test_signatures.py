"""Whose backups count: those that the stack's key has signed; the rest only by name and when asked."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from operations.backup import Manifest, expiry, manifest
from operations.backup.store import Store
from operations.errors import OperationError
from tests.operations.stored_backups import BUCKET, made, put

NOW = datetime.now(UTC)


def signing_key() -> str:
    kms: Any = boto3.client("kms")
    answer = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")
    return str(answer["KeyMetadata"]["Arn"])


@pytest.fixture
def store(s3: Any) -> Store:
    """The bucket of a stack that signs."""
    return Store(s3, BUCKET, boto3.client("kms"), signing_key())


def write(store: Store, backup: Manifest, key: str | None = None) -> bytes:
    """The backup with all objects, signed by `key`; its manifest."""
    put(store.s3, backup)
    body = manifest.encode(backup, store.kms, key)
    store.s3.put_object(Bucket=BUCKET, Key=backup.key, Body=body)
    return body


def reason(store: Store, backup: Manifest) -> str:
    (other,) = [one for one in store.find().others if backup.id in one.folder]
    return other.reason


def test_what_is_signed_is_a_backup_and_an_altered_copy_of_it_is_none(store: Store) -> None:
    backup = made(1)
    body = write(store, backup, store.mac_key)
    assert store.find().backups == (backup,)
    document = json.loads(body)
    # Somebody who may write and not sign: whole by its own hash, with a signature that he has.
    forged = json.loads(manifest.encode(dataclasses.replace(backup, snapshot_lsn="0/1")))
    for mac in (
        document["mac"],
        {"key": store.mac_key, "value": "?"},
        {**document["mac"], "value": ""},
    ):
        store.s3.put_object(
            Bucket=BUCKET, Key=backup.key, Body=json.dumps({**forged, "mac": mac}).encode()
        )
        assert f"was not signed by {store.mac_key}, though it says so" in reason(store, backup)
        for unsigned in (False, True):
            with pytest.raises(OperationError, match=f"{backup.id} is no backup: .* it is forged"):
                store.get(backup.id, unsigned=unsigned)
    store.s3.put_object(Bucket=BUCKET, Key=backup.key, Body=body.replace(b"0/0", b"0/1"))
    assert "was altered after it was written" in reason(store, backup)


def test_from_before_signing_it_comes_back_by_its_id_and_when_asked(store: Store) -> None:
    backup = made(1)
    write(store, backup)
    assert (store.find().backups, store.newest(backup.database)) == ((), None)
    for identifier, unsigned in ((backup.id, False), ("latest", False), ("latest", True)):
        with pytest.raises(OperationError, match=r"is not signed: .* by its id with --unsigned"):
            store.get(identifier, unsigned=unsigned)
    assert store.get(backup.id, backup.database, unsigned=True) == backup


def test_another_stacks_signature_is_none_of_ours_and_no_forgery(store: Store) -> None:
    backup, other = made(1), signing_key()
    write(store, backup, other)
    assert f"is signed by {other} and not by {store.mac_key}" in reason(store, backup)
    assert store.get(backup.id, unsigned=True) == backup


def test_a_replica_of_the_key_verifies_what_the_key_signed(store: Store) -> None:
    """The same id and material, in another region."""
    home: Any = boto3.client("kms")
    key = home.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256", MultiRegion=True)
    arn = str(key["KeyMetadata"]["Arn"])
    home.replicate_key(KeyId=key["KeyMetadata"]["KeyId"], ReplicaRegion="eu-central-1")
    backup = made(1)
    body = write(store, backup, arn)
    assert f"is signed by {arn} and not by {store.mac_key}" in reason(store, backup)
    there = dataclasses.replace(
        store,
        kms=boto3.client("kms", region_name="eu-central-1"),
        mac_key=arn.replace("eu-west-1", "eu-central-1"),
    )
    assert there.find().backups == (backup,)
    # Who names the one region's key and has not signed with it is found in the other one too.
    forged = {**json.loads(body), "mac": {"key": arn, "value": "AAAA"}}
    store.s3.put_object(Bucket=BUCKET, Key=backup.key, Body=json.dumps(forged).encode())
    assert "though it says so: it is forged" in reason(there, backup)


def test_unsigned_and_incomplete_is_no_backup_even_when_asked(store: Store) -> None:
    backup = made(1)
    write(store, backup)
    store.s3.delete_object(Bucket=BUCKET, Key=backup.objects[0].key)
    with pytest.raises(OperationError, match=r"globals\.json is gone from the bucket"):
        store.get(backup.id, unsigned=True)


def test_without_a_signature_a_backup_ends_and_counts_for_no_other(store: Store) -> None:
    older, newer = made(20), made(10)
    write(store, older)
    write(store, newer)

    def kept() -> dict[str, bool]:
        decided = expiry.decide(store.find(), (), NOW).decisions
        return {one.backup.id: one.keep for one in decided}

    # Signing was turned on a moment ago: the last good one is one from before.
    assert kept() == {older.id: False, newer.id: True}
    signed = made(8)
    write(store, signed, store.mac_key)
    # Says that it is newer than all others; the last good one stays the one that is signed.
    write(store, made(-300, 1))
    assert kept()[signed.id] is True
    assert (kept()[older.id], kept()[newer.id]) == (False, False)


@pytest.mark.parametrize("signs", [True, False])
def test_a_manifest_speaks_for_its_own_folder_only(s3: Any, store: Store, signs: bool) -> None:
    """What is marked as expired by it would else be the objects of another backup."""
    if not signs:
        store = Store(s3, BUCKET)
    backup, other = made(9), made(1)
    write(store, other, store.mac_key)
    stolen = dataclasses.replace(backup, objects=other.objects)
    write(store, stolen, store.mac_key)
    assert reason(store, stolen) == (f"its manifest names {other.objects[0].key} of another folder")
    moved = dataclasses.replace(made(5), objects=())
    s3.put_object(
        Bucket=BUCKET, Key=moved.key, Body=manifest.encode(other, store.kms, store.mac_key)
    )
    assert reason(store, moved) == f"its manifest belongs to {other.key}"
    marked = expiry.decide(store.find(), (), NOW + timedelta(days=90)).decisions
    assert [one.backup.id for one in marked] == [other.id]
