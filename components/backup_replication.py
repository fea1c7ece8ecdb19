"""A copy of every backup in another region or account, made by S3's own replication."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.backup_lifecycle import lifecycle
from components.backup_names import (
    backup_bucket_arn,
    copies_bucket_name,
    copies_log_bucket_name,
    copies_role_name,
)
from components.backup_records import BackupRecords
from components.bucket import BucketSpec, GuardedBucket, make_bucket
from components.bucket_statements import only_key, permanent, replicas_only, secure_transport
from components.copies_destination import (
    KEY_ACTIONS,
    OVERRIDE_ACTION,
    WRITE_ACTIONS,
    through_s3,
)
from components.customer_key import CustomerKey, make_key
from components.deployment import Deployment
from components.encryption_keys import inventory_key_user
from components.iam import Statement, allow, service_role
from stacks.backup_settings import ReplicationSettings

#: Of the only rule; also a dimension of the replication's metrics.
RULE_ID = "copy-backups"

# S3's replication time control knows this one threshold.
_TIME_CONTROL_MINUTES = 15


class BackupReplication(pulumi.ComponentResource):
    """The destination (unless it is given), the role that S3 copies with, and the rule."""

    bucket_arn: str
    key_arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        replication: ReplicationSettings,
        *,
        source: GuardedBucket,
        source_key: CustomerKey,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Copy every new version in `source`; versions from before stay where they are."""
        super().__init__("pgkeep:components:BackupReplication", name, None, opts)
        self._name = name
        self._deployment = deployment
        self._replication = replication
        ready: list[pulumi.Resource] = [source.versioning]
        if replication.bucket_arn is None:
            self.bucket_arn, key, destination = self._destination()
            ready.append(destination.versioning)
        else:
            self.bucket_arn = replication.bucket_arn
            key = CustomerKey.existing(_required(replication.key_arn))
        self.key_arn = key.arn
        role, policy = service_role(
            f"{name}-replication",
            deployment,
            role_name=copies_role_name(deployment),
            service="s3",
            description="S3 copies new backups to their second place",
            statements=self._statements(source_key.arn),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if policy is not None:
            ready.append(policy)
        aws.s3.BucketReplicationConfig(
            f"{name}-rule",
            bucket=source.bucket.bucket,
            role=role.arn,
            rules=[self._rule()],
            opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
        )
        self.register_outputs({"bucket_arn": self.bucket_arn})

    def _destination(self) -> tuple[str, CustomerKey, GuardedBucket]:
        deployment, region = self._deployment, self._replication.region
        bucket = copies_bucket_name(deployment, region)
        arn = deployment.global_arn("s3", bucket)
        backups = deployment.settings.backups
        key = (
            CustomerKey.existing(self._replication.key_arn)
            if self._replication.key_arn is not None
            else make_key(
                f"{self._name}-key",
                deployment,
                "copies",
                "Copies of the backups",
                *([inventory_key_user(deployment, arn)] if backups.inventory.enabled else []),
                region=region,
                opts=pulumi.ResourceOptions(parent=self),
            )
        )
        made = make_bucket(
            self._name,
            deployment,
            BucketSpec(
                bucket=bucket,
                key_arn=key.arn,
                lifecycle=lifecycle(backups, transitions=False),
                statements=[
                    *secure_transport(arn),
                    *only_key(arn, key.arn),
                    *permanent(deployment, arn),
                    *replicas_only(arn),
                ],
                locked=True,
                region=region,
            ),
            self,
        )
        if backups.access_logs or backups.inventory.enabled:
            BackupRecords(
                f"{self._name}-records",
                deployment,
                log_bucket=copies_log_bucket_name(deployment, region),
                source_bucket=bucket,
                source=made,
                key_arn=key.arn,
                region=region,
                opts=pulumi.ResourceOptions(parent=self),
            )
        return arn, key, made

    def _statements(self, source_key_arn: pulumi.Input[str]) -> list[Statement]:
        deployment, source = self._deployment, backup_bucket_arn(self._deployment)
        write = [*WRITE_ACTIONS]
        if self._replication.account_id is not None:
            write.append(OVERRIDE_ACTION)
        return [
            allow("ReadRule", ["s3:GetReplicationConfiguration", "s3:ListBucket"], [source]),
            allow(
                "ReadBackups",
                [
                    "s3:GetObjectLegalHold",
                    "s3:GetObjectRetention",
                    "s3:GetObjectVersionAcl",
                    "s3:GetObjectVersionForReplication",
                    "s3:GetObjectVersionTagging",
                ],
                [f"{source}/*"],
            ),
            allow("WriteCopies", write, [f"{self.bucket_arn}/*"]),
            allow(
                "ReadBackupsKey",
                ["kms:Decrypt"],
                [source_key_arn],
                through_s3(deployment, deployment.region, source),
            ),
            allow(
                "WriteCopiesKey",
                KEY_ACTIONS,
                [self.key_arn],
                through_s3(deployment, self._replication.region, self.bucket_arn),
            ),
        ]

    def _rule(self) -> aws.s3.BucketReplicationConfigRuleArgsDict:
        replication = self._replication
        destination: aws.s3.BucketReplicationConfigRuleDestinationArgsDict = {
            "bucket": self.bucket_arn,
            "storage_class": replication.storage_class,
            "encryption_configuration": {"replica_kms_key_id": self.key_arn},
            "metrics": {"status": "Enabled"},
        }
        if replication.account_id is not None:
            destination["account"] = replication.account_id
            destination["access_control_translation"] = {"owner": "Destination"}
        if replication.time_control:
            destination["metrics"] = {
                "status": "Enabled",
                "event_threshold": {"minutes": _TIME_CONTROL_MINUTES},
            }
            destination["replication_time"] = {
                "status": "Enabled",
                "time": {"minutes": _TIME_CONTROL_MINUTES},
            }
        return {
            "id": RULE_ID,
            "priority": 1,
            "status": "Enabled",
            "filter": {"prefix": ""},
            "delete_marker_replication": {"status": "Disabled"},
            "source_selection_criteria": {"sse_kms_encrypted_objects": {"status": "Enabled"}},
            "destination": destination,
        }


def _required(key_arn: str | None) -> str:
    if key_arn is None:
        raise AssertionError("stacks.rules refuses a given bucket without its key")
    return key_arn
