"""Backups that were never taken: their manifests, and what stands for their objects in a bucket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from operations.backup import Manifest, manifest
from operations.backup.object_writer import StoredObject, StoredPart

# Where the fixture `s3` expects them.
BUCKET = "pgkeep-backups-of-a-test"
NOW = datetime.now(UTC)
SHA = "00" * 32


def made(days_ago: float, kept_days: int | None = 3, **more: Any) -> Manifest:
    taken = NOW - timedelta(days=days_ago)
    identifier = f"{taken:%Y%m%dT%H%M%SZ}-00000000"
    backup_class = more.get("backup_class", "daily")
    database = more.get("database", "node_pass")
    folder = manifest.folder(backup_class, database, identifier)
    objects = tuple(
        StoredObject(f"{folder}/{name}", 1, SHA, (StoredPart(1, SHA),))
        for name in ("globals.json", "rows/000001.zst", "schema.dump")
    )
    keep_until = None if kept_days is None else (taken + timedelta(days=kept_days)).isoformat()
    return Manifest(
        id=identifier, backup_class=backup_class, database=database,
        started_at=taken.isoformat(), finished_at=taken.isoformat(), duration_seconds=1.0,
        keep_until=keep_until, snapshot_at=taken.isoformat(), snapshot_lsn="0/0",
        server_version=170000, encoding="UTF8", client_version="17.6", hash_algorithm="none",
        schema_key=objects[2].key, globals_key=objects[0].key, large_objects_key=None,
        large_object_count=0, extensions=(), tables=(), objects=objects, skipped=(),
    )  # fmt: skip


def put(s3: Any, backup: Manifest, *, whole: bool = True) -> None:
    for stored in backup.objects:
        s3.put_object(Bucket=BUCKET, Key=stored.key, Body=b"1")
    if whole:
        s3.put_object(Bucket=BUCKET, Key=backup.key, Body=manifest.encode(backup))
