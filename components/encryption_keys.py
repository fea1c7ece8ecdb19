"""Customer keys: one for each kind of data, so that a grant on one opens nothing else."""

from __future__ import annotations

import pulumi

from components.aws_backup_statements import key_users
from components.backup_names import backup_bucket_arn
from components.customer_key import USE_ACTIONS, CustomerKey, make_key
from components.deployment import Deployment
from components.iam import Statement
from components.manifest_key import make_manifest_key


def inventory_key_user(deployment: Deployment, bucket_arn: str) -> Statement:
    """S3 may encrypt the inventory of `bucket_arn`, and nothing else."""
    return {
        "Sid": "InventoryOfTheBackups",
        "Effect": "Allow",
        "Principal": {"Service": deployment.service_principal("s3")},
        "Action": "kms:GenerateDataKey",
        "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": deployment.account_id},
            "ArnLike": {"aws:SourceArn": bucket_arn},
        },
    }


def log_key_user(deployment: Deployment, *groups: str) -> Statement:
    """CloudWatch Logs may encrypt this stack's log groups, and nothing else.

    In `groups`, patterns of log groups' names, `{}` is the stack's prefix.
    """
    settings = deployment.settings
    names = [settings.prefix]
    instance = settings.database.instance_name(settings.prefix)
    if not instance.startswith(settings.prefix):
        names.append(instance)
    return {
        "Sid": "LogsOfThisStack",
        "Effect": "Allow",
        "Principal": {"Service": deployment.service_principal("logs")},
        "Action": list(USE_ACTIONS),
        "Resource": "*",
        "Condition": {
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": [
                    deployment.arn("logs", f"log-group:{group.format(name)}")
                    for group in groups
                    for name in names
                ]
            }
        },
    }


def disk_key_users(deployment: Deployment) -> list[Statement]:
    """Auto Scaling's service-linked role may start hosts whose disks are under the key.

    AWS makes the role with an account's first group, and a key's policy cannot name a role that is
    not there yet: a condition can. Amazon EC2 Auto Scaling user guide: required AWS KMS key policy
    for use with encrypted volumes.
    """
    role = (
        f"arn:{deployment.partition}:iam::{deployment.account_id}:role/aws-service-role/"
        f"{deployment.service_principal('autoscaling')}/AWSServiceRoleForAutoScaling"
    )
    here = {"aws:PrincipalArn": role, "kms:CallerAccount": deployment.account_id}
    return [
        {
            "Sid": "DisksOfAutoScaling",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": list(USE_ACTIONS),
            "Resource": "*",
            "Condition": {"StringEquals": here},
        },
        {
            "Sid": "GrantsForDisksOfAutoScaling",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "kms:CreateGrant",
            "Resource": "*",
            "Condition": {
                "StringEquals": here,
                "Bool": {"kms:GrantIsForAWSResource": "true"},
            },
        },
    ]


def alarm_key_users(deployment: Deployment) -> list[Statement]:
    """Statements by which alarms and RDS's events reach an encrypted topic."""
    # RDS publishes its events under the second principal. AWS RDS user guide: granting
    # permissions to publish notifications to an Amazon SNS topic.
    publishers = {"AlarmsOfThisAccount": "cloudwatch", "DatabaseEventsOfThisAccount": "events.rds"}
    return [
        {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": deployment.service_principal(service)},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": deployment.account_id}},
        }
        for sid, service in publishers.items()
    ]


class EncryptionKeys(pulumi.ComponentResource):
    """Keys of databases, backups and secrets, of logs, alarms and dead letters, of hosts' disks."""

    database: CustomerKey
    backups: CustomerKey
    secrets: CustomerKey
    telemetry: CustomerKey
    hosts: CustomerKey
    #: Signs the backups' manifests, where the settings ask for it.
    manifests: CustomerKey | None

    def __init__(
        self, name: str, deployment: Deployment, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make the keys that `keys.*_arn` does not name, and an alias for each."""
        super().__init__("pgkeep:components:EncryptionKeys", name, None, opts)
        self._name = name
        self._deployment = deployment
        given = deployment.settings.keys
        self.database = self._key(
            "database",
            given.database_arn,
            "RDS storage, snapshots and Performance Insights",
            *self._database_users(),
        )
        self.backups = self._key(
            "backups", given.backups_arn, "Objects in the backup bucket", *self._backups_users()
        )
        self.secrets = self._key(
            "secrets", given.secrets_arn, "Secrets Manager and the functions' environments"
        )
        self.telemetry = self._key(
            "telemetry",
            given.telemetry_arn,
            "Log groups, alarm topic, dead-letter queues",
            *self._telemetry_users(),
        )
        self.hosts = self._key(
            "hosts", given.hosts_arn, "Disks of hosts", *disk_key_users(deployment)
        )
        self.manifests = self._manifests_key()
        self.register_outputs(
            {
                "database_key_arn": self.database.arn,
                "backups_key_arn": self.backups.arn,
                "secrets_key_arn": self.secrets.arn,
                "telemetry_key_arn": self.telemetry.arn,
                "hosts_key_arn": self.hosts.arn,
            }
        )

    def _key(
        self, kind: str, given_arn: str | None, description: str, *users: Statement
    ) -> CustomerKey:
        if given_arn is not None:
            return CustomerKey.existing(given_arn)
        return make_key(
            f"{self._name}-{kind}",
            self._deployment,
            kind,
            description,
            *users,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _manifests_key(self) -> CustomerKey | None:
        if not self._deployment.settings.backups.sign_manifests:
            return None
        return make_manifest_key(
            f"{self._name}-manifests", self._deployment, pulumi.ResourceOptions(parent=self)
        )

    def _database_users(self) -> list[Statement]:
        """The account that gets copies of snapshots opens them with this key."""
        chosen = self._deployment.settings.backups.aws_backup
        if chosen is None or chosen.other_account is None:
            return []
        return key_users(self._deployment, self._deployment.root_of(chosen.other_account))

    def _backups_users(self) -> list[Statement]:
        deployment = self._deployment
        if not deployment.settings.backups.inventory.enabled:
            return []
        return [inventory_key_user(deployment, backup_bucket_arn(deployment))]

    def _telemetry_users(self) -> list[Statement]:
        deployment = self._deployment
        return [
            log_key_user(
                deployment,
                "/aws/rds/instance/{}*",
                "/aws/lambda/{}*",
                "/aws/vpc/{}*",
                "/pgkeep/{}/*",
            ),
            *alarm_key_users(deployment),
        ]
