"""The role with which RDS writes exported snapshots: below one prefix, under one key."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.backup_lifecycle import EXPORTS
from components.backup_names import backup_bucket_arn, export_name
from components.backup_rights import EXPORT_SERVICE
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.iam import allow, service_role


class SnapshotExportRole(pulumi.ComponentResource):
    """RDS may write, read and remove what it exports, and nothing else of the bucket.

    AWS RDS API reference, StartExportTask: RDS demands the removal, and refuses a role without it.
    The bucket is versioned and its policy denies `s3:DeleteObjectVersion`, so that even an export
    is only hidden by it; it is refused for every other key of the bucket, backups included.
    """

    role: aws.iam.Role
    policy: aws.iam.RolePolicy | None

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        keys: EncryptionKeys,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the role."""
        super().__init__("pgkeep:components:SnapshotExportRole", name, None, opts)
        bucket = backup_bucket_arn(deployment)
        self.role, self.policy = service_role(
            name,
            deployment,
            role_name=export_name(deployment),
            service=EXPORT_SERVICE,
            description="RDS writes exported snapshots to the backup bucket",
            statements=[
                allow(
                    "WriteExports",
                    ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
                    [f"{bucket}/{EXPORTS}*"],
                ),
                # Without a condition on the prefix: how RDS looks for the bucket is not documented.
                allow("FindBucket", ["s3:GetBucketLocation", "s3:ListBucket"], [bucket]),
                # AWS RDS API reference, ExportTask: the role needs to encrypt and to decrypt.
                allow(
                    "ExportsKey",
                    ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
                    [keys.backups.arn],
                ),
            ],
            opts=pulumi.ResourceOptions(parent=self),
            # AWS RDS user guide: preventing cross-service confused deputy problems.
            source_arn=deployment.arn("rds", "*"),
        )
        self.register_outputs({})
