"""AWS Backup: vaults with lock and policy, plans, selections. Replacements as in pulumi-aws 7
(the AWS Terraform provider 6: internal/service/backup)."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.aws import Aws
from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import NotFoundError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.identity import document, policy_failure
from localcloud.provider.sdk_types import Failure
from localcloud.provider.tags import Tags

_NOT_FOUND = names("ResourceNotFoundException")


def _tags(create_member: str) -> Tags:
    return Tags(
        tag=Operation("TagResource", {"ResourceArn": "$arn"}),
        untag=Operation("UntagResource", {"ResourceArn": "$arn"}),
        form="map",
        create_member=create_member,
        untag_member="TagKeyList",
        list_with=Operation("ListTags", {"ResourceArn": "$arn"}, "Tags"),
    )


class _Vault(Resource):
    """A vault; AWS deletes only an empty one."""

    def delete(self, context: Context) -> None:
        if context.inputs.get("forceDestroy"):
            found = context.call(
                "backup", "ListRecoveryPointsByBackupVault", BackupVaultName=context.id
            )
            for point in found["RecoveryPoints"]:
                context.call(
                    "backup",
                    "DeleteRecoveryPoint",
                    BackupVaultName=context.id,
                    RecoveryPointArn=point["RecoveryPointArn"],
                )
        super().delete(context)


class _Lock(Resource):
    """A vault's lock; without one the vault has no lock configuration."""

    def read(self, context: Context) -> dict[str, Any]:
        found = super().read(context)
        if not found.get("Locked"):
            raise NotFoundError(f"{context.subject} ({context.id}) does not exist")
        return found


class _Policy(Resource):
    """A vault's access policy."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        return policy_failure("policy", inputs.get("policy"))

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "policy" in changed:
            context.call(
                "backup",
                "PutBackupVaultAccessPolicy",
                BackupVaultName=context.id,
                Policy=document(context.inputs["policy"]),
            )


def _lifecycle(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not given:
        return None
    return {
        "DeleteAfterDays": given.get("deleteAfter"),
        "MoveToColdStorageAfterDays": given.get("coldStorageAfter"),
    }


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {
        "RuleName": rule.get("ruleName"),
        "TargetBackupVaultName": rule.get("targetVaultName"),
        "ScheduleExpression": rule.get("schedule"),
        "ScheduleExpressionTimezone": rule.get("scheduleExpressionTimezone"),
        "StartWindowMinutes": rule.get("startWindow"),
        "CompletionWindowMinutes": rule.get("completionWindow"),
        "EnableContinuousBackup": rule.get("enableContinuousBackup"),
        "RecoveryPointTags": rule.get("recoveryPointTags"),
        "Lifecycle": _lifecycle(rule.get("lifecycle")),
    }
    actions = [
        _without_none(
            {
                "DestinationBackupVaultArn": action.get("destinationVaultArn"),
                "Lifecycle": _lifecycle(action.get("lifecycle")),
            }
        )
        for action in rule.get("copyActions") or []
    ]
    return _without_none({**given, "CopyActions": actions or None})


class _Plan(Resource):
    """A plan; its rules are changed as a whole."""

    def request(self, aws: Aws, inputs: Mapping[str, Any]) -> dict[str, Any]:
        del aws
        rules = inputs.get("rules")
        written = [_rule(rule) for rule in rules] if isinstance(rules, list) else rules
        return {"BackupPlan": {"BackupPlanName": inputs.get("name"), "Rules": written}}

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "rules" in changed and context.old_inputs:
            request = self.request(context.aws, context.inputs)
            context.call("backup", "UpdateBackupPlan", BackupPlanId=context.id, **request)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        # The rules stay as they were written: AWS adds ids and defaults to them.
        return super().outputs(context, {**found, "Name": found["BackupPlan"]["BackupPlanName"]})


class _Selection(Resource):
    """What a plan backs up; every change makes another one."""

    def request(self, aws: Aws, inputs: Mapping[str, Any]) -> dict[str, Any]:
        del aws
        selection = {
            "SelectionName": inputs.get("name"),
            "IamRoleArn": inputs.get("iamRoleArn"),
            "Resources": inputs.get("resources"),
            "NotResources": inputs.get("notResources"),
        }
        chosen = {name: value for name, value in selection.items() if value is not None}
        return {"BackupPlanId": inputs.get("planId"), "BackupSelection": chosen}


RESOURCES: tuple[Resource, ...] = (
    _Vault(
        kind="aws:backup/vault:Vault",
        service="backup",
        create_with=Operation("CreateBackupVault"),
        identifier="inputs.name",
        read_with=Operation("DescribeBackupVault", {"BackupVaultName": "$id"}),
        delete_with=Operation("DeleteBackupVault", {"BackupVaultName": "$id"}),
        renames={
            "name": "BackupVaultName",
            "arn": "BackupVaultArn",
            "kmsKeyArn": "EncryptionKeyArn",
            "recoveryPoints": "NumberOfRecoveryPoints",
        },
        local=names("forceDestroy"),
        defaults={"forceDestroy": False},
        replaces=names("kmsKeyArn name"),
        autoname="name",
        autoname_limit=50,
        tags=_tags("BackupVaultTags"),
        not_found=_NOT_FOUND,
    ),
    _Lock(
        kind="aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        service="backup",
        create_with=Operation("PutBackupVaultLockConfiguration"),
        identifier="inputs.backupVaultName",
        read_with=Operation("DescribeBackupVault", {"BackupVaultName": "$id"}),
        delete_with=Operation("DeleteBackupVaultLockConfiguration", {"BackupVaultName": "$id"}),
        renames={"backupVaultArn": "BackupVaultArn"},
        unobserved=names("changeableForDays"),
        replaces=names("backupVaultName changeableForDays maxRetentionDays minRetentionDays"),
        delete_before_replace=True,
        not_found=_NOT_FOUND,
    ),
    _Policy(
        kind="aws:backup/vaultPolicy:VaultPolicy",
        service="backup",
        create_with=Operation("PutBackupVaultAccessPolicy"),
        identifier="inputs.backupVaultName",
        read_with=Operation("GetBackupVaultAccessPolicy", {"BackupVaultName": "$id"}),
        delete_with=Operation("DeleteBackupVaultAccessPolicy", {"BackupVaultName": "$id"}),
        in_place=names("policy"),
        json_properties=names("policy"),
        replaces=names("backupVaultName"),
        not_found=_NOT_FOUND,
    ),
    _Plan(
        kind="aws:backup/plan:Plan",
        service="backup",
        create_with=Operation("CreateBackupPlan"),
        identifier="result.BackupPlanId",
        read_with=Operation("GetBackupPlan", {"BackupPlanId": "$id"}),
        delete_with=Operation("DeleteBackupPlan", {"BackupPlanId": "$id"}),
        renames={"arn": "BackupPlanArn", "version": "VersionId"},
        in_place=names("rules"),
        unobserved=names("rules"),
        moving=names("version"),
        replaces=names("name"),
        autoname="name",
        autoname_limit=50,
        tags=_tags("BackupPlanTags"),
        not_found=_NOT_FOUND,
    ),
    _Selection(
        kind="aws:backup/selection:Selection",
        service="backup",
        create_with=Operation("CreateBackupSelection"),
        identifier="result.SelectionId",
        read_with=Operation(
            "GetBackupSelection", {"BackupPlanId": "$planId", "SelectionId": "$id"}
        ),
        delete_with=Operation(
            "DeleteBackupSelection", {"BackupPlanId": "$planId", "SelectionId": "$id"}
        ),
        computed={
            "name": "BackupSelection.SelectionName",
            "iamRoleArn": "BackupSelection.IamRoleArn",
            "resources": "BackupSelection.Resources",
            "planId": "BackupPlanId",
        },
        unordered=names("resources notResources"),
        replaces=names("conditions iamRoleArn name notResources planId resources selectionTags"),
        autoname="name",
        autoname_limit=50,
        not_found=_NOT_FOUND,
    ),
)
