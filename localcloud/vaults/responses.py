"""Actions of AWS Backup's API that moto lacks."""

import datetime
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote

from moto.backup.exceptions import ResourceNotFoundException
from moto.backup.responses import BackupResponse

from localcloud.permissions import callers
from localcloud.vaults import backup_jobs, copy_jobs
from localcloud.vaults.backend import LocalBackupBackend
from localcloud.vaults.records import BackupJob, CopyJob

PATHS = (
    "{0}/backup-jobs/?$",
    "{0}/backup-jobs/(?P<job>[^/]+)$",
    "{0}/copy-jobs/?$",
    "{0}/copy-jobs/(?P<job>[^/]+)$",
    "{0}/backup-vaults/(?P<name>[^/]+)/access-policy$",
    "{0}/backup-vaults/(?P<name>[^/]+)/recovery-points/$",
    "{0}/backup-vaults/(?P<name>[^/]+)/recovery-points/(?P<point>[^/]+)$",
    "{0}/resources/(?P<arn>[^/]+)/recovery-points/$",
)


def install() -> None:
    """Add the actions to moto's dispatcher."""
    for action in (
        put_backup_vault_access_policy,
        get_backup_vault_access_policy,
        delete_backup_vault_access_policy,
        create_backup_selection,
        get_backup_selection,
        delete_backup_selection,
        update_backup_plan,
        start_backup_job,
        stop_backup_job,
        describe_backup_job,
        list_backup_jobs,
        start_copy_job,
        describe_copy_job,
        list_copy_jobs,
        list_recovery_points_by_backup_vault,
        list_recovery_points_by_resource,
        delete_recovery_point,
    ):
        setattr(BackupResponse, action.__name__, action)


def put_backup_vault_access_policy(self: BackupResponse) -> str:
    """PutBackupVaultAccessPolicy."""
    vault = _backend(self).vault(_part(self, "backup-vaults"))
    _backend(self).vault_policies[vault.backup_vault_name] = _body(self)["Policy"]
    return "{}"


def get_backup_vault_access_policy(self: BackupResponse) -> str:
    """GetBackupVaultAccessPolicy."""
    vault = _backend(self).vault(_part(self, "backup-vaults"))
    policy = _backend(self).vault_policies.get(vault.backup_vault_name)
    if policy is None:
        raise ResourceNotFoundException(msg=f"{vault.backup_vault_name} has no access policy")
    named = {"BackupVaultName": vault.backup_vault_name, "BackupVaultArn": vault.backup_vault_arn}
    return json.dumps({**named, "Policy": policy})


def delete_backup_vault_access_policy(self: BackupResponse) -> str:
    """DeleteBackupVaultAccessPolicy."""
    _backend(self).vault_policies.pop(_part(self, "backup-vaults"), None)
    return "{}"


def create_backup_selection(self: BackupResponse) -> str:
    """CreateBackupSelection."""
    plan_id = _part(self, "plans")
    identifier = _backend(self).select(plan_id, _body(self)["BackupSelection"])
    return json.dumps({"BackupPlanId": plan_id, "SelectionId": identifier})


def get_backup_selection(self: BackupResponse) -> str:
    """GetBackupSelection."""
    plan_id, identifier = _part(self, "plans"), _part(self, "selections")
    selection = _backend(self).selection(plan_id, identifier)
    named = {"BackupPlanId": plan_id, "SelectionId": identifier}
    return json.dumps({**named, "BackupSelection": selection})


def delete_backup_selection(self: BackupResponse) -> str:
    """DeleteBackupSelection."""
    plan_id, identifier = _part(self, "plans"), _part(self, "selections")
    _backend(self).selection(plan_id, identifier)
    del _backend(self).selections[plan_id, identifier]
    return "{}"


def update_backup_plan(self: BackupResponse) -> str:
    """UpdateBackupPlan."""
    plan = _backend(self).update_plan(_part(self, "plans"), _body(self)["BackupPlan"])
    return json.dumps(plan.to_dict())


def start_backup_job(self: BackupResponse) -> str:
    """StartBackupJob."""
    now = datetime.datetime.now(datetime.UTC)
    job = backup_jobs.start(_backend(self), backup_jobs.request_of(_body(self), now), now)
    described = job.describe()
    members = ("BackupJobId", "CreationDate", "RecoveryPointArn")
    return json.dumps({name: described[name] for name in members if name in described})


def stop_backup_job(self: BackupResponse) -> str:
    """StopBackupJob."""
    now = datetime.datetime.now(datetime.UTC)
    backup_jobs.stop(_backend(self), _backup_job(self), now)
    return "{}"


def describe_backup_job(self: BackupResponse) -> str:
    """DescribeBackupJob."""
    return json.dumps(_backup_job(self).describe())


def _backup_job(self: BackupResponse) -> BackupJob:
    jobs, wanted = _backend(self).backup_jobs, _part(self, "backup-jobs")
    if wanted not in jobs:
        raise ResourceNotFoundException(msg=f"Backup job {wanted} not found")
    return jobs[wanted]


def list_backup_jobs(self: BackupResponse) -> str:
    """ListBackupJobs, the newest first."""
    jobs = list(_backend(self).backup_jobs.values())
    return json.dumps({"BackupJobs": _chosen(self, jobs, {"backupVaultName": "BackupVaultName"})})


def start_copy_job(self: BackupResponse) -> str:
    """StartCopyJob."""
    job = copy_jobs.start(_backend(self), _body(self), datetime.datetime.now(datetime.UTC))
    return json.dumps({"CopyJobId": job.id, "CreationDate": job.created.timestamp()})


def describe_copy_job(self: BackupResponse) -> str:
    """DescribeCopyJob."""
    jobs, wanted = _backend(self).copy_jobs, _part(self, "copy-jobs")
    if wanted not in jobs:
        raise ResourceNotFoundException(msg=f"Copy job {wanted} not found")
    return json.dumps({"CopyJob": jobs[wanted].describe()})


def list_copy_jobs(self: BackupResponse) -> str:
    """ListCopyJobs, the newest first."""
    members = {
        "destinationVaultArn": "DestinationBackupVaultArn",
        "sourceRecoveryPointArn": "SourceRecoveryPointArn",
    }
    jobs = list(_backend(self).copy_jobs.values())
    return json.dumps({"CopyJobs": _chosen(self, jobs, members)})


def _chosen(
    self: BackupResponse, jobs: list[BackupJob] | list[CopyJob], members: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The jobs that the request's filters leave; `members` of the job by the filter's name."""
    members = {**members, "resourceArn": "ResourceArn", "state": "State"}
    wanted = {
        member: self.querystring[name][0]
        for name, member in members.items()
        if name in self.querystring
    }
    return [
        described
        for described in (job.describe() for job in reversed(jobs))
        if all(described.get(member) == value for member, value in wanted.items())
    ]


def list_recovery_points_by_backup_vault(self: BackupResponse) -> str:
    """ListRecoveryPointsByBackupVault, of all resources or one."""
    backend = _backend(self)
    vault = backend.vault(_part(self, "backup-vaults"))
    wanted = self.querystring.get("resourceArn", [None])[0]
    found = [point.describe() for point in backend.points.values() if point.vault is vault]
    chosen = [one for one in found if wanted in (None, one["ResourceArn"])]
    return json.dumps({"RecoveryPoints": chosen})


def list_recovery_points_by_resource(self: BackupResponse) -> str:
    """ListRecoveryPointsByResource."""
    wanted = _part(self, "resources")
    found = [point.describe() for point in _backend(self).points.values()]
    renamed = [
        {**one, "BackupSizeBytes": one["BackupSizeInBytes"]}
        for one in found
        if one["ResourceArn"] == wanted
    ]
    return json.dumps({"RecoveryPoints": renamed})


def delete_recovery_point(self: BackupResponse) -> str:
    """DeleteRecoveryPoint."""
    principal = callers.identify(self).principal
    _backend(self).delete_point(
        _part(self, "backup-vaults"), _part(self, "recovery-points"), principal
    )
    return "{}"


def _backend(response: BackupResponse) -> LocalBackupBackend:
    return cast(LocalBackupBackend, response.backup_backend)


def _body(response: BackupResponse) -> dict[str, Any]:
    return json.loads(response.body)


def _part(response: BackupResponse, after: str) -> str:
    """What follows `after` in the request's path."""
    parts = response.path.split("/")
    return unquote(parts[parts.index(after) + 1])
