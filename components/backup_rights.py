"""What may be done by whoever makes backups: the function, and the worker in its place."""

from __future__ import annotations

import pulumi_aws as aws

from components.backup_names import backup_bucket_arn, bucket_name, worker_name
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.iam import Statement, allow, read_secrets
from components.manifest_signatures import manifest_key_use


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


def worker_group_arn(deployment: Deployment) -> str:
    """The group by its name: the part left open is a UUID that is not known before it exists."""
    name = worker_name(deployment)
    return deployment.arn("autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}")
