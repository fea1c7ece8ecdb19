"""What may be done by whoever makes backups: the function, and the worker in its place."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.backup_names import backup_bucket_arn, bucket_name, export_name, worker_name
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.iam import Statement, allow, read_secrets
from components.manifest_signatures import manifest_key_use

#: Who writes exported snapshots, as IAM knows it.
EXPORT_SERVICE = "export.rds"


def make_backups(
    deployment: Deployment, keys: EncryptionKeys, backup_secret: aws.secretsmanager.Secret
) -> list[Statement]:
    """Add objects to the bucket; read manifests, and neither rows nor more."""
    return [
        allow(
            "AddBackups",
            ["s3:AbortMultipartUpload", "s3:PutObject"],
            [f"{backup_bucket_arn(deployment)}/*"],
        ),
        # What a run that died has left is aborted by the next one; the listing also
        # tells whether an object is there whose answer was lost.
        allow(
            "FindUploads",
            ["s3:ListBucket", "s3:ListBucketMultipartUploads"],
            [deployment.global_arn("s3", bucket_name(deployment))],
        ),
        # How long the last backups took.
        allow(
            "ReadManifests",
            ["s3:GetObject"],
            [
                f"{backup_bucket_arn(deployment)}/{class_}/*/manifest.json"
                for class_ in deployment.settings.backups.classes
            ],
        ),
        # A multipart upload reads its own parts' data keys.
        allow(
            "AddBackupsKey",
            ["kms:Decrypt", "kms:GenerateDataKey"],
            [keys.backups.arn],
            deployment.via("s3"),
        ),
        *manifest_key_use(keys, "kms:GenerateMac"),
        *read_secrets(deployment, keys.secrets.arn, [backup_secret.arn]),
    ]


def start_worker(deployment: Deployment) -> list[Statement]:
    """See whether a worker is up, and have one started."""
    return [
        # The action knows no resources; the region is all that can be named.
        allow(
            "SeeWorkers",
            ["autoscaling:DescribeAutoScalingGroups"],
            ["*"],
            {"StringEquals": {"aws:RequestedRegion": deployment.region}},
        ),
        allow("StartWorker", ["autoscaling:SetDesiredCapacity"], [worker_group_arn(deployment)]),
    ]


def export_snapshots(
    deployment: Deployment, keys: EncryptionKeys, instance: str, role_arn: pulumi.Input[str]
) -> list[Statement]:
    """Snapshot the instance, and have RDS export it with one role; nothing of it is deleted."""
    database = deployment.arn("rds", f"db:{instance}")
    own = deployment.arn("rds", f"snapshot:{export_name(deployment)}-*")
    automated = deployment.arn("rds", f"snapshot:rds:{instance}-*")
    keys_used = [keys.backups.arn, keys.database.arn]
    via = deployment.via("rds")
    return [
        allow("TakeSnapshots", ["rds:CreateDBSnapshot"], [database, own]),
        allow("SeeSnapshots", ["rds:DescribeDBSnapshots"], [database, own, automated]),
        # The actions know no resources: what can be exported, and to where, the role says.
        allow(
            "ExportSnapshots",
            ["rds:DescribeExportTasks", "rds:StartExportTask"],
            ["*"],
            {"StringEquals": {"aws:RequestedRegion": deployment.region}},
        ),
        allow(
            "PassExportRole",
            ["iam:PassRole"],
            [role_arn],
            {"StringEquals": {"iam:PassedToService": deployment.service_principal(EXPORT_SERVICE)}},
        ),
        # AWS RDS API reference, StartExportTask: the caller must be allowed both. The snapshot's
        # key is used on behalf of who makes it.
        allow(
            "LetRdsUseKeys",
            ["kms:CreateGrant"],
            keys_used,
            {**via, "Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
        allow("SeeKeys", ["kms:DescribeKey"], keys_used, via),
        allow(
            "ReadRequests",
            ["s3:GetObject"],
            [f"{backup_bucket_arn(deployment)}/handover/*/request.json"],
        ),
    ]


def worker_group_arn(deployment: Deployment) -> str:
    """The group by its name: the part left open is a UUID that is not known before it exists."""
    name = worker_name(deployment)
    return deployment.arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")
