"""KMS keys and aliases."""

import re
from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, keeping, names
from localcloud.provider.errors import NotFoundError, RefusedError
from localcloud.provider.operations import Operation, Update
from localcloud.provider.resource import Resource
from localcloud.provider.resources.identity import policy_failure
from localcloud.provider.sdk_types import Failure
from localcloud.provider.tags import Tags

_MULTI_REGION = re.compile(r"arn:[^:]+:kms:[^:]+:[0-9]{12}:key/mrk-[0-9a-f-]+")


class _Key(Resource):
    """Rotation, policy and state of a key are changed by requests of their own."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        days = inputs.get("deletionWindowInDays")
        if isinstance(days, int) and not 7 <= days <= 30:
            return [Failure("deletionWindowInDays", f"{days} is not between 7 and 30 days")]
        if inputs.get("rotationPeriodInDays") and inputs.get("enableKeyRotation") is False:
            return [Failure("rotationPeriodInDays", "needs enableKeyRotation")]
        return policy_failure("policy", inputs.get("policy"))

    def apply_updates(self, context: Context, changed: Names) -> None:
        inputs, key = context.inputs, {"KeyId": context.id}
        if "description" in changed and context.old_inputs:
            text = inputs.get("description") or ""
            context.call("kms", "UpdateKeyDescription", **key, Description=text)
        if "policy" in changed and context.old_inputs and inputs.get("policy"):
            context.call(
                "kms",
                "PutKeyPolicy",
                **key,
                PolicyName="default",
                Policy=inputs["policy"],
                BypassPolicyLockoutSafetyCheck=bool(inputs.get("bypassPolicyLockoutSafetyCheck")),
            )
        if changed & {"enableKeyRotation", "rotationPeriodInDays"}:
            days = inputs.get("rotationPeriodInDays")
            if inputs.get("enableKeyRotation"):
                period = {"RotationPeriodInDays": days} if days else {}
                context.call("kms", "EnableKeyRotation", **key, **period)
            elif context.old_inputs.get("enableKeyRotation"):
                context.call("kms", "DisableKeyRotation", **key)
        if "isEnabled" in changed:
            if inputs.get("isEnabled") is False:
                context.call("kms", "DisableKey", **key)
            elif context.old_inputs:
                context.call("kms", "EnableKey", **key)

    def read(self, context: Context) -> dict[str, Any]:
        found = super().read(context)
        if found.get("KeyState") in ("PendingDeletion", "PendingReplicaDeletion"):
            raise NotFoundError(f"{context.subject} ({context.id}) waits for its deletion")
        return found

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        policy = context.call("kms", "GetKeyPolicy", KeyId=context.id, PolicyName="default")
        values["policy"] = policy["Policy"]
        rotation = context.call("kms", "GetKeyRotationStatus", KeyId=context.id)
        values["enableKeyRotation"] = rotation["KeyRotationEnabled"]
        return values

    def delete(self, context: Context) -> None:
        days = context.inputs.get("deletionWindowInDays")
        window = {"PendingWindowInDays": days} if days else {}
        try:
            context.call("kms", "ScheduleKeyDeletion", KeyId=context.id, **window)
        except RefusedError as error:
            if error.code != "KMSInvalidStateException":
                raise


class _ReplicaKey(_Key):
    """Asked of the region of its primary, and from then on a key of its own region."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        primary = inputs.get("primaryKeyArn")
        if isinstance(primary, str) and not _MULTI_REGION.fullmatch(primary):
            text = f"{primary} is not the ARN of a multi-Region key (its id begins with mrk-)"
            return [Failure("primaryKeyArn", text)]
        return super().check(inputs)

    def start(self, context: Context) -> None:
        inputs = context.inputs
        primary = str(inputs["primaryKeyArn"])
        parameters = {
            "KeyId": primary,
            "ReplicaRegion": context.region,
            "Description": inputs.get("description") or "",
            "BypassPolicyLockoutSafetyCheck": bool(inputs.get("bypassPolicyLockoutSafetyCheck")),
        }
        if inputs.get("policy"):
            parameters["Policy"] = inputs["policy"]
        if inputs.get("tags") and self.tags:
            parameters |= self.tags.in_create(inputs["tags"])
        answer = context.aws.call(
            "kms",
            "ReplicateKey",
            parameters,
            subject=context.subject,
            region=primary.split(":")[3],
        )
        context.id = answer["ReplicaKeyMetadata"]["KeyId"]
        with keeping(context):
            if inputs.get("enabled") is False:
                context.call("kms", "DisableKey", KeyId=context.id)

    def apply_updates(self, context: Context, changed: Names) -> None:
        super().apply_updates(context, changed)
        if "enabled" in changed:
            on = context.inputs.get("enabled") is not False
            context.call("kms", "EnableKey" if on else "DisableKey", KeyId=context.id)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        values["keyRotationEnabled"] = values.pop("enableKeyRotation")
        return values


class _Alias(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        name = inputs.get("name")
        if isinstance(name, str) and not name.startswith("alias/"):
            return [Failure("name", f"{name!r} must begin with alias/")]
        return []

    def start(self, context: Context) -> None:
        super().start(context)
        with keeping(context):
            self.read(context)

    def read(self, context: Context) -> dict[str, Any]:
        answer = context.call("kms", "ListAliases")
        for alias in answer["Aliases"]:
            if alias["AliasName"] == context.id:
                return alias
        raise NotFoundError(f"{context.subject} ({context.id}) does not exist")

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        key = context.call("kms", "DescribeKey", KeyId=found["TargetKeyId"])["KeyMetadata"]
        asked = context.inputs.get("targetKeyId")
        values["targetKeyArn"] = key["Arn"]
        # A key may be given by its id or by its ARN.
        values["targetKeyId"] = asked if asked in (key["Arn"], key["KeyId"]) else key["KeyId"]
        return values


_TAGS = Tags(
    form="kms",
    tag=Operation("TagResource", {"KeyId": "$id"}),
    untag=Operation("UntagResource", {"KeyId": "$id"}),
    list_with=Operation("ListResourceTags", {"KeyId": "$id"}, "Tags"),
)

RESOURCES: tuple[Resource, ...] = (
    _Key(
        kind="aws:kms/key:Key",
        in_place=names("description policy bypassPolicyLockoutSafetyCheck"),
        service="kms",
        create_with=Operation("CreateKey", result="KeyMetadata"),
        identifier="result.KeyId",
        read_with=Operation("DescribeKey", {"KeyId": "$id"}, "KeyMetadata"),
        renames={"customerMasterKeySpec": "KeySpec", "isEnabled": "Enabled"},
        later=names("enableKeyRotation rotationPeriodInDays isEnabled"),
        local=names("deletionWindowInDays"),
        replaces=names("customKeyStoreId customerMasterKeySpec keyUsage multiRegion xksKeyId"),
        defaults={
            "bypassPolicyLockoutSafetyCheck": False,
            "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
            "isEnabled": True,
            "keyUsage": "ENCRYPT_DECRYPT",
        },
        json_properties=names("policy"),
        tags=_TAGS,
        not_found=names("NotFoundException"),
    ),
    _ReplicaKey(
        kind="aws:kms/replicaKey:ReplicaKey",
        in_place=names("description policy bypassPolicyLockoutSafetyCheck enabled"),
        service="kms",
        create_with=Operation("ReplicateKey"),
        identifier="result.KeyId",
        read_with=Operation("DescribeKey", {"KeyId": "$id"}, "KeyMetadata"),
        special=names("primaryKeyArn description policy bypassPolicyLockoutSafetyCheck enabled"),
        local=names("deletionWindowInDays"),
        replaces=names("primaryKeyArn"),
        defaults={"bypassPolicyLockoutSafetyCheck": False, "enabled": True},
        computed={"primaryKeyArn": "MultiRegionConfiguration.PrimaryKey.Arn"},
        json_properties=names("policy"),
        tags=_TAGS,
        not_found=names("NotFoundException"),
    ),
    _Alias(
        kind="aws:kms/alias:Alias",
        service="kms",
        create_with=Operation("CreateAlias"),
        identifier="inputs.name",
        read_with=Operation("ListAliases"),
        delete_with=Operation("DeleteAlias", {"AliasName": "$id"}),
        updates=(Update("UpdateAlias", names("targetKeyId"), {"AliasName": "$id"}),),
        renames={"name": "AliasName", "arn": "AliasArn"},
        replaces=names("name namePrefix"),
        not_found=names("NotFoundException"),
    ),
)
