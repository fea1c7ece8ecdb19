"""The host for backups that take longer than a function may: none most of the time, one at most.

Nothing can reach it: its security group lets nothing in, and it has no key to log in with. It
reaches the database and AWS's services, makes the backups that were asked for, and ends itself.
"""

from __future__ import annotations

import base64
from typing import Any

import pulumi
import pulumi_aws as aws

from components.backup_names import backup_bucket_arn, bucket_name, worker_name
from components.backup_rights import make_backups, worker_group_arn
from components.backup_storage import BackupStorage
from components.database import Database
from components.debian_image import debian_image
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.host_launch_template import group_tags, host_launch_template
from components.iam import allow, service_role
from components.log_group import log_group
from components.network import Placement
from components.security_groups import POSTGRESQL_PORT
from hosts.worker_cloud_init import WorkerConfig, render
from stacks.backup_worker_settings import worker_instance_type

_FILES = "worker/"
_HOUR_SECONDS = 3600
# What the worker writes down before it looks at the time: boot and three small files.
_GRACE_SECONDS = 300


class BackupWorkerRole(pulumi.ComponentResource):
    """The backup function's rights, its own log, and to end itself."""

    role: aws.iam.Role
    log_path: str

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        keys: EncryptionKeys,
        backup_secret: aws.secretsmanager.Secret,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the role; the bucket names it as one of its writers."""
        super().__init__("pgkeep:components:BackupWorkerRole", name, None, opts)
        self.log_path = f"/pgkeep/{deployment.settings.prefix}/backup-worker"
        bucket = backup_bucket_arn(deployment)
        self.role, _ = service_role(
            name,
            deployment,
            role_name=worker_name(deployment),
            service="ec2",
            description="Makes the backups that take longer than a function may",
            statements=[
                *make_backups(deployment, keys, backup_secret),
                allow(
                    "ReadRequestsAndCode",
                    ["s3:GetObject"],
                    [f"{bucket}/handover/*/request.json", f"{bucket}/{_FILES}*"],
                ),
                allow(
                    "WriteOwnLog",
                    ["logs:CreateLogStream", "logs:PutLogEvents"],
                    [deployment.arn("logs", f"log-group:{self.log_path}:*")],
                ),
                allow(
                    "EndItself",
                    ["autoscaling:TerminateInstanceInAutoScalingGroup"],
                    [worker_group_arn(deployment)],
                ),
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


class BackupWorker(pulumi.ComponentResource):
    """What it runs, its launch template, and the group that has one host or none."""

    group: aws.autoscaling.Group

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        role: BackupWorkerRole,
        storage: BackupStorage,
        database: Database,
        backup_secret: aws.secretsmanager.Secret,
        code: FunctionCode,
        ca_bundle: str,
        keys: EncryptionKeys,
        placement: Placement,
        security_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make all of it; the group is empty until the backup function wants a worker."""
        super().__init__("pgkeep:components:BackupWorker", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        settings = deployment.settings.backups.worker
        label = worker_name(deployment)
        tags = deployment.tags(label)
        log_group(
            f"{name}-log",
            deployment,
            role.log_path,
            key_arn=keys.telemetry.arn,
            retention_days=deployment.settings.functions.log_retention_days,
            opts=child,
        )
        files = self._files(name, storage, code, keys)
        template = host_launch_template(
            name,
            label=label,
            description="Makes backups that take longer than a function may, and ends itself",
            image_id=_image(deployment),
            instance_type=worker_instance_type(deployment.settings),
            user_data=_user_data(
                deployment,
                role=role,
                files=files,
                database=database,
                backup_secret=backup_secret,
                ca_bundle=ca_bundle,
                keys=keys,
            ),
            role=role.role,
            security_group_id=security_group_id,
            root_volume_gib=settings.root_volume_gib,
            disk_key_arn=keys.hosts.arn,
            tags=tags,
            opts=child,
        )
        self.group = aws.autoscaling.Group(
            f"{name}-group",
            name=label,
            # The capacity is the backup function's to raise and the worker's to lower: an update
            # in between leaves it as it is.
            min_size=0,
            max_size=1,
            vpc_zone_identifiers=placement.host_subnet_ids,
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            health_check_type="EC2",
            health_check_grace_period=_GRACE_SECONDS,
            # For the alarm of a worker that stays.
            enabled_metrics=[aws.autoscaling.Metric.GROUP_IN_SERVICE_INSTANCES],
            metrics_granularity="1Minute",
            tags=group_tags(tags),
            opts=child,
        )
        self.register_outputs({"group_name": self.group.name})

    def _files(
        self,
        name: str,
        storage: BackupStorage,
        code: FunctionCode,
        keys: EncryptionKeys,
    ) -> dict[str, tuple[str, str]]:
        """Put what the worker runs into the bucket; returns key and SHA-256 of each file."""
        found: dict[str, tuple[str, str]] = {}
        for file in code.worker_files:
            built = code.worker_file(file)
            key = f"{_FILES}{file}"
            aws.s3.BucketObject(
                f"{name}-{file.partition('.')[0]}",
                bucket=storage.bucket.bucket,
                key=key,
                source=built.asset,
                source_hash=built.sha256,
                content_type="application/zip",
                server_side_encryption="aws:kms",
                kms_key_id=keys.backups.arn,
                # Without tags: S3 takes ten, and a team may have more. The versions are locked as
                # every object's, and go with the bucket.
                opts=pulumi.ResourceOptions(
                    parent=self, depends_on=[storage.policy], retain_on_delete=True
                ),
            )
            found[file] = (key, built.sha256)
        return found


def _image(deployment: Deployment) -> str:
    settings, pooler = deployment.settings, deployment.settings.pooler
    if settings.backups.worker.image_id is not None:
        return settings.backups.worker.image_id
    architecture = settings.functions.architecture
    if pooler.image_id is not None and pooler.architecture == architecture:
        return pooler.image_id
    return debian_image(architecture)


def _user_data(
    deployment: Deployment,
    *,
    role: BackupWorkerRole,
    files: dict[str, tuple[str, str]],
    database: Database,
    backup_secret: aws.secretsmanager.Secret,
    ca_bundle: str,
    keys: EncryptionKeys,
) -> pulumi.Output[str]:
    """Compressed cloud-config in base64. It names the secret and holds none."""
    backups = deployment.settings.backups

    def fill(known: dict[str, Any]) -> str:
        config = WorkerConfig(
            region=deployment.region,
            dns_suffix=deployment.dns_suffix,
            bucket=bucket_name(deployment),
            kms_key_arn=known["key"],
            manifest_key_arn=known["manifests"],
            secret_arn=known["secret"],
            log_group=role.log_path,
            rds_ca_bundle_pem=ca_bundle,
            database_host=known["host"],
            database_port=POSTGRESQL_PORT,
            database_name=deployment.settings.database.name,
            retention_days=backups.retention_days,
            largest_hashed_table_bytes=backups.largest_hashed_table_bytes,
            most_seconds=backups.worker.longest_hours * _HOUR_SECONDS,
            code=files["functions.zip"],
            sdk=files["aws-sdk.zip"],
            client=files["postgresql-client.zip"],
        )
        try:
            return base64.b64encode(render(config)).decode()
        except ValueError as error:
            raise pulumi.RunError(f"backups.worker: {error}") from None

    return pulumi.Output.all(
        key=keys.backups.arn,
        manifests=None if keys.manifests is None else keys.manifests.arn,
        secret=backup_secret.arn,
        host=database.instance.address,
    ).apply(fill)
