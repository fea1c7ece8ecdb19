"""Exports of snapshots to S3: StartExportTask, DescribeExportTasks, CancelExportTask.

Source: AWS RDS user guide, "Exporting DB snapshot data to Amazon S3", and the API reference.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from moto.kms.models import kms_backends
from moto.rds.exceptions import (
    ExportTaskAlreadyExistsError,
    ExportTaskNotFoundError,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import ExportTask
from moto.s3.models import s3_backends

from localcloud.databases.export_task import LocalExportTask
from localcloud.databases.snapshot_reader import export
from localcloud.databases.snapshots import LocalDBSnapshot, Snapshots
from localcloud.permissions import enforcement, resources, roles

#: Who assumes the role.
SERVICE = "export.rds.amazonaws.com"
# AWS: "up to five concurrent DB snapshot export tasks in progress per account".
_MOST_AT_ONCE = 5
_ON_OBJECTS = ("s3:PutObject", "s3:GetObject", "s3:DeleteObject")
_ON_THE_BUCKET = ("s3:ListBucket", "s3:GetBucketLocation")
_ON_THE_KEY = ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey")
# The API reference lists no error for it.
_TOO_MANY = "ExportTaskLimitReachedFault"


class Exports(Snapshots):
    """The exports of one region."""

    def start_export_task(self, kwargs: dict[str, Any]) -> ExportTask:
        """Answer at once with status STARTING; the rows are written in the background."""
        inputs = dict(kwargs)
        identifier = str(inputs["export_task_identifier"])
        if identifier in self.export_tasks:
            raise ExportTaskAlreadyExistsError(identifier)
        snapshot = self._export_source(str(inputs["source_arn"]))
        if ":" in (inputs.get("s3_prefix") or ""):
            raise InvalidParameterValue("S3Prefix: a colon is not supported.")
        if inputs.get("export_only"):
            raise InvalidParameterValue("ExportOnly: the local cloud exports whole snapshots.")
        self._require_export_bucket(str(inputs["s3_bucket_name"]))
        inputs["kms_key_id"] = self._export_key(str(inputs["kms_key_id"]))
        self._require_export_role(inputs)
        if sum(task.running for task in self._local_export_tasks()) >= _MOST_AT_ONCE:
            raise RDSClientError(_TOO_MANY, f"{_MOST_AT_ONCE} export tasks are in progress.")
        task = cast(LocalExportTask, LocalExportTask(self, snapshot, inputs))
        self.export_tasks[identifier] = task
        export(self.plane, task, snapshot)
        return task

    def cancel_export_task(self, export_task_identifier: str) -> ExportTask:
        """Stop before the next table; what is written stays."""
        (task,) = self.describe_export_tasks(export_task_identifier)
        if not task.running:
            raise RDSClientError(
                "InvalidExportTaskStateFault",
                f"Export task {export_task_identifier} is {task.status} and cannot be canceled.",
            )
        task.status = "CANCELING"
        task.cancelled.set()
        return task

    def describe_export_tasks(  # type: ignore[override]  # moto knows no filters
        self,
        export_task_identifier: str | None = None,
        source_arn: str | None = None,
        filters: Mapping[str, Sequence[str]] | None = None,
    ) -> list[LocalExportTask]:
        """All that fit, the oldest first."""
        if export_task_identifier and export_task_identifier not in self.export_tasks:
            raise ExportTaskNotFoundError(export_task_identifier)
        wanted = {
            name: {str(value) for value in values} for name, values in (filters or {}).items()
        }
        for name, value in (
            ("export-task-identifier", export_task_identifier),
            ("source-arn", source_arn),
        ):
            if value:
                wanted[name] = wanted.get(name, {value}) & {value}
        return [task for task in self._local_export_tasks() if _fits(task, wanted)]

    def _local_export_tasks(self) -> Iterable[LocalExportTask]:
        return cast("list[LocalExportTask]", list(self.export_tasks.values()))

    def _export_source(self, arn: str) -> LocalDBSnapshot:
        snapshot = self.snapshot(arn)
        if snapshot.region != self.region_name or snapshot.account_id != self.account_id:
            raise RDSClientError("DBSnapshotNotFound", f"DBSnapshot not found: {arn}")
        if snapshot.status != "available":
            raise RDSClientError(
                "InvalidExportSourceState",
                f"Export source should be 'available' but current status is {snapshot.status}.",
            )
        if any(task.running and task.snapshot is snapshot for task in self._local_export_tasks()):
            raise RDSClientError(
                "InvalidExportSourceState", f"{arn} is being exported by another export task."
            )
        return snapshot

    def _require_export_bucket(self, name: str) -> None:
        bucket: Any = s3_backends[self.account_id][self.partition].buckets.get(name)
        if bucket is None or bucket.region_name != self.region_name:
            raise RDSClientError(
                "InvalidS3BucketFault", f"The bucket {name} was not found in {self.region_name}."
            )

    def _export_key(self, key_id: str) -> str:
        arn = resources.key_arn(key_id, self.account_id, self.region_name)
        keys: Any = kms_backends[self.account_id][self.region_name].keys
        key = keys.get(arn.rpartition("/")[2])
        if key is None or not key.enabled:
            raise RDSClientError(
                "KMSKeyNotAccessibleFault", f"The KMS key {key_id} is not there, or is disabled."
            )
        return arn

    def _require_export_role(self, inputs: Mapping[str, Any]) -> None:
        """The role's trust, and each of the permissions that RDS demands of it."""
        role, bucket = str(inputs["iam_role_arn"]), f"arn:aws:s3:::{inputs['s3_bucket_name']}"
        if roles.find(self.account_id, role) is None:
            raise RDSClientError("IamRoleNotFound", f"The IAM role {role} was not found.")
        source = {"aws:sourcearn": str(inputs["source_arn"])}
        if not roles.trusts(self.account_id, role, SERVICE, source):
            raise RDSClientError(
                "IamRoleMissingPermissions",
                f"The principal {SERVICE} isn't allowed to assume the IAM role {role} or the IAM "
                "role doesn't exist.",
            )
        prefix = f"{inputs['s3_prefix']}/" if inputs.get("s3_prefix") else ""
        below = f"{bucket}/{prefix}{inputs['export_task_identifier']}/x"
        needed = [
            *((action, below) for action in _ON_OBJECTS),
            *((action, bucket) for action in _ON_THE_BUCKET),
            *((action, str(inputs["kms_key_id"])) for action in _ON_THE_KEY),
        ]
        for action, resource in needed:
            if not enforcement.role_may(self.account_id, self.region_name, role, action, resource):
                raise RDSClientError(
                    "IamRoleMissingPermissions",
                    f"The IAM role {role} isn't authorized to call {action} on {resource}.",
                )


def _fits(task: LocalExportTask, wanted: Mapping[str, set[str]]) -> bool:
    values = {
        "export-task-identifier": task.export_task_identifier,
        "s3-bucket": task.s3_bucket,
        "source-arn": task.source_arn,
        "status": task.status.lower(),
    }
    return all(values.get(name) in allowed for name, allowed in wanted.items())
