"""The two proofs of the restore test, and how long the second one will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from operations.backup.children import Login
from operations.backup.manifest import Manifest
from operations.restore import (
    databases,
    marker,
    report,
    role_grants,
    row_readers,
    workload_checks,
)
from operations.restore.marker import Marked
from operations.restore.proof import Check, prove, prove_without_manifest
from operations.restore.report import Kind, Report
from operations.restore.restore import Options, restore
from operations.structured_log import log_metrics

if TYPE_CHECKING:
    import psycopg

    from operations.database import Endpoint
    from operations.restore.restore_test import Site

_APPLICATION = "pgkeep restore test"
# Before anything was measured: far below what one processor restores.
_UNMEASURED_BYTES_PER_SECOND = 2 * 1024**2
_UNMEASURED_START_SECONDS = 60.0
_MARGIN = 1.3


def point_in_time(
    site: Site,
    endpoint: Endpoint,
    marked: Marked,
    *,
    started_at: datetime,
    ready_at: datetime,
    behind_seconds: float,
) -> Report:
    """Does the instance at `endpoint` end exactly at the marker, and is its database sound?"""

    def connect() -> psycopg.Connection[Any]:
        return site.open(endpoint, _APPLICATION)

    backups = site.store.find(site.database).backups
    with site.open(replace(endpoint, database=marker.DATABASE), _APPLICATION) as connection:
        connection.autocommit = True
        found = tuple(marker.findings(connection, marked))
        with row_readers.assumed(connection, connect):
            proof, counts = prove_without_manifest(
                report.POINT_IN_TIME, connect=connect, before=backups[0] if backups else None
            )
            workload_checks.run(proof, site.checks, schema=site.schema, connect=connect)
    if site.roles is not None:
        role_grants.prove(proof, site.roles, connect=connect, as_of_its_day=True)
    proof.checks.insert(0, Check("ends at the marker", 2, found, 0.0))
    proof.checks.append(_plausible(backups, counts))
    made = report.of_instance(
        "point-in-time",
        proof,
        database=site.database,
        target=site.scratch,
        started_at=started_at,
        restored_to=marked.moment,
        rpo_seconds=behind_seconds,
        steps={"instance restored": round((ready_at - started_at).total_seconds(), 3)},
        row_counts=counts,
        objectives=site.objectives,
    )
    return _keep(site, made)


def dump(site: Site, endpoint: Endpoint, backup: Manifest) -> Report:
    """Restore a backup beside the restored database, on the scratch instance, and compare."""
    started_at = datetime.now(UTC)
    name = f"{site.database}_restore_test"
    target = replace(endpoint, database=name)

    def connect() -> psycopg.Connection[Any]:
        return site.open(target, _APPLICATION)

    with site.open(replace(endpoint, database=marker.DATABASE), _APPLICATION) as connection:
        connection.autocommit = True
        databases.drop(connection, name)
        databases.create(connection, name, backup)
        rows = connection.execute(
            "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname !~ '^(pg_|rds)'"
        ).fetchall()
        with databases.owners_assumed(connection, [str(role) for (role,) in rows]):
            restored = restore(
                backup,
                s3=site.store.s3,
                bucket=site.store.bucket,
                login=Login(target, *site.credentials()),
                connect=connect,
                options=Options(workers=site.workers),
            )
        if site.roles is not None:
            restored.steps[role_grants.NAME] = role_grants.apply(site.roles, connect=connect)
        with row_readers.assumed(connection, connect):
            proof = prove(backup, connect=connect, workers=site.workers)
            workload_checks.run(proof, site.checks, schema=site.schema, connect=connect)
        if site.roles is not None:
            role_grants.prove(proof, site.roles, connect=connect)
        databases.drop(connection, name)
    made = report.make(
        backup,
        restored,
        proof,
        target=f"{site.scratch}/{name}",
        started_at=started_at,
        objectives=site.objectives,
    )
    return _keep(site, made)


def estimate_seconds(site: Site, backup: Manifest) -> float:
    """How long restoring and proving `backup` will take, from the last time that it was done."""
    for last in reversed(report.stored(site.store.s3, site.store.bucket, site.database)):
        size_bytes = last.get("size_bytes")
        if last.get("kind") == "dump" and size_bytes:
            growth = max(backup.size_bytes / size_bytes, 1.0)
            return float(last["rto_seconds"]) * growth * _MARGIN
    return _UNMEASURED_START_SECONDS + backup.size_bytes / _UNMEASURED_BYTES_PER_SECOND


def newest_key(site: Site, kind: Kind) -> str | None:
    """Key of the newest report of that kind that proved something."""
    for document in reversed(report.stored(site.store.s3, site.store.bucket, site.database)):
        if document.get("kind") == kind and document["proven"]:
            return Report(**document).key
    return None


def findings(made: Report) -> str:
    """The first findings, for a message."""
    lines = [line for check in made.checks for line in check["findings"]]
    return "; ".join(lines[:3]) + ("; ..." if len(lines) > 3 else "")


def _plausible(backups: Sequence[Manifest], counts: dict[str, int]) -> Check:
    """An instance that lost most of its rows restores perfectly: the newest dump knows better."""
    if not backups:
        return Check("rows as many as in the newest backup", 0, (), 0.0)
    expected, found = sum(backups[0].row_counts.values()), sum(counts.values())
    wrong = (
        (f"{found} rows, backup {backups[0].id} has {expected}: less than half",)
        if found < expected / 2
        else ()
    )
    return Check("rows as many as in the newest backup", len(counts), wrong, 0.0)


def _keep(site: Site, made: Report) -> Report:
    report.write(made, s3=site.store.s3, bucket=site.store.bucket, kms_key=site.kms_key)
    log_metrics(
        "restore_test_part",
        dimensions={"Database": site.database, "Kind": made.kind},
        metrics={
            "RestoreTestRtoSeconds": (made.rto_seconds, "Seconds"),
            "RestoreTestRpoSeconds": (made.rpo_seconds, "Seconds"),
            "RestoreTestProven": (int(made.proven), "Count"),
        },
        report=made.key,
        objectives=made.objectives,
    )
    return made
