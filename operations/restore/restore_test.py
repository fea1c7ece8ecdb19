"""The restore test that runs by itself: a scratch instance, two proofs, and nothing left behind.

A function lives 15 minutes and a restore of RDS may take longer, so the test is a state machine
whose state is the scratch instance itself: its status and its tags. `start` asks RDS for the
instance; `go_on`, every few minutes, does what has become possible, and deletes the instance at
the end, after a failure, or when it has become too old.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from operations.errors import OperationError
from operations.restore import instances, marker, restore_test_proofs
from operations.restore.instances import Target
from operations.restore.marker import Marked
from operations.restore.objectives import NONE, Objectives
from operations.structured_log import log, log_metrics

if TYPE_CHECKING:
    import psycopg

    from operations.backup.manifest import Manifest
    from operations.backup.store import Store
    from operations.database import Endpoint
    from workloads.contract import RestoreCheck, RoleSet

PURPOSE = "restore-test"
#: The document that says when a restore was last proven (guide cryptowallet:
#: LAST_BACKUP_RESTORE_TEST_DATE), beside the reports.
LAST_TEST_KEY = "reports/LAST_BACKUP_RESTORE_TEST.json"

_STARTED, _MARKER, _MOMENT = "pgkeep:started-at", "pgkeep:marker", "pgkeep:restored-to"
_BEHIND, _SCOPE = "pgkeep:behind-seconds", "pgkeep:scope"
_ATTEMPT, _FIRST_PROOF = "pgkeep:attempt", "pgkeep:point-in-time"
_READY, _ENDED = "pgkeep:ready-at", "pgkeep:ended"
# What deleting the instance and telling why takes at the end of the function's time.
_CLEAN_UP_SECONDS = 20.0
# Lambda's longest run; who began longer ago is dead. AWS Lambda developer guide: quotas.
_LONGEST_RUN_SECONDS = 900.0
_POLL_SECONDS = 5.0
# With less left, the proofs begin in the next run, which has all of its time for them.
_ENOUGH_SECONDS = 600.0
_LAST_LOOK_SECONDS = 60.0

#: Which backup a test restores, by class; the next one where there is none yet.
SCOPES = {"weekly": ("daily",), "monthly": ("monthly", "weekly", "daily")}

#: As whom and how a session is made: endpoint, application name.
Open = Callable[["Endpoint", str], "psycopg.Connection[Any]"]


@dataclass(frozen=True)
class Site:
    """Production, the scratch instance that belongs to it, and where the reports go."""

    rds: Any
    store: Store
    production: Endpoint
    source: str
    scratch: str
    security_group_id: str
    kms_key: str
    open: Open
    credentials: Callable[[], tuple[str, str]]
    objectives: Objectives = NONE
    #: The workload's own, and its schema.
    checks: Sequence[RestoreCheck] = ()
    schema: str = ""
    #: Whose owner and grants a restored backup gets.
    roles: RoleSet | None = None
    oldest_hours: int = 6
    workers: int = 2

    @property
    def database(self) -> str:
        """The application's database."""
        return self.production.database


def start(
    site: Site, remaining_seconds: Callable[[], float], scope: str = "weekly"
) -> dict[str, Any]:
    """Write marker rows into production and restore the moment between them.

    `scope` says which backup is restored afterwards: one of SCOPES. As long as this run may live it
    looks for the instance: `go_on` comes minutes later, which the measured RTO must not hold.

    Raises:
        OperationError: the scope is unknown, the archive of production is too far behind, or RDS
            refused.
    """
    if scope not in SCOPES:
        raise OperationError(f"scope is {scope!r}; it must be one of {', '.join(SCOPES)}")
    if instances.describe(site.rds, site.scratch) is not None:
        return {"status": "under way", "instance": site.scratch}
    try:
        started = _begin(site, remaining_seconds, scope)
    except Exception as error:
        _publish_result(site, 0.0, f"{type(error).__name__}: {error}")
        raise
    # What is wrong with the instance `go_on` finds too, and ends the test.
    with suppress(OperationError):
        instance = instances.required(site.rds, site.scratch)
        _when_ready(site, instance, instances.tags_of(instance), remaining_seconds)
    return started


def _begin(site: Site, remaining_seconds: Callable[[], float], scope: str) -> dict[str, Any]:
    source = instances.required(site.rds, site.source)
    with site.open(replace(site.production, database=marker.DATABASE), PURPOSE) as connection:
        marked = marker.mark(connection)
    latest = _wait_for_archive(site, marked.moment, remaining_seconds)
    started_at = datetime.now(UTC)
    tags = {
        _STARTED: started_at.isoformat(),
        _SCOPE: scope,
        _MARKER: marked.id,
        _MOMENT: marked.moment.isoformat(),
        _BEHIND: f"{max((started_at - latest).total_seconds(), 0):.0f}",
    }
    target = Target(site.scratch, PURPOSE, (site.security_group_id,), tags)
    instances.restore_to_moment(site.rds, source, target, marked.moment)
    log("restore_test_started", instance=site.scratch, restored_to=marked.moment.isoformat())
    return {
        "status": "started",
        "instance": site.scratch,
        "restored_to": marked.moment.isoformat(),
    }


def go_on(site: Site, remaining_seconds: Callable[[], float]) -> dict[str, Any]:
    """Do what has become possible since the last call.

    Raises:
        OperationError: the test failed; the instance is deleted all the same.
    """
    try:
        state = _next(site, remaining_seconds)
    except Exception:
        # The first error is what has to be told, and nothing keeps the instance from its end.
        with suppress(Exception):
            _publish_age(site)
        raise
    _publish_age(site)
    return state


def _next(site: Site, remaining_seconds: Callable[[], float]) -> dict[str, Any]:
    instance = instances.describe(site.rds, site.scratch)
    if instance is None:
        return {"status": "nothing to do"}
    if instance["DBInstanceStatus"] == "deleting":
        return {"status": "deleting"}
    tags = instances.tags_of(instance)
    if instances.SCRATCH_TAG not in tags or _STARTED not in tags:
        raise OperationError(
            f"instance {site.scratch} was not made by the restore test, which needs this name; "
            "delete or rename it"
        )
    if _ENDED in tags:
        instances.delete(site.rds, site.scratch)
        return {"status": "deleting"}
    try:
        state = _advance(site, instance, tags, remaining_seconds)
    except Exception as error:
        _end(site, instance, tags, f"{type(error).__name__}: {error}")
        raise
    if state["status"] == "proven":
        _end(site, instance, tags, None)
    return state


def _advance(
    site: Site,
    instance: dict[str, Any],
    tags: dict[str, str],
    remaining_seconds: Callable[[], float],
) -> dict[str, Any]:
    now = datetime.now(UTC)
    started_at = datetime.fromisoformat(tags[_STARTED])
    if now - started_at > timedelta(hours=site.oldest_hours):
        raise OperationError(
            f"restore test stopped: {site.scratch} is {instance['DBInstanceStatus']} and older "
            f"than {site.oldest_hours} hours; it is deleted. See its events in RDS"
        )
    known = _READY in tags
    instance = _when_ready(site, instance, tags, remaining_seconds)
    if _READY not in tags:
        return {"status": "waiting", "instance_status": instance["DBInstanceStatus"]}
    if not known and remaining_seconds() < _ENOUGH_SECONDS:
        return {"status": "ready"}
    now = datetime.now(UTC)
    if tags.get(_ATTEMPT):
        began = datetime.fromisoformat(tags[_ATTEMPT])
        if (now - began).total_seconds() < _LONGEST_RUN_SECONDS:
            return {"status": "another run is at it"}
        raise OperationError(
            "restore test stopped: the run that began "
            f"{began.isoformat(timespec='seconds')} ended without a word, at the function's time "
            "limit or memory; see its log. The instance is deleted"
        )
    _tag(site, instance, {_ATTEMPT: now.isoformat()})
    endpoint = replace(
        site.production,
        host=str(instance["Endpoint"]["Address"]),
        port=int(instance["Endpoint"]["Port"]),
    )
    marked = Marked(tags[_MARKER], datetime.fromisoformat(tags[_MOMENT]))
    if _FIRST_PROOF not in tags:
        first = restore_test_proofs.point_in_time(
            site,
            endpoint,
            marked,
            started_at=started_at,
            ready_at=datetime.fromisoformat(tags[_READY]),
            behind_seconds=float(tags[_BEHIND]),
        )
        _tag(site, instance, {_FIRST_PROOF: first.key if first.proven else "failed"})
        if not first.proven:
            raise OperationError(
                f"restore test failed: the restore to {marked.moment.isoformat()} is not what it "
                f"should be ({restore_test_proofs.findings(first)}); see {first.key}"
            )
    backup = _backup_of(site, tags.get(_SCOPE, "weekly"))
    left = remaining_seconds() - _CLEAN_UP_SECONDS
    estimate = restore_test_proofs.estimate_seconds(site, backup)
    if estimate > left:
        if estimate > _LONGEST_RUN_SECONDS - _CLEAN_UP_SECONDS or _FIRST_PROOF in tags:
            raise OperationError(
                f"restore test failed: restoring backup {backup.id} takes about {estimate:.0f} s, "
                f"and the function has {left:.0f} s; it was not tried. Prove it from a machine "
                "with time: pgkeep restore --from latest --to NAME --drop-afterwards"
            )
        # The next call has all of its time for it.
        _tag(site, instance, {_ATTEMPT: ""})
        return {"status": "half", "next": backup.id, "estimate_seconds": round(estimate)}
    second = restore_test_proofs.dump(site, endpoint, backup)
    if not second.proven:
        raise OperationError(
            f"restore test failed: backup {backup.id} restored is not what was backed up "
            f"({restore_test_proofs.findings(second)}); see {second.key}"
        )
    first_key = tags.get(_FIRST_PROOF) or restore_test_proofs.newest_key(site, "point-in-time")
    return {"status": "proven", "backup": backup.id, "reports": [first_key, second.key]}


def _when_ready(
    site: Site,
    instance: dict[str, Any],
    tags: dict[str, str],
    remaining_seconds: Callable[[], float],
) -> dict[str, Any]:
    """The instance as it is once it can be used, or when this run has no more time to look.

    `tags`, and the instance's own, get the time when it was there first: looking every ten minutes
    only would make the measured RTO as much too long.

    Raises:
        OperationError: RDS could not make it.
    """
    while not instances.is_ready(instance):
        if remaining_seconds() < _LAST_LOOK_SECONDS:
            return instance
        time.sleep(_POLL_SECONDS)
        instance = instances.required(site.rds, site.scratch)
    if _READY not in tags:
        tags[_READY] = datetime.now(UTC).isoformat()
        _tag(site, instance, {_READY: tags[_READY]})
    return instance


def _backup_of(site: Site, scope: str) -> Manifest:
    """The newest of the first class that has one; of any class when none of them has."""
    backups = site.store.find(site.database).backups
    for wanted in SCOPES[scope]:
        for backup in backups:
            if backup.backup_class == wanted:
                return backup
    return site.store.get("latest", site.database)


def _tag(site: Site, instance: dict[str, Any], tags: dict[str, str]) -> None:
    site.rds.add_tags_to_resource(
        ResourceName=instance["DBInstanceArn"],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )


def _end(site: Site, instance: dict[str, Any], tags: dict[str, str], failure: str | None) -> None:
    """Delete the instance whatever happened, and say how it went.

    Where RDS does not delete it in its present status, the next call does.
    """
    seconds = (datetime.now(UTC) - datetime.fromisoformat(tags[_STARTED])).total_seconds()
    try:
        _tag(site, instance, {_ENDED: "failed" if failure else "proven"})
        deleted = instances.delete(site.rds, site.scratch)
    finally:
        _publish_result(site, seconds, failure)
    if failure is None:
        _write_last(site, tags.get(_SCOPE, "weekly"))
    log("restore_test_cleaned_up", instance=site.scratch, deleted=deleted)


def _publish_result(site: Site, seconds: float, failure: str | None) -> None:
    log_metrics(
        "restore_test",
        dimensions={"Database": site.database},
        metrics={
            "RestoreTestSuccess": (0 if failure else 1, "Count"),
            "RestoreTestDurationSeconds": (round(seconds), "Seconds"),
        },
        **({"error": failure} if failure else {}),
    )


def _write_last(site: Site, scope: str) -> None:
    document = {
        "database": site.database,
        "scope": scope,
        "LAST_BACKUP_RESTORE_TEST": datetime.now(UTC).isoformat(timespec="seconds"),
        "reports": [
            restore_test_proofs.newest_key(site, kind) for kind in ("point-in-time", "dump")
        ],
    }
    site.store.s3.put_object(
        Bucket=site.store.bucket,
        Key=LAST_TEST_KEY,
        Body=json.dumps(document, indent=1).encode(),
        ContentType="application/json",
        ChecksumAlgorithm="SHA256",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=site.kms_key,
    )


def last_proven(s3: Any, bucket: str) -> datetime | None:
    """When the whole restore test last held; None: never."""
    from botocore.exceptions import ClientError

    try:
        body = s3.get_object(Bucket=bucket, Key=LAST_TEST_KEY)["Body"].read()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
            return None
        raise
    try:
        return datetime.fromisoformat(json.loads(body)["LAST_BACKUP_RESTORE_TEST"])
    except (ValueError, KeyError, TypeError):
        raise OperationError(
            f"{LAST_TEST_KEY} in {bucket} is not what a restore test wrote, so nobody knows when a "
            "restore was last proven; delete it, the next test writes it again"
        ) from None


def _publish_age(site: Site) -> None:
    """Never tested counts from the day that the database was made."""
    last = last_proven(site.store.s3, site.store.bucket)
    since = last or instances.required(site.rds, site.source)["InstanceCreateTime"]
    days = (datetime.now(UTC) - since).total_seconds() / 86_400
    log_metrics(
        "restore_test_age",
        dimensions={"Database": site.database},
        metrics={"RestoreTestAgeDays": (round(days, 3), "None")},
        LAST_BACKUP_RESTORE_TEST=last.isoformat() if last else None,
    )


def _wait_for_archive(
    site: Site, moment: datetime, remaining_seconds: Callable[[], float]
) -> datetime:
    """RDS ships the log every five minutes; until then the moment cannot be restored."""
    while True:
        latest = instances.required(site.rds, site.source).get("LatestRestorableTime")
        if latest is not None and latest >= moment:
            return latest
        if remaining_seconds() < _CLEAN_UP_SECONDS:
            raise OperationError(
                f"restore test failed: {site.source} could not be restored to "
                f"{moment.isoformat()} minutes after; its latest restorable time is "
                f"{latest.isoformat() if latest else 'none'}. Check its automated backups"
            )
        time.sleep(_POLL_SECONDS)
