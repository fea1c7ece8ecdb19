"""Copies of databases: DB snapshots under another key, automated backups in another region.

Defaults and replacements as in pulumi-aws 7 (the AWS Terraform provider 6: internal/service/rds).
"""

from localcloud.provider.context import Context, names
from localcloud.provider.resource import Operation, Ready, Resource
from localcloud.provider.resources.database_groups import rds_tags


class _BackupReplication(Resource):
    """Lives in the region that the backups go to; AWS's SDK signs for the one they come from."""

    def start(self, context: Context) -> None:
        parameters = self.request(context.aws, context.inputs)
        parameters["SourceRegion"] = str(context.inputs["sourceDbInstanceArn"]).split(":")[3]
        made = context.call("rds", self.create_with.name, **parameters)["DBInstanceAutomatedBackup"]
        context.id = made["DBInstanceAutomatedBackupsArn"]


RESOURCES: tuple[Resource, ...] = (
    _BackupReplication(
        kind="aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
        service="rds",
        create_with=Operation("StartDBInstanceAutomatedBackupsReplication"),
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
        renames={"retentionPeriod": "BackupRetentionPeriod"},
        computed={"sourceDbInstanceArn": "DBInstanceArn"},
        replaces=names("kmsKeyId preSignedUrl retentionPeriod sourceDbInstanceArn"),
        defaults={"retentionPeriod": 7},
        ready=Ready("Status", names("replicating")),
        # pulumi-aws waits 75 minutes: the first copy is the whole database.
        wait_seconds=4500,
        not_found=names("DBInstanceAutomatedBackupNotFound DBInstanceAutomatedBackupNotFoundFault"),
    ),
    Resource(
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
            "dbSnapshotArn": "DBSnapshotArn",
            "sourceRegion": "SourceRegion",
        },
        computed={"targetDbSnapshotIdentifier": "DBSnapshotIdentifier"},
        replaces=names(
            "copyTags destinationRegion kmsKeyId optionGroupName presignedUrl "
            "sourceDbSnapshotIdentifier targetCustomAvailabilityZone targetDbSnapshotIdentifier"
        ),
        # AWS names the key by its ARN, and the source by what was given or by its ARN.
        unobserved=names("kmsKeyId sourceDbSnapshotIdentifier copyTags"),
        tags=rds_tags("TagList"),
        ready=Ready("Status", names("available"), names("failed")),
        wait_seconds=1200,
        not_found=names("DBSnapshotNotFound DBSnapshotNotFoundFault"),
    ),
)
