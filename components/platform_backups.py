"""Backups and their proof: what makes them, where they lie, who restores them as a test."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi_aws as aws

from components.aws_backup import AwsBackup
from components.backup_function import BackupFunction
from components.backup_retention import BackupRetention
from components.backup_storage import BackupStorage
from components.backup_worker import BackupWorker, BackupWorkerRole
from components.database import Database
from components.database_backup_replication import DatabaseBackupReplication
from components.operation_function import OperationFunction
from components.platform_foundation import Foundation
from components.platform_roles import PlatformRoles
from components.restore_test import RestoreTest
from components.snapshot_export import SnapshotExportRole


@dataclass(frozen=True)
class Backups:
    """The bucket, and what writes, thins out and proves what is in it.

    Attributes:
        worker: None where backups that take longer than a function may are not wanted.
        restore_test: None where it is turned off.
    """

    storage: BackupStorage
    function: BackupFunction
    retention: BackupRetention
    worker: BackupWorker | None
    restore_test: RestoreTest | None

    @property
    def operations(self) -> list[OperationFunction]:
        """The functions."""
        tests = [] if self.restore_test is None else [self.restore_test.operation]
        return [self.function.operation, self.retention.operation, *tests]


def make_backups(foundation: Foundation, database: Database, roles: PlatformRoles) -> Backups:
    """Function and worker first: the bucket names its writers."""
    deployment, settings = foundation.deployment, foundation.deployment.settings
    code, keys, opts = foundation.code, foundation.keys, foundation.opts
    secret = roles.workload.secrets["backup"]
    function = BackupFunction(
        "backup",
        deployment,
        database=database,
        backup_secret=secret,
        code=code,
        keys=keys,
        export_role=(
            SnapshotExportRole("backup-export", deployment, keys=keys, opts=opts)
            if settings.backups.exports_snapshots
            else None
        ),
        opts=opts,
        **foundation.function_placement,
    )
    retention = BackupRetention("backup-retention", deployment, code=code, keys=keys, opts=opts)
    worker_role = (
        BackupWorkerRole(
            "backup-worker-role", deployment, keys=keys, backup_secret=secret, opts=opts
        )
        if settings.backups.worker.enabled
        else None
    )
    writers = [function.operation.role, *([] if worker_role is None else [worker_role.role])]
    storage = BackupStorage(
        "backups",
        deployment,
        keys=keys,
        writer_role_arns=[role.arn for role in writers],
        opts=opts,
    )
    if settings.backups.aws_backup is not None:
        AwsBackup(
            "aws-backup",
            deployment,
            settings.backups.aws_backup,
            database=database,
            keys=keys,
            alarm_topic=foundation.alarm_topic,
            opts=opts,
        )
    if settings.database.backup_replication is not None:
        DatabaseBackupReplication(
            "backup-replication",
            deployment,
            settings.database.backup_replication,
            primary=database,
            made_for_instance=roles.master.ready,
            opts=opts,
        )
    return Backups(
        storage,
        function,
        retention,
        None
        if worker_role is None
        else _worker(foundation, worker_role, storage, database, secret),
        _restore_test(foundation, database, roles) if settings.restore_test.enabled else None,
    )


def _worker(
    foundation: Foundation,
    role: BackupWorkerRole,
    storage: BackupStorage,
    database: Database,
    secret: aws.secretsmanager.Secret,
) -> BackupWorker:
    return BackupWorker(
        "backup-worker",
        foundation.deployment,
        role=role,
        storage=storage,
        database=database,
        backup_secret=secret,
        code=foundation.code,
        ca_bundle=foundation.ca_bundle,
        keys=foundation.keys,
        placement=foundation.network.placement,
        security_group_id=foundation.network.groups.group_id("backup-worker"),
        opts=foundation.opts,
    )


def _restore_test(foundation: Foundation, database: Database, roles: PlatformRoles) -> RestoreTest:
    contract = foundation.contract
    return RestoreTest(
        "restore-test",
        foundation.deployment,
        database=database,
        subnet_group_name=foundation.deployment.name("database"),
        master_secret_arn=roles.master.secret_arn,
        workload=contract.workload,
        objectives=contract.objectives.recovery,
        code=foundation.code,
        keys=foundation.keys,
        scratch_security_group_id=foundation.network.groups.group_id("restore-test"),
        opts=foundation.opts,
        **foundation.function_placement,
    )
