"""Backups that are damaged, cut off or not signed: found, told, and never restored."""

from __future__ import annotations

import dataclasses

import boto3
import pytest

from operations.backup import Manifest, run
from operations.backup.store import Store
from operations.backup.verify import verify
from operations.errors import OperationError
from tests.operations import restore_site
from tests.operations.restore_site import BUCKET
from tests.operations.site import SOURCE, Site

pytestmark = pytest.mark.root

client_layer, site = restore_site.client_layer, restore_site.site
plain = restore_site.plain


def _object(site: Site, backup: Manifest) -> str:
    """Key of the object with the most rows."""
    table = max(backup.tables, key=lambda one: one.rows)
    return table.segments[0].key


def _put(site: Site, key: str, body: bytes) -> None:
    site.s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def _body(site: Site, key: str) -> bytes:
    return site.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@pytest.mark.parametrize("damage", ["flipped", "truncated", "replaced", "gone"])
def test_a_damaged_object_is_found_and_never_used(plain: Site, damage: str) -> None:
    backup = plain.backup()
    key = _object(plain, backup)
    body = _body(plain, key)
    if damage == "flipped":
        _put(plain, key, body[:100] + bytes([body[100] ^ 1]) + body[101:])
    elif damage == "truncated":
        _put(plain, key, body[:-1])
    elif damage == "replaced":
        _put(plain, key, body[::-1])
    else:
        plain.s3.delete_object(Bucket=BUCKET, Key=key)
    result = verify(backup, s3=plain.s3, bucket=BUCKET)
    assert not result.whole
    assert key in result.findings[0]
    with pytest.raises(OperationError, match=r"damaged|shorter|gone"):
        plain.restore(backup)
    with plain.connect() as connection:
        for table in ("buyers", "orders"):
            row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            assert row == (0,)


def test_without_a_whole_manifest_there_is_no_backup(plain: Site) -> None:
    store = Store(plain.s3, BUCKET)
    backup = plain.backup()
    assert store.find().backups == (backup,)
    assert store.get("latest", SOURCE) == backup == store.get(backup.id)
    body = _body(plain, backup.key)
    for spoiled, reason in (
        (body[: len(body) // 2], "no manifest of a whole backup"),
        (body.replace(b'"rows":2000', b'"rows":1999'), "was altered after it was written"),
        (body.replace(b'"format": 2', b'"format": 9'), "has format 9, this version reads 2"),
        (b"[]", "no manifest of a whole backup"),
        (b"", "no manifest of a whole backup"),
    ):
        _put(plain, backup.key, spoiled)
        found = store.find()
        assert found.backups == ()
        assert reason in found.others[0].reason
        with pytest.raises(OperationError, match=f"{backup.id} is no backup"):
            store.get(backup.id)
    plain.s3.delete_object(Bucket=BUCKET, Key=backup.key)
    with pytest.raises(OperationError, match=f"{backup.id} is no backup: it has no manifest"):
        store.get(backup.id)
    _put(plain, backup.key, body)
    plain.s3.delete_object(Bucket=BUCKET, Key=backup.schema_key)
    assert "schema.dump is gone" in store.find().others[0].reason
    with pytest.raises(OperationError, match="has no backup 'x'; the newest are: none at all"):
        store.get("x")
    with pytest.raises(
        OperationError, match=r"as Parquet, .* cannot restore it. .* the snapshot: "
    ):
        store.get("pgkeep-prod-export-20261122t131210z-9a82673b")


def test_signed_manifests_are_told_from_forged_ones(plain: Site) -> None:
    kms = boto3.client("kms")
    keys = [
        kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]["Arn"]
        for _ in range(2)
    ]
    signed = dataclasses.replace(plain.target, mac_key=keys[0])
    backup = run(
        "manual",
        plain.endpoint(SOURCE),
        connect=lambda: plain.connect(SOURCE),
        target=signed,
        s3=plain.s3,
        kms=kms,
    )
    assert Store(plain.s3, BUCKET, kms, keys[0]).find().backups == (backup,)
    (other,) = Store(plain.s3, BUCKET, kms, keys[1]).find().others
    assert f"is signed by {keys[0]} and not by {keys[1]}" in other.reason
    unsigned = plain.backup()
    (other,) = Store(plain.s3, BUCKET, kms, keys[0]).find().others
    assert (unsigned.id in other.folder, "is not signed" in other.reason) == (True, True)
    assert Store(plain.s3, BUCKET, kms, keys[0]).get(unsigned.id, unsigned=True) == unsigned
    assert plain.restore(unsigned).backup_id == unsigned.id
