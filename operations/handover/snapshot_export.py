"""An over-budget backup as an RDS snapshot export, where there is no worker.

The request stands in the bucket before anything is asked of RDS. Every step after it can be taken
again, by the next look at it: a function that was ended in the middle loses none and starts no
second one. AWS RDS user guide, "Monitoring Amazon RDS events": a program must not rely on events,
so that the function looks by itself every ten minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from operations import aws_clients, environment
from operations.backup import SCHEDULED_CLASSES, exports, failed
from operations.backup.exports import Record
from operations.errors import OperationError
from operations.handover.backup_site import BackupSite
from operations.handover.requests import Request
from operations.structured_log import log, log_metrics

# How RDS names its automated snapshots.
_AUTOMATED = "rds:"
_EACH_ITS_OWN = "pre-migration"
_WAITING = frozenset({"creating", "modifying", "copying"})
_RUNNING = frozenset({"STARTING", "IN_PROGRESS", "CANCELING"})
# RDS's five exports at once in an account, an instance that is backed up or changed just now, a
# snapshot that somebody else exports.
_LATER = (
    *("LimitReached", "LimitExceeded", "Throttl"),
    *("InvalidDBInstanceState", "InvalidExportSourceState"),
)


class ExportFailedError(OperationError):
    """There will be no export of this request."""


@dataclass(frozen=True)
class Exported:
    """What a backup was given to: RDS's names of export and snapshot.

    `queued_behind` is an export that is at work already; the snapshot does not wait for it.
    """

    to: str
    request: str
    export: str
    snapshot: str
    state: str
    location: str
    queued_behind: str | None


@dataclass(frozen=True)
class Exporter:
    """RDS of one instance; `name` begins the names of its exports and their snapshots."""

    rds: Any
    site: BackupSite
    instance: str
    name: str
    role_arn: str
    oldest_snapshot: timedelta

    @classmethod
    def from_environment(cls, site: BackupSite) -> Exporter | None:
        """From the variables that components/backup_function.py sets; None where RDS exports none.

        Raises:
            OperationError: one is missing or wrong.
        """
        import boto3

        role_arn = environment.optional("EXPORT_ROLE_ARN")
        if role_arn is None:
            return None
        return cls(
            boto3.client("rds", config=aws_clients.patient()),
            site,
            environment.required("DB_INSTANCE_IDENTIFIER"),
            environment.required("EXPORT_NAME"),
            role_arn,
            timedelta(hours=environment.required_int("OLDEST_SNAPSHOT_HOURS")),
        )

    def hand_over(self, request: Request) -> Exported:
        """Put the request, and do as much of it as can be done now.

        Raises:
            OperationError: an export of the same class is at work still, or RDS refuses this one.
                Backups before a migration are queued: each is of a moment of its own.
        """
        others = self._open()
        for other in others:
            if other.backup_class == request.backup_class != _EACH_ITS_OWN:
                raise OperationError(
                    f"export {self._identifier(other)} of a {other.backup_class} backup is at work "
                    f"since {other.requested_at}, and one at a time is enough; nothing was "
                    "started. See pgkeep backup list"
                )
        behind = self._identifier(others[0]) if others else None
        request = replace(request, snapshot=self._choose(request))
        self.site.desk.ask(request)
        try:
            state = self._advance(request, behind)
        except ExportFailedError as error:
            self._end_failed(request, error)
            raise
        return Exported(
            "snapshot_export",
            request.id,
            self._identifier(request),
            request.snapshot,
            state,
            f"s3://{self.site.target.bucket}/{self._folder(request)}/",
            behind,
        )

    def advance(self) -> list[dict[str, str]]:
        """Take the next step of every open request, and tell where each stands."""
        done: list[dict[str, str]] = []
        behind: str | None = None
        for request in self._open():
            try:
                state = self._advance(request, behind)
            except ExportFailedError as error:
                self._end_failed(request, error)
                failed(self.site.endpoint, request.backup_class, error)
                state = "failed"
            if state not in ("complete", "failed"):
                behind = behind or self._identifier(request)
            done.append({"export": self._identifier(request), "state": state})
        return done

    def _open(self) -> list[Request]:
        """The oldest first, without those to a worker, from when the stack had one."""
        asked = self.site.desk.open(exports.ABANDONED_AFTER)
        found = [request for request, _ in asked if request.snapshot]
        return sorted(found, key=lambda one: one.requested_at)

    def _identifier(self, request: Request) -> str:
        return f"{self.name}-{request.id.lower()}"

    def _folder(self, request: Request) -> str:
        return exports.folder(request.backup_class, self._identifier(request))

    def _choose(self, request: Request) -> str:
        """Name of the snapshot: RDS's newest where it is new enough, else one of our own."""
        if request.backup_class in SCHEDULED_CLASSES:
            oldest = datetime.now(UTC) - self.oldest_snapshot
            found = [
                one
                for one in self._automated()
                if one.get("Status") == "available" and one["SnapshotCreateTime"] > oldest
            ]
            if found:
                newest = max(found, key=lambda one: one["SnapshotCreateTime"])
                return str(newest["DBSnapshotIdentifier"])
        return self._identifier(request)

    def _automated(self) -> list[dict[str, Any]]:
        from botocore.exceptions import ClientError

        pages = self.rds.get_paginator("describe_db_snapshots").paginate(
            DBInstanceIdentifier=self.instance, SnapshotType="automated"
        )
        try:
            return [one for page in pages for one in page["DBSnapshots"]]
        except ClientError as error:
            # A snapshot of our own does as well.
            log("no_automated_snapshots", error=str(error))
            return []

    def _advance(self, request: Request, behind: str | None) -> str:
        """One step; returns where the export stands. Raises ExportFailedError."""
        task = self._task(request)
        if task is None:
            state = self._start(request, behind)
        elif task["Status"].upper() == "COMPLETE":
            return self._complete(request, task)
        elif task["Status"].upper() in _RUNNING:
            state = f"{task['Status'].lower()}, {task.get('PercentProgress', 0)} %"
        else:
            cause = task.get("FailureCause") or "RDS gives no cause"
            raise ExportFailedError(f"{self._name(request)} {task['Status'].lower()}: {cause}")
        if datetime.now(UTC) - datetime.fromisoformat(request.requested_at) > exports.LONGEST:
            raise ExportFailedError(
                f"{self._name(request)} did not end within {exports.LONGEST.days} days, its last "
                f"state was: {state}"
            )
        log("export_progress", export=self._identifier(request), state=state)
        return state

    def _name(self, request: Request) -> str:
        return f"export {self._identifier(request)} of snapshot {request.snapshot}"

    def _task(self, request: Request) -> dict[str, Any] | None:
        try:
            (task,) = self.rds.describe_export_tasks(
                ExportTaskIdentifier=self._identifier(request)
            )["ExportTasks"]
        except self.rds.exceptions.ExportTaskNotFoundFault:
            return None
        return task

    def _start(self, request: Request, behind: str | None) -> str:
        snapshot = self._snapshot(request)
        if snapshot is None:
            return self._take_snapshot(request)
        status = str(snapshot["Status"])
        if status in _WAITING:
            return f"snapshot {status}, {snapshot.get('PercentProgress', 0)} %"
        if status != "available":
            raise ExportFailedError(f"snapshot {request.snapshot} is {status}")
        if behind is not None:
            return f"queued behind {behind}"
        asked = {
            "ExportTaskIdentifier": self._identifier(request),
            "SourceArn": snapshot["DBSnapshotArn"],
            "S3BucketName": self.site.target.bucket,
            "S3Prefix": f"{exports.PREFIX}{request.backup_class}",
            "IamRoleArn": self.role_arn,
            "KmsKeyId": self.site.target.kms_key,
        }
        refused = self._ask(self.rds.start_export_task, asked, "ExportTaskAlreadyExists")
        if refused:
            return f"waiting to be exported: {refused}"
        log("export_started", export=self._identifier(request), snapshot=request.snapshot)
        return "starting"

    def _snapshot(self, request: Request) -> dict[str, Any] | None:
        try:
            (snapshot,) = self.rds.describe_db_snapshots(DBSnapshotIdentifier=request.snapshot)[
                "DBSnapshots"
            ]
        except self.rds.exceptions.DBSnapshotNotFoundFault:
            if request.snapshot.startswith(_AUTOMATED):
                raise ExportFailedError(
                    f"snapshot {request.snapshot} is gone: RDS has deleted it before the export"
                ) from None
            return None
        return snapshot

    def _take_snapshot(self, request: Request) -> str:
        asked = {
            "DBInstanceIdentifier": self.instance,
            "DBSnapshotIdentifier": request.snapshot,
        }
        refused = self._ask(self.rds.create_db_snapshot, asked, "DBSnapshotAlreadyExists")
        return f"waiting for a snapshot: {refused}" if refused else "snapshot creating"

    def _ask(self, action: Any, asked: Mapping[str, Any], done_code: str) -> str:
        """Ask RDS; what it says when the time has not come, else nothing.

        Raises:
            ExportFailedError: it refuses for good.
        """
        from botocore.exceptions import ClientError

        try:
            action(**asked)
        except ClientError as error:
            told = error.response.get("Error", {})
            code, message = told.get("Code", ""), told.get("Message", "")
            if code.startswith(done_code):
                return ""  # The answer to an earlier try was lost.
            if any(word in code for word in _LATER):
                return f"{code}: {message}"
            raise ExportFailedError(f"RDS refuses it: {code}: {message}") from error
        return ""

    def _complete(self, request: Request, task: Mapping[str, Any]) -> str:
        days = self.site.target.retention_days.get(request.backup_class)
        # What an automated snapshot holds is as old as the snapshot.
        taken: datetime = task["SnapshotTime"]
        ended: datetime = task.get("TaskEndTime") or datetime.now(UTC)
        record = Record(
            id=self._identifier(request),
            backup_class=request.backup_class,
            database=self.site.endpoint.database,
            snapshot=request.snapshot,
            snapshot_at=taken.astimezone(UTC).isoformat(),
            finished_at=ended.astimezone(UTC).isoformat(),
            keep_until=(
                None
                if days is None
                else (datetime.fromisoformat(request.requested_at) + timedelta(days)).isoformat()
            ),
        )
        self.site.desk.put(record.key, asdict(record))
        self.site.desk.end(request, {"status": "done", "key": record.key, **asdict(record)})
        started = datetime.fromisoformat(request.requested_at)
        self._publish(
            request,
            1,
            {"BackupExportDurationSeconds": ((ended - started).total_seconds(), "Seconds")},
            key=record.key,
        )
        return "complete"

    def _end_failed(self, request: Request, error: ExportFailedError) -> None:
        self.site.desk.end(request, {"status": "failed", "error": str(error)})
        self._publish(request, 0, {}, error=str(error))

    def _publish(
        self,
        request: Request,
        success: int,
        more: Mapping[str, tuple[float, str]],
        **fields: object,
    ) -> None:
        log_metrics(
            "backup_export",
            dimensions={"Database": self.site.endpoint.database},
            metrics={"BackupExportSuccess": (success, "Count"), **more},
            export=self._identifier(request),
            snapshot=request.snapshot,
            backup_class=request.backup_class,
            **fields,
        )
