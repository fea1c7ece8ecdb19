"""Actions of the RDS API on exports of snapshots, and what the caller needs for them."""

from typing import Any, cast

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from localcloud.databases.exports import SERVICE
from localcloud.databases.responses_backups import backend_of, page
from localcloud.permissions import callers, enforcement, resources
from localcloud.permissions.policies import Request

# AWS RDS API reference, StartExportTask, KmsKeyId: what the caller must be authorized to run.
_ON_THE_KEY = ("kms:CreateGrant", "kms:DescribeKey")


def start_export_task(self: RDSResponse) -> ActionResult:
    """StartExportTask, by a caller who may pass the role and lets RDS use the key."""
    _require(self)
    return ActionResult(backend_of(self).start_export_task(dict(self.params)))


def cancel_export_task(self: RDSResponse) -> ActionResult:
    """CancelExportTask."""
    identifier = str(self.params.get("ExportTaskIdentifier"))
    return ActionResult(backend_of(self).cancel_export_task(identifier))


def describe_export_tasks(self: RDSResponse) -> ActionResult:
    """DescribeExportTasks, with SourceArn, Filters and pages."""
    params = self.params
    filters = {each["Name"]: list(each["Values"]) for each in params.get("Filters", [])}
    found = backend_of(self).describe_export_tasks(
        params.get("ExportTaskIdentifier"), params.get("SourceArn"), filters
    )
    return page(self, "ExportTasks", found)


def _require(self: RDSResponse) -> None:
    caller = callers.identify(self)
    if caller.role is None:
        return
    response = cast(Any, self)
    values = enforcement.context(response, caller)
    passes = {**values, "iam:passedtoservice": SERVICE}
    role = str(self.params.get("IamRoleArn"))
    enforcement.require(caller, Request("iam:PassRole", role, caller.principal, passes))
    account, region = str(response.current_account), str(response.region)
    key = resources.key_arn(str(self.params.get("KmsKeyId")), account, region)
    via = {
        **values,
        "kms:viaservice": f"rds.{region}.amazonaws.com",
        "kms:calleraccount": account,
        "kms:grantisforawsresource": "true",
    }
    for action in _ON_THE_KEY:
        enforcement.require(caller, Request(action, key, caller.principal, via))


ACTIONS = (start_export_task, cancel_export_task, describe_export_tasks)
