"""Copy jobs: a recovery point's snapshot, copied into a vault of another region or account."""

import datetime
import logging
import uuid
from collections.abc import Mapping
from typing import Any, cast

from moto.backup.exceptions import InvalidParameterValueException
from moto.rds.exceptions import RDSClientError

from localcloud.databases.snapshots import LocalDBSnapshot
from localcloud.errors import LocalCloudError
from localcloud.vaults import access, metrics
from localcloud.vaults.backend import LocalBackupBackend, backend_of
from localcloud.vaults.records import BackupJob, CopyJob, RecoveryPoint

_log = logging.getLogger(__name__)


def start(
    backend: LocalBackupBackend, inputs: Mapping[str, Any], now: datetime.datetime
) -> CopyJob:
    """StartCopyJob. Raises ResourceNotFoundException, InvalidParameterValueException."""
    source = backend.point(inputs["RecoveryPointArn"])
    if source.vault is not backend.vault(inputs["SourceBackupVaultName"]):
        raise InvalidParameterValueException(
            msg=f"{source.arn} is not in {inputs['SourceBackupVaultName']}."
        )
    return _run(backend, _job(source, inputs, inputs["IamRoleArn"], now))


def start_action(
    backend: LocalBackupBackend,
    made_by: BackupJob,
    source: RecoveryPoint,
    action: Mapping[str, Any],
    now: datetime.datetime,
) -> CopyJob:
    """Carry out a CopyAction of the rule that `made_by` came from."""
    job = _job(source, action, made_by.request.role_arn, now)
    job.backup_job_id = made_by.id
    return _run(backend, job)


def _job(
    source: RecoveryPoint, asked: Mapping[str, Any], role_arn: str, now: datetime.datetime
) -> CopyJob:
    return CopyJob(
        id=str(uuid.uuid4()).upper(),
        source=source,
        destination_vault_arn=asked["DestinationBackupVaultArn"],
        role_arn=role_arn,
        delete_after_days=(asked.get("Lifecycle") or {}).get("DeleteAfterDays"),
        created=now,
    )


def _run(backend: LocalBackupBackend, job: CopyJob) -> CopyJob:
    """Copy at once: it is a matter of hard links here."""
    vault, now = job.source.vault, job.created
    backend.copy_jobs[job.id] = job
    metrics.count(vault, "NumberOfCopyJobsCreated", now)
    try:
        job.copy = _copy(backend, job)
    except (LocalCloudError, RDSClientError) as error:
        job.state = "FAILED"
        job.message = str(error.message if isinstance(error, RDSClientError) else error)
        _log.warning(
            "copy job %s of %s to %s: %s",
            job.id, job.source.arn, job.destination_vault_arn, job.message,
        )  # fmt: skip
    else:
        job.state = "COMPLETED"
    job.ended = now
    metrics.count(vault, f"NumberOfCopyJobs{job.state.capitalize()}", now)
    return job


def _copy(backend: LocalBackupBackend, job: CopyJob) -> RecoveryPoint:
    """Copy as the role. Raises LocalCloudError, RDSClientError."""
    source = job.source
    there = backend_of(job.destination_vault_arn)
    name = f"awsbackup:copyjob-{job.id.lower()}"
    elsewhere = there.account_id != backend.account_id
    role = access.Role(backend.account_id, job.role_arn)
    if elsewhere:
        key_arn = source.snapshot.kms_key_id if source.snapshot.encrypted else None
        access.require_other_account(job.destination_vault_arn, backend.account_id, key_arn)
    role.require("backup:CopyIntoBackupVault", job.destination_vault_arn)
    vault = there.vaults.get(job.destination_vault_arn.rpartition(":")[2])
    if vault is None:
        raise LocalCloudError(f"Backup vault {job.destination_vault_arn} does not exist")
    access.check_lock(vault, job.delete_after_days)
    if elsewhere:
        role.require("rds:ModifyDBSnapshotAttribute", source.arn)
        if access.managed(vault.encryption_key_arn):
            raise LocalCloudError(
                f"{job.destination_vault_arn} is under the AWS managed key "
                f"{vault.encryption_key_arn}: copies of another account's RDS snapshots need a "
                "customer managed one"
            )
    else:
        for arn in (source.arn, there.snapshot_arn(name)):
            role.require("rds:CopyDBSnapshot", arn)
        role.require_key(vault.encryption_key_arn, there.region_name)
    if source.snapshot.encrypted and source.snapshot.kms_key_id:
        role.require_key(source.snapshot.kms_key_id, backend.region_name)
    return _keep(there, job, _snapshot(there, job, name, vault.encryption_key_arn))


def _snapshot(there: LocalBackupBackend, job: CopyJob, name: str, key_arn: str) -> LocalDBSnapshot:
    """The copy, under the key of its vault; another account sees the source for its time only."""
    source = job.source.snapshot
    shared = there.account_id != source.account_id
    if shared:
        source.modify_attribute("restore", [there.account_id], None)
    try:
        snapshot = there.rds.copy_db_snapshot(
            source.arn,
            name,
            # moto's KMS has no keys that AWS manages; the snapshot then stays under its own.
            kms_key_id=None if access.managed(key_arn) else key_arn,
            copy_tags=True,
        )
    finally:
        if shared:
            source.modify_attribute("restore", None, [there.account_id])
    snapshot.snapshot_type = "awsbackup"
    return cast(LocalDBSnapshot, snapshot)


def _keep(there: LocalBackupBackend, job: CopyJob, snapshot: LocalDBSnapshot) -> RecoveryPoint:
    source = job.source
    own = there.account_id == source.vault.backup_vault_arn.split(":")[4]
    copy = RecoveryPoint(
        arn=snapshot.arn,
        vault=there.vaults[job.destination_vault_arn.rpartition(":")[2]],
        snapshot=snapshot,
        role_arn=job.role_arn if own else None,
        # A copy is as old as what it is a copy of, and its retention counts from there.
        created=source.created,
        delete_after_days=job.delete_after_days,
        rule=source.rule,
        source_vault_arn=source.vault.backup_vault_arn,
    )
    there.keep(copy)
    return copy
