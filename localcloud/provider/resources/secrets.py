"""Secrets Manager secrets (never their values) and SSM parameters."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import NotFoundError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.identity import policy_failure
from localcloud.provider.sdk_types import Failure
from localcloud.provider.tags import Tags


class _Secret(Resource):
    """The policy of a secret has requests of its own."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        days = inputs.get("recoveryWindowInDays")
        if isinstance(days, int) and days != 0 and not 7 <= days <= 30:
            return [Failure("recoveryWindowInDays", f"{days} is neither 0 nor 7 to 30 days")]
        return policy_failure("policy", inputs.get("policy"))

    def start(self, context: Context) -> None:
        super().start(context)
        self._policy(context)

    @staticmethod
    def _policy(context: Context) -> None:
        policy = context.inputs.get("policy")
        if policy:
            context.call(
                "secretsmanager", "PutResourcePolicy", SecretId=context.id, ResourcePolicy=policy
            )
        elif context.old_inputs.get("policy"):
            context.call("secretsmanager", "DeleteResourcePolicy", SecretId=context.id)

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed & {"description", "kmsKeyId"}:
            parameters: dict[str, Any] = {"SecretId": context.id}
            parameters["Description"] = context.inputs.get("description") or ""
            if context.inputs.get("kmsKeyId"):
                parameters["KmsKeyId"] = context.inputs["kmsKeyId"]
            context.call("secretsmanager", "UpdateSecret", **parameters)
        if "policy" in changed:
            self._policy(context)

    def read(self, context: Context) -> dict[str, Any]:
        found = super().read(context)
        if found.get("DeletedDate"):
            raise NotFoundError(f"{context.subject} ({context.id}) waits for its deletion")
        return found

    def delete(self, context: Context) -> None:
        days = context.inputs.get("recoveryWindowInDays", 30)
        how = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        context.call("secretsmanager", "DeleteSecret", SecretId=context.id, **how)


class _Rotation(Resource):
    """RotateSecret says how a secret is rotated, and begins it unless told to wait."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        rules = inputs.get("rotationRules")
        if isinstance(rules, Mapping) and not rules.get("automaticallyAfterDays"):
            return [Failure("rotationRules", "the local cloud needs automaticallyAfterDays")]
        return []

    def start(self, context: Context) -> None:
        super().start(context)
        context.id = context.inputs["secretId"]

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed:
            parameters = self.request(context.aws, context.inputs)
            context.call("secretsmanager", "RotateSecret", **parameters)

    def read(self, context: Context) -> dict[str, Any]:
        found = super().read(context)
        if not found.get("RotationEnabled"):
            raise NotFoundError(f"{context.subject} ({context.id}) is not rotated")
        return {**found, "SecretId": context.inputs.get("secretId", context.id)}


class _Parameter(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        kind = inputs.get("type")
        if kind not in ("String", "StringList", "SecureString"):
            return [Failure("type", f"{kind!r} is none of String, StringList, SecureString")]
        given = [n for n in ("value", "insecureValue", "valueWo") if inputs.get(n) is not None]
        if len(given) != 1:
            reason = f"exactly one of value, insecureValue, valueWo is needed, not {len(given)}"
            return [Failure("value", reason)]
        return []

    def start(self, context: Context) -> None:
        overwrite = bool(context.inputs.get("overwrite"))
        self._put(context, overwrite=overwrite, tagged=not overwrite)
        context.id = context.inputs["name"]

    def _put(self, context: Context, *, overwrite: bool, tagged: bool = False) -> None:
        inputs = context.inputs
        parameters = self.request(context.aws, inputs)
        values = [inputs.get(n) for n in ("value", "insecureValue", "valueWo")]
        parameters["Value"] = next(value for value in values if value is not None)
        parameters["Overwrite"] = overwrite
        if tagged and inputs.get("tags") and self.tags:
            parameters |= self.tags.in_create(inputs["tags"])
        context.call("ssm", "PutParameter", **parameters)

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed - {"tags", "overwrite"}:
            self._put(context, overwrite=True)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        if context.inputs.get("insecureValue") is not None:
            values["insecureValue"] = values.get("value")
        if context.inputs.get("valueWo") is not None:
            values.pop("value", None)
        values["hasValueWo"] = context.inputs.get("valueWo") is not None
        return values


RESOURCES: tuple[Resource, ...] = (
    _Secret(
        kind="aws:secretsmanager/secret:Secret",
        in_place=names("description kmsKeyId"),
        service="secretsmanager",
        create_with=Operation("CreateSecret"),
        identifier="result.ARN",
        read_with=Operation("DescribeSecret", {"SecretId": "$id"}),
        renames={"replicas": "AddReplicaRegions"},
        local=names("recoveryWindowInDays"),
        special=names("policy"),
        replaces=names("name namePrefix type replicas"),
        defaults={"forceOverwriteReplicaSecret": False, "recoveryWindowInDays": 30},
        autoname="name",
        autoname_limit=512,
        json_properties=names("policy"),
        tags=Tags(
            tag=Operation("TagResource", {"SecretId": "$id"}),
            untag=Operation("UntagResource", {"SecretId": "$id"}),
        ),
        not_found=names("ResourceNotFoundException"),
    ),
    _Rotation(
        kind="aws:secretsmanager/secretRotation:SecretRotation",
        whole=True,
        service="secretsmanager",
        create_with=Operation("RotateSecret"),
        identifier="result.ARN",
        read_with=Operation("DescribeSecret", {"SecretId": "$id"}),
        delete_with=Operation("CancelRotateSecret", {"SecretId": "$id"}),
        replaces=names("secretId"),
        defaults={"rotateImmediately": True},
        unobserved=names("rotateImmediately"),
        not_found=names("ResourceNotFoundException"),
    ),
    _Parameter(
        kind="aws:ssm/parameter:Parameter",
        whole=True,
        service="ssm",
        create_with=Operation("PutParameter"),
        identifier="inputs.name",
        read_with=Operation("GetParameter", {"Name": "$id", "WithDecryption": True}, "Parameter"),
        delete_with=Operation("DeleteParameter", {"Name": "$id"}),
        special=names("value insecureValue valueWo"),
        local=names("overwrite valueWoVersion"),
        write_only=names("valueWo"),
        replaces=names("name type dataType"),
        autoname="name",
        autoname_limit=1011,
        moving=names("version"),
        tags=Tags(
            tag=Operation("AddTagsToResource", {"ResourceType": "Parameter", "ResourceId": "$id"}),
            untag=Operation(
                "RemoveTagsFromResource", {"ResourceType": "Parameter", "ResourceId": "$id"}
            ),
            list_with=Operation(
                "ListTagsForResource",
                {"ResourceType": "Parameter", "ResourceId": "$id"},
                "TagList",
            ),
        ),
        not_found=names("ParameterNotFound"),
    ),
)
