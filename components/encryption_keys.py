"""Customer keys: one for each kind of data, so that a grant on one opens nothing else."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.iam import Statement, document

# What the account may delegate through IAM. The usual `kms:*` written out.
_ACCOUNT_ACTIONS = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)


class EncryptionKeys(pulumi.ComponentResource):
    """Keys of the databases, the backups, the secrets, and of logs, alarms and dead letters."""

    database: aws.kms.Key
    backups: aws.kms.Key
    secrets: aws.kms.Key
    telemetry: aws.kms.Key

    def __init__(
        self, name: str, deployment: Deployment, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make the keys and an alias for each."""
        super().__init__("pgkeep:components:EncryptionKeys", name, None, opts)
        self._name = name
        self._deployment = deployment
        self.database = self._key("database", "RDS storage, snapshots and Performance Insights")
        self.backups = self._key("backups", "Objects in the backup bucket")
        self.secrets = self._key("secrets", "Secrets Manager and the functions' environments")
        self.telemetry = self._key(
            "telemetry", "Log groups, alarm topic, dead-letter queues", *self._telemetry_users()
        )
        self.register_outputs(
            {
                "database_key_arn": self.database.arn,
                "backups_key_arn": self.backups.arn,
                "secrets_key_arn": self.secrets.arn,
                "telemetry_key_arn": self.telemetry.arn,
            }
        )

    def _key(self, kind: str, description: str, *users: Statement) -> aws.kms.Key:
        deployment = self._deployment
        account: Statement = {
            "Sid": "AccountDelegatesThroughIam",
            "Effect": "Allow",
            "Principal": {"AWS": deployment.account_root},
            "Action": list(_ACCOUNT_ACTIONS),
            # In a key policy `*` means this key.
            "Resource": "*",
        }
        key = aws.kms.Key(
            f"{self._name}-{kind}",
            description=f"{deployment.settings.prefix}: {description}",
            key_usage="ENCRYPT_DECRYPT",
            customer_master_key_spec="SYMMETRIC_DEFAULT",
            enable_key_rotation=True,
            is_enabled=True,
            deletion_window_in_days=deployment.settings.secrets.key_deletion_window_days,
            policy=document(account, *users),
            tags=deployment.tags(deployment.name(kind)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.kms.Alias(
            f"{self._name}-{kind}-alias",
            name=f"alias/{deployment.name(kind)}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key

    def _telemetry_users(self) -> list[Statement]:
        deployment = self._deployment
        prefix = deployment.settings.prefix
        return [
            {
                "Sid": "LogsOfThisStack",
                "Effect": "Allow",
                "Principal": {"Service": deployment.service_principal("logs")},
                "Action": [
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:GenerateDataKeyWithoutPlaintext",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                "Resource": "*",
                "Condition": {
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": [
                            deployment.arn("logs", f"log-group:/aws/rds/instance/{prefix}*"),
                            deployment.arn("logs", f"log-group:/aws/lambda/{prefix}*"),
                            deployment.arn("logs", f"log-group:/aws/vpc/{prefix}*"),
                        ]
                    }
                },
            },
            {
                "Sid": "AlarmsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": deployment.service_principal("cloudwatch")},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": deployment.account_id}},
            },
        ]
