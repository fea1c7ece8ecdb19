"""AWS Backup: snapshots of the primary in a locked vault, copied to another region and account."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from components.alarm_topic import AlarmTopic
from components.aws_backup_statements import copies_from, permanent
from components.customer_key import CustomerKey, make_key
from components.database import Database
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.iam import Statement, allow, document, service_role
from stacks.aws_backup_settings import AwsBackupSettings

# A job that has not begun by then is EXPIRED, one that has not ended ABORTED; the alarms tell both.
_START_WITHIN_MINUTES = 60
_COMPLETE_WITHIN_MINUTES = 12 * 60
_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3_600
# AWS Backup names every snapshot that it makes so, and only these.
_SNAPSHOTS = "snapshot:awsbackup:*"
# Metric of AWS/Backup -> what the alarm says.
_FAILURES = {
    "NumberOfBackupJobsFailed": "a snapshot of the database failed",
    "NumberOfBackupJobsExpired": "a snapshot of the database did not begin in its hour",
    "NumberOfBackupJobsAborted": "a snapshot of the database did not end in its time",
}
_FAILED_COPIES = "NumberOfCopyJobsFailed"


class AwsBackup(pulumi.ComponentResource):
    """Vault, the vault of the copies, plan, selection of the primary, role and alarms."""

    vault: aws.backup.Vault
    copies_vault: aws.backup.Vault

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        settings: AwsBackupSettings,
        *,
        database: Database,
        keys: EncryptionKeys,
        alarm_topic: AlarmTopic,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make everything; the first snapshot comes with the schedule."""
        super().__init__("pgkeep:components:AwsBackup", name, None, opts)
        self._name, self._deployment, self._settings = name, deployment, settings
        self._child = pulumi.ResourceOptions(parent=self)
        there = settings.region
        copies_key = (
            CustomerKey.existing(settings.kms_key_arn)
            if settings.kms_key_arn is not None
            else make_key(
                f"database-key-{name}",
                deployment,
                "aws-backup-copies",
                f"Copies of AWS Backup in {there}",
                region=there,
                opts=self._child,
            )
        )
        # A snapshot of RDS stays under the instance's key; only copies get their vault's.
        self.vault = self._vault("vault", keys.database.arn, None)
        self.copies_vault = self._vault("copies", copies_key.arn, there)
        role, policy = service_role(
            name,
            deployment,
            role_name=deployment.name("aws-backup"),
            service="backup",
            description="AWS Backup takes and copies snapshots of the primary",
            statements=self._statements(database, copies_key.arn),
            opts=self._child,
        )
        plan = aws.backup.Plan(
            f"{name}-plan",
            name=deployment.name("database"),
            rules=[self._rule(label) for label in settings.schedules],
            tags=deployment.tags(deployment.name("database")),
            opts=self._child,
        )
        aws.backup.Selection(
            f"{name}-selection",
            name=deployment.name("database"),
            plan_id=plan.id,
            iam_role_arn=role.arn,
            resources=[database.instance.arn],
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[policy] if policy is not None else []
            ),
        )
        self._alarms(alarm_topic)
        self.register_outputs({"vault": self.vault.name, "copies_vault": self.copies_vault.name})

    def _vault(
        self, label: str, key_arn: pulumi.Input[str], region: str | None
    ) -> aws.backup.Vault:
        deployment, settings = self._deployment, self._settings
        vault_name = deployment.name("database") if region is None else deployment.name("copies")
        vault = aws.backup.Vault(
            f"{self._name}-{label}",
            name=vault_name,
            kms_key_arn=key_arn,
            # Where backups may go with their stack: AWS refuses to delete a vault that has some.
            force_destroy=not deployment.settings.backups.keep_bucket,
            region=region,
            tags=deployment.tags(vault_name),
            opts=self._child,
        )
        aws.backup.VaultPolicy(
            f"{self._name}-{label}-policy",
            backup_vault_name=vault.name,
            policy=document(*self._vault_statements(region)),
            region=region,
            opts=self._child,
        )
        if settings.lock.mode != "off":
            kept = [self._retention_days(label) for label in settings.schedules]
            compliance = settings.lock.mode == "compliance"
            aws.backup.VaultLockConfiguration(
                f"{self._name}-{label}-lock",
                backup_vault_name=vault.name,
                min_retention_days=min(kept),
                max_retention_days=max(kept),
                changeable_for_days=settings.lock.changeable_for_days if compliance else None,
                region=region,
                opts=self._child,
            )
        return vault

    def _vault_statements(self, region: str | None) -> list[Statement]:
        """Nobody deletes; into the vault here the account of the copies may bring some back."""
        deployment = self._deployment
        other = self._settings.other_account
        back = (
            [copies_from(deployment.root_of(other), "AllowCopiesBack")]
            if other is not None and region is None
            else []
        )
        return [*back, permanent(deployment.settings.backups.break_glass_role_arns)]

    def _statements(self, database: Database, copies_key_arn: pulumi.Input[str]) -> list[Statement]:
        """What AWSBackupServiceRolePolicyForBackup allows for RDS, for this instance alone."""
        deployment, settings = self._deployment, self._settings
        there = deployment.in_region(settings.region)
        # Snapshots are under the key of the instance, which may have it from its origin.
        key_arn = database.storage_key_arn
        snapshots = [deployment.arn("rds", _SNAPSHOTS), there.arn("rds", _SNAPSHOTS)]
        instance = deployment.arn("rds", f"db:{database.identifier}")
        vaults = [
            deployment.arn("backup", f"backup-vault:{deployment.name('database')}"),
            there.arn("backup", f"backup-vault:{deployment.name('copies')}"),
        ]
        if settings.account_vault_arn is not None:
            vaults.append(settings.account_vault_arn)
        through_rds = {
            "StringEquals": {
                "kms:ViaService": [
                    f"rds.{region}.{deployment.dns_suffix}"
                    for region in (deployment.region, settings.region)
                ]
            }
        }
        statements = [
            allow(
                "SnapshotThePrimary",
                ["rds:AddTagsToResource", "rds:CreateDBSnapshot", "rds:DescribeDBInstances",
                 "rds:ListTagsForResource"],
                [instance, *snapshots],
            ),
            allow("CopySnapshots", ["rds:CopyDBSnapshot", "rds:DescribeDBSnapshots"], snapshots),
            allow("ExpireSnapshots", ["rds:DeleteDBSnapshot"], snapshots),
            allow("IntoVaults", ["backup:CopyIntoBackupVault", "backup:DescribeBackupVault"],
                  vaults),
            allow(
                "UseKeys",
                ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey",
                 "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
                [key_arn, copies_key_arn],
                through_rds,
            ),
            allow(
                "LetRdsUseKeys",
                ["kms:CreateGrant"],
                [key_arn, copies_key_arn],
                {"Bool": {"kms:GrantIsForAWSResource": "true"}},
            ),
        ]  # fmt: skip
        if settings.account_vault_arn is not None:
            # A snapshot reaches another account by being shared with it.
            statements.append(
                allow("ShareWithTheAccount", ["rds:ModifyDBSnapshotAttribute"], snapshots)
            )
        return statements

    def _retention_days(self, label: str) -> int:
        return self._deployment.settings.backups.retention_days[label]

    def _rule(self, label: str) -> aws.backup.PlanRuleArgsDict:
        settings = self._settings
        days = self._retention_days(label)
        destinations: list[pulumi.Input[str]] = [self.copies_vault.arn]
        if settings.account_vault_arn is not None:
            destinations.append(settings.account_vault_arn)
        return {
            "rule_name": label,
            "target_vault_name": self.vault.name,
            "schedule": settings.schedules[label],
            "start_window": _START_WITHIN_MINUTES,
            "completion_window": _COMPLETE_WITHIN_MINUTES,
            "lifecycle": {"delete_after": days},
            "recovery_point_tags": self._deployment.tags(self._deployment.name(label)),
            "copy_actions": [
                {"destination_vault_arn": destination, "lifecycle": {"delete_after": days}}
                for destination in destinations
            ],
        }

    def _alarms(self, alarm_topic: AlarmTopic) -> None:
        """Of metrics: AWS Backup's own notifications of failures are deprecated."""
        own = self._deployment.name("database")
        failures = [(own, "", metric, what) for metric, what in _FAILURES.items()]
        failed = "a copy to another region or account failed, `pgkeep backup list` says why"
        # AWS documents the dimension and not whether it is the vault that a copy comes from or goes
        # to. Both are watched: one that counts nothing stays silent.
        sources = {own: "", self._deployment.name("copies"): "-into-region"}
        if self._settings.account_vault_arn is not None:
            sources.setdefault(self._settings.account_vault_arn.rpartition(":")[2], "-into-account")
        failures += [(vault, suffix, _FAILED_COPIES, failed) for vault, suffix in sources.items()]
        for vault, suffix, metric, what in failures:
            self._alarm(
                alarm_topic,
                metric,
                f"AWS Backup: {what}; see the jobs of the vault",
                vault=vault,
                suffix=suffix,
                comparison_operator="GreaterThanThreshold",
                threshold=0,
                period=_HOUR_SECONDS,
                evaluation_periods=1,
                treat_missing_data="notBreaching",
            )
        self._alarm(
            alarm_topic,
            "NumberOfBackupJobsCompleted",
            "AWS Backup: no snapshot of the database for two days; see the jobs of the vault",
            vault=own,
            comparison_operator="LessThanThreshold",
            threshold=1,
            period=_DAY_SECONDS,
            evaluation_periods=2,
            treat_missing_data="breaching",
        )

    def _alarm(
        self,
        alarm_topic: AlarmTopic,
        metric: str,
        description: str,
        *,
        vault: str,
        suffix: str = "",
        **rule: Any,
    ) -> None:
        words = "".join(f"-{c.lower()}" if c.isupper() else c for c in metric)
        label = f"aws-backup{words.removeprefix('-number-of').replace('-jobs', '')}{suffix}"
        alarm_name = self._deployment.name(label)
        aws.cloudwatch.MetricAlarm(
            f"{self._name}-{label.removeprefix('aws-backup-')}",
            name=alarm_name,
            alarm_description=description,
            namespace="AWS/Backup",
            metric_name=metric,
            dimensions={"BackupVaultName": vault},
            statistic="Sum",
            actions_enabled=True,
            alarm_actions=[alarm_topic.topic.arn],
            ok_actions=[alarm_topic.topic.arn],
            tags=self._deployment.tags(alarm_name),
            opts=self._child,
            **rule,
        )
