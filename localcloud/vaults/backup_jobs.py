"""Backup jobs: RDS is asked for a snapshot within the start window, and has the completion window.

Source: AWS Backup API reference, BackupRule: StartWindowMinutes, CompletionWindowMinutes.
"""

import datetime
import logging
import uuid
from typing import Any, cast

from moto.backup.exceptions import InvalidParameterValueException
from moto.rds.exceptions import RDSClientError

from localcloud.databases.snapshots import LocalDBSnapshot
from localcloud.errors import LocalCloudError
from localcloud.vaults import copy_jobs, metrics
from localcloud.vaults.access import Role, check_lock
from localcloud.vaults.backend import LocalBackupBackend
from localcloud.vaults.records import BackupJob, BackupRequest, RecoveryPoint

_log = logging.getLogger(__name__)

# AWS tries again at least every ten minutes.
_AGAIN_AFTER = datetime.timedelta(minutes=1)
# StartBackupJob without windows: AWS Backup API reference.
_START_WITHIN_MINUTES = 8 * 60
_COMPLETE_WITHIN_MINUTES = 7 * 24 * 60
# RDS can be asked again when the instance is in another state.
_PASSING = "InvalidDBInstanceState"


def request_of(inputs: dict[str, Any], now: datetime.datetime) -> BackupRequest:
    """What StartBackupJob asks for. Raises InvalidParameterValueException."""
    arn = str(inputs["ResourceArn"])
    if not is_instance(arn):
        raise InvalidParameterValueException(
            msg=f"{arn}: the local cloud backs up RDS instances only."
        )
    start = inputs.get("StartWindowMinutes") or _START_WITHIN_MINUTES
    complete = inputs.get("CompleteWindowMinutes") or _COMPLETE_WITHIN_MINUTES
    return BackupRequest(
        vault_name=inputs["BackupVaultName"],
        resource_arn=arn,
        role_arn=inputs["IamRoleArn"],
        delete_after_days=(inputs.get("Lifecycle") or {}).get("DeleteAfterDays"),
        start_by=now + datetime.timedelta(minutes=start),
        complete_within=datetime.timedelta(minutes=complete),
        tags=inputs.get("RecoveryPointTags") or {},
    )


def is_instance(arn: str) -> bool:
    """Whether the ARN is that of an RDS instance."""
    parts = arn.split(":")
    return len(parts) == 7 and (parts[2], parts[5]) == ("rds", "db")


def start(backend: LocalBackupBackend, request: BackupRequest, now: datetime.datetime) -> BackupJob:
    """Make the job, and begin it where that is possible. Raises ResourceNotFoundException."""
    vault = backend.vault(request.vault_name)
    job = BackupJob(str(uuid.uuid4()).upper(), vault, request, now)
    backend.backup_jobs[job.id] = job
    metrics.count(vault, "NumberOfBackupJobsCreated", now)
    advance(backend, job, now)
    return job


def advance(backend: LocalBackupBackend, job: BackupJob, now: datetime.datetime) -> None:
    """Take the job as far as it has come."""
    if job.state == "CREATED":
        _begin(backend, job, now)
    if job.state == "RUNNING":
        _watch(backend, job, now)
    elif job.state == "ABORTED":
        _clear(backend, job)


def stop(backend: LocalBackupBackend, job: BackupJob, now: datetime.datetime) -> None:
    """StopBackupJob. Raises InvalidParameterValueException for one that has ended."""
    if job.ended is not None:
        raise InvalidParameterValueException(msg=f"Backup job {job.id} is {job.state}.")
    _end(job, "ABORTED", now, "Backup job was stopped by user")
    _clear(backend, job)


def _begin(backend: LocalBackupBackend, job: BackupJob, now: datetime.datetime) -> None:
    if job.asked is not None and now - job.asked < _AGAIN_AFTER and now < job.request.start_by:
        return
    job.asked = now
    try:
        snapshot = _snapshot(backend, job)
    except RDSClientError as error:
        if error.code != _PASSING:
            _end(job, "FAILED", now, str(error.message))
        elif now >= job.request.start_by:
            _end(job, "EXPIRED", now, f"Backup job expired before it began: {error.message}")
        else:
            job.message = str(error.message)
        return
    except LocalCloudError as error:
        _end(job, "FAILED", now, str(error))
        return
    job.state, job.begun, job.message = "RUNNING", now, None
    job.point = RecoveryPoint(
        arn=snapshot.arn,
        vault=job.vault,
        snapshot=snapshot,
        role_arn=job.request.role_arn,
        created=job.created,
        delete_after_days=job.request.delete_after_days,
        rule=job.request.rule,
    )
    backend.keep(job.point)


def _snapshot(backend: LocalBackupBackend, job: BackupJob) -> LocalDBSnapshot:
    """Ask RDS as the role. Raises LocalCloudError, RDSClientError."""
    request = job.request
    check_lock(job.vault, request.delete_after_days)
    role = Role(backend.account_id, request.role_arn)
    name = f"awsbackup:job-{job.id.lower()}"
    for arn in (request.resource_arn, backend.snapshot_arn(name)):
        role.require("rds:CreateDBSnapshot", arn)
    role.require("rds:AddTagsToResource", backend.snapshot_arn(name))
    snapshot = backend.rds.create_db_snapshot(
        request.resource_arn.rpartition(":")[2],
        name,
        snapshot_type="awsbackup",
        tags=[{"Key": key, "Value": value} for key, value in request.tags.items()],
    )
    return cast(LocalDBSnapshot, snapshot)


def _watch(backend: LocalBackupBackend, job: BackupJob, now: datetime.datetime) -> None:
    point, begun = cast(RecoveryPoint, job.point), cast(datetime.datetime, job.begun)
    status = point.snapshot.status
    if status == "available":
        _end(job, "COMPLETED", now)
        for action in job.request.copies:
            copy_jobs.start_action(backend, job, point, action, now)
    elif status == "failed":
        _end(job, "FAILED", now, "RDS could not make the snapshot; see the database's events")
        _clear(backend, job)
    elif now >= begun + job.request.complete_within:
        _end(job, "ABORTED", now, "Backup job did not complete within its completion window")


def _clear(backend: LocalBackupBackend, job: BackupJob) -> None:
    """Remove what an ended job leaves, once RDS no longer writes it."""
    point = job.point
    if point is not None and point.arn in backend.points and point.snapshot.status != "creating":
        backend.forget(point)


def _end(job: BackupJob, state: str, now: datetime.datetime, message: str | None = None) -> None:
    job.state, job.ended, job.message = state, now, message
    metrics.count(job.vault, f"NumberOfBackupJobs{state.capitalize()}", now)
    if message is not None:
        _log.warning("backup job %s of %s: %s", job.id, job.request.resource_arn, message)
