"""RDS snapshots, copies of them and backups replicated to another region. Replacements and waits
as in pulumi-aws 7 (the AWS Terraform provider 6: internal/service/rds)."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, keeping, names
from localcloud.provider.errors import NotFoundError
from localcloud.provider.operations import Operation, Ready
from localcloud.provider.resource import Resource
from localcloud.provider.tags import Tags

_TAGS = Tags(
    tag=Operation("AddTagsToResource", {"ResourceName": "$dbSnapshotArn"}),
    untag=Operation("RemoveTagsFromResource", {"ResourceName": "$dbSnapshotArn"}),
    read="TagList",
)
_NOT_FOUND = names("DBSnapshotNotFound DBSnapshotNotFoundFault DBInstanceAutomatedBackupNotFound")


class _Snapshot(Resource):
    """A manual snapshot; the accounts it is shared with are changed by a request of their own."""

    def start(self, context: Context) -> None:
        super().start(context)
        if context.inputs.get("sharedAccounts"):
            with keeping(context):
                if self.ready is not None:
                    self.wait_ready(context, self.ready)
                self._share(context)

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "sharedAccounts" in changed and context.old_inputs:
            self._share(context)

    def _share(self, context: Context) -> None:
        old = set(context.old_inputs.get("sharedAccounts") or [])
        new = set(context.inputs.get("sharedAccounts") or [])
        context.call(
            "rds",
            "ModifyDBSnapshotAttribute",
            DBSnapshotIdentifier=context.id,
            AttributeName="restore",
            ValuesToAdd=sorted(new - old),
            ValuesToRemove=sorted(old - new),
        )

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        attributes = context.call(
            "rds", "DescribeDBSnapshotAttributes", DBSnapshotIdentifier=context.id
        )["DBSnapshotAttributesResult"]["DBSnapshotAttributes"]
        values["sharedAccounts"] = sorted(
            account
            for attribute in attributes
            if attribute["AttributeName"] == "restore"
            for account in attribute["AttributeValues"]
        )
        return values


class _SnapshotCopy(_Snapshot):
    """A copy, also of a snapshot in another region."""

    def request(self, aws: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        request = super().request(aws, inputs)
        source = str(inputs.get("sourceDbSnapshotIdentifier"))
        if source.startswith("arn:") and len(source.split(":")) > 3:
            request["SourceRegion"] = source.split(":")[3]
        return request


class _Replication(Resource):
    """Automated backups in another region; a retained one is no replication any more."""

    def request(self, aws: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        request = super().request(aws, inputs)
        source = str(inputs.get("sourceDbInstanceArn")).split(":")
        if len(source) > 3:
            request["SourceRegion"] = source[3]
        return request

    def read(self, context: Context) -> dict[str, Any]:
        found = super().read(context)
        if found.get("Status") == "retained":
            raise NotFoundError(f"{context.subject} ({context.id}) has ended: it is retained")
        return found

    def delete(self, context: Context) -> None:
        # What ended with its source must not end the replication of the source's successor.
        if self.still_there(context) is not None:
            super().delete(context)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        values["sourceDbInstanceArn"] = found.get("DBInstanceArn")
        return values


RESOURCES: tuple[Resource, ...] = (
    _Snapshot(
        kind="aws:rds/snapshot:Snapshot",
        service="rds",
        create_with=Operation("CreateDBSnapshot", result="DBSnapshot"),
        identifier="result.DBSnapshotIdentifier",
        read_with=Operation(
            "DescribeDBSnapshots", {"DBSnapshotIdentifier": "$id"}, "DBSnapshots[0]"
        ),
        delete_with=Operation("DeleteDBSnapshot", {"DBSnapshotIdentifier": "$id"}),
        renames={
            "dbInstanceIdentifier": "DBInstanceIdentifier",
            "dbSnapshotIdentifier": "DBSnapshotIdentifier",
            "dbSnapshotArn": "DBSnapshotArn",
            "sourceDbSnapshotIdentifier": "SourceDBSnapshotIdentifier",
        },
        special=names("sharedAccounts"),
        unordered=names("sharedAccounts"),
        replaces=names("dbInstanceIdentifier dbSnapshotIdentifier"),
        tags=_TAGS,
        ready=Ready("Status", names("available"), names("failed")),
        not_found=_NOT_FOUND,
        wait_gone=True,
        wait_seconds=1200,
    ),
    _SnapshotCopy(
        kind="aws:rds/snapshotCopy:SnapshotCopy",
        service="rds",
        create_with=Operation("CopyDBSnapshot", result="DBSnapshot"),
        identifier="result.DBSnapshotIdentifier",
        read_with=Operation(
            "DescribeDBSnapshots", {"DBSnapshotIdentifier": "$id"}, "DBSnapshots[0]"
        ),
        delete_with=Operation("DeleteDBSnapshot", {"DBSnapshotIdentifier": "$id"}),
        renames={
            "sourceDbSnapshotIdentifier": "SourceDBSnapshotIdentifier",
            "targetDbSnapshotIdentifier": "TargetDBSnapshotIdentifier",
            "presignedUrl": "PreSignedUrl",
            "dbSnapshotArn": "DBSnapshotArn",
        },
        special=names("sharedAccounts"),
        unordered=names("sharedAccounts"),
        # AWS names the key by its ARN, and the source only of a copy from elsewhere.
        unobserved=names("copyTags kmsKeyId sourceDbSnapshotIdentifier targetDbSnapshotIdentifier"),
        replaces=names(
            "sourceDbSnapshotIdentifier targetDbSnapshotIdentifier copyTags destinationRegion "
            "kmsKeyId optionGroupName presignedUrl targetCustomAvailabilityZone"
        ),
        tags=_TAGS,
        ready=Ready("Status", names("available"), names("failed")),
        not_found=_NOT_FOUND,
        wait_gone=True,
        wait_seconds=1200,
    ),
    _Replication(
        kind="aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
        service="rds",
        create_with=Operation(
            "StartDBInstanceAutomatedBackupsReplication", result="DBInstanceAutomatedBackup"
        ),
        identifier="result.DBInstanceAutomatedBackupsArn",
        read_with=Operation(
            "DescribeDBInstanceAutomatedBackups",
            {"DBInstanceAutomatedBackupsArn": "$id"},
            "DBInstanceAutomatedBackups[0]",
        ),
        delete_with=Operation(
            "StopDBInstanceAutomatedBackupsReplication",
            {"SourceDBInstanceArn": "$sourceDbInstanceArn"},
        ),
        renames={
            "sourceDbInstanceArn": "SourceDBInstanceArn",
            "retentionPeriod": "BackupRetentionPeriod",
        },
        unobserved=names("kmsKeyId"),
        defaults={"retentionPeriod": 7},
        replaces=names("kmsKeyId preSignedUrl retentionPeriod sourceDbInstanceArn"),
        ready=Ready("Status", names("replicating"), names("failed")),
        not_found=_NOT_FOUND,
        wait_gone=True,
        wait_seconds=4500,
    ),
)
