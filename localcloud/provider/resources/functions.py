"""Lambda: functions, layers and what becomes of failed asynchronous events."""

import json
from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import NotFoundError, ProviderError
from localcloud.provider.operations import Operation, Ready
from localcloud.provider.resource import Resource
from localcloud.provider.resources.archives import zip_bytes
from localcloud.provider.sdk_types import Failure
from localcloud.provider.shapes import to_request
from localcloud.provider.tags import Tags

_NOT_FOUND = names("ResourceNotFoundException")
_CODE = names(
    "code s3Bucket s3Key s3ObjectVersion imageUri architectures sourceCodeHash sourceKmsKeyArn"
)
_S3 = {"s3Bucket": "S3Bucket", "s3Key": "S3Key", "s3ObjectVersion": "S3ObjectVersion"}


def code(context: Context) -> dict[str, Any]:
    """Where the code comes from, as Lambda's requests take it."""
    archive = context.inputs.get("code")
    if archive is not None:
        return {"ZipFile": zip_bytes(archive, context.subject)}
    given = {member: context.inputs[name] for name, member in _S3.items() if name in context.inputs}
    image = context.inputs.get("imageUri")
    return given | ({"ImageUri": image} if image else {})


def _code_failures(inputs: Mapping[str, Any]) -> list[Failure]:
    sources = [name for name in ("code", "s3Bucket", "imageUri") if name in inputs]
    if len(sources) != 1:
        reason = f"exactly one of code, s3Bucket or imageUri is needed, {len(sources)} are given"
        return [Failure("code", reason)]
    return []


class _Function(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        found = _code_failures(inputs)
        if inputs.get("packageType") == "Zip":
            found += [
                Failure(name, "is required for a function from a zip archive")
                for name in ("handler", "runtime")
                if inputs.get(name) is None
            ]
        for name, low, high, unit in (
            ("timeout", 1, 900, "seconds"),
            ("memorySize", 128, 10240, "MB"),
        ):
            value = inputs.get(name)
            if isinstance(value, int) and not low <= value <= high:
                found.append(Failure(name, f"{value} is not between {low} and {high} {unit}"))
        return found

    def start(self, context: Context) -> None:
        parameters = self.request(context.aws, context.inputs)
        parameters |= {"Code": code(context), "Publish": bool(context.inputs.get("publish"))}
        if context.inputs.get("architectures"):
            parameters["Architectures"] = context.inputs["architectures"]
        if context.inputs.get("tags"):
            parameters["Tags"] = context.inputs["tags"]
        made = context.call("lambda", "CreateFunction", **parameters)
        context.id = made["FunctionName"]
        context.state = {}
        self._concurrency(context)

    def _concurrency(self, context: Context) -> None:
        limit = context.inputs.get("reservedConcurrentExecutions", -1)
        if limit >= 0:
            context.call(
                "lambda",
                "PutFunctionConcurrency",
                FunctionName=context.id,
                ReservedConcurrentExecutions=limit,
            )
        elif context.old_inputs.get("reservedConcurrentExecutions", -1) >= 0:
            context.call("lambda", "DeleteFunctionConcurrency", FunctionName=context.id)

    def apply_updates(self, context: Context, changed: Names) -> None:
        settings = changed - _CODE - self.local - self.common - {"reservedConcurrentExecutions"}
        if settings - {"publish"}:
            shape = context.aws.input_shape("lambda", "UpdateFunctionConfiguration")
            chosen = {
                k: v
                for k, v in context.inputs.items()
                if k in self._in_create and k not in ("name", "packageType", "codeSigningConfigArn")
            }
            # What is no longer given has to be emptied by name.
            for name, empty in (
                ("environment", {"variables": {}}),
                ("layers", []),
                ("description", ""),
                ("vpcConfig", {"subnetIds": [], "securityGroupIds": []}),
                ("deadLetterConfig", {"targetArn": ""}),
                ("kmsKeyArn", ""),
            ):
                if name in changed and chosen.get(name) is None:
                    chosen[name] = empty
            parameters = to_request(shape, chosen, self.renames) | {"FunctionName": context.id}
            context.call("lambda", "UpdateFunctionConfiguration", **parameters)
            self._settled(context)
        if changed & (_CODE | {"publish"}):
            parameters = {"FunctionName": context.id, **code(context)}
            parameters["Publish"] = bool(context.inputs.get("publish"))
            if context.inputs.get("architectures"):
                parameters["Architectures"] = context.inputs["architectures"]
            context.call("lambda", "UpdateFunctionCode", **parameters)
            self._settled(context)
        elif settings and context.inputs.get("publish"):
            context.call("lambda", "PublishVersion", FunctionName=context.id)
        if "reservedConcurrentExecutions" in changed:
            self._concurrency(context)

    def _settled(self, context: Context) -> None:
        def probe() -> str | None:
            found = self.read(context)
            status = found.get("LastUpdateStatus", "Successful")
            if status == "Failed":
                raise ProviderError(
                    f"{context.subject}: update failed: {found.get('LastUpdateStatusReason')}"
                )
            return None if status == "Successful" else f"its update is {status}"

        context.wait(probe, 600)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        arn = found["FunctionArn"]
        prefix = f"arn:aws:apigateway:{context.region}:lambda:path"
        version = found.get("Version", "$LATEST")
        if context.inputs.get("publish"):
            answer = context.call("lambda", "ListVersionsByFunction", FunctionName=context.id)
            numbers = [int(v["Version"]) for v in answer["Versions"] if v["Version"].isdigit()]
            version = str(max(numbers)) if numbers else version
        values |= {
            "arn": arn,
            "version": version,
            "qualifiedArn": f"{arn}:{version}",
            "invokeArn": f"{prefix}/2015-03-31/functions/{arn}/invocations",
            "qualifiedInvokeArn": f"{prefix}/2015-03-31/functions/{arn}:{version}/invocations",
            "responseStreamingInvokeArn": (
                f"{prefix}/2021-11-15/functions/{arn}/response-streaming-invocations"
            ),
            "codeSha256": found.get("CodeSha256", ""),
            "sourceCodeHash": found.get("CodeSha256", ""),
            "sourceCodeSize": found.get("CodeSize", 0),
            "layers": [layer["Arn"] for layer in found.get("Layers") or []],
        }
        return values

    def delete(self, context: Context) -> None:
        if not context.inputs.get("skipDestroy"):
            super().delete(context)


class _LayerVersion(Resource):
    """Every change publishes another version and removes the old one afterwards."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        return _code_failures(inputs)

    def start(self, context: Context) -> None:
        parameters = self.request(context.aws, context.inputs)
        made = context.call("lambda", "PublishLayerVersion", **parameters, Content=code(context))
        context.id = made["LayerVersionArn"]

    @staticmethod
    def _key(context: Context) -> dict[str, Any]:
        name, version = context.id.rsplit(":", 2)[-2:]
        return {"LayerName": name, "VersionNumber": int(version)}

    def read(self, context: Context) -> dict[str, Any]:
        return context.call("lambda", "GetLayerVersion", **self._key(context))

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        content = found.get("Content") or {}
        return {
            **super().outputs(context, found),
            "arn": context.id,
            "layerArn": context.id.rsplit(":", 1)[0],
            "layerName": context.id.rsplit(":", 2)[-2],
            "version": str(self._key(context)["VersionNumber"]),
            "createdDate": str(found.get("CreatedDate", "")),
            "codeSha256": content.get("CodeSha256", ""),
            "sourceCodeHash": content.get("CodeSha256", ""),
            "sourceCodeSize": content.get("CodeSize", 0),
        }

    def delete(self, context: Context) -> None:
        if not context.inputs.get("skipDestroy"):
            context.call("lambda", "DeleteLayerVersion", **self._key(context))


class _EventInvokeConfig(Resource):
    """All of it is put at once."""

    @staticmethod
    def _key(context: Context) -> dict[str, str]:
        qualifier = context.inputs.get("qualifier")
        key = {"FunctionName": context.inputs["functionName"]}
        return key | ({"Qualifier": qualifier} if qualifier else {})

    def start(self, context: Context) -> None:
        super().start(context)
        qualifier = context.inputs.get("qualifier")
        context.id = context.inputs["functionName"] + (f":{qualifier}" if qualifier else "")

    def apply_updates(self, context: Context, changed: Names) -> None:
        if changed:
            parameters = self.request(context.aws, context.inputs)
            context.call("lambda", "PutFunctionEventInvokeConfig", **parameters)

    def read(self, context: Context) -> dict[str, Any]:
        return context.call("lambda", "GetFunctionEventInvokeConfig", **self._key(context))

    def delete(self, context: Context) -> None:
        context.call("lambda", "DeleteFunctionEventInvokeConfig", **self._key(context))


class _Permission(Resource):
    """One statement of the function's policy; every change makes another one."""

    @staticmethod
    def _key(context: Context) -> dict[str, str]:
        qualifier = context.inputs.get("qualifier")
        key = {"FunctionName": context.inputs["function"]}
        return key | ({"Qualifier": qualifier} if qualifier else {})

    def start(self, context: Context) -> None:
        super().start(context)
        context.id = context.inputs["statementId"]

    def read(self, context: Context) -> dict[str, Any]:
        policy = context.call("lambda", "GetPolicy", **self._key(context))["Policy"]
        for statement in json.loads(policy)["Statement"]:
            if statement["Sid"] == context.id:
                return statement
        raise NotFoundError(f"{context.subject} ({context.id}) does not exist")

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        principal, conditions = found["Principal"], found.get("Condition", {})
        values = {
            "action": found["Action"],
            "function": context.inputs["function"],
            "principal": (
                next(iter(principal.values())) if isinstance(principal, dict) else principal
            ),
            "statementId": found["Sid"],
            "sourceAccount": conditions.get("StringEquals", {}).get("AWS:SourceAccount"),
            "sourceArn": conditions.get("ArnLike", {}).get("AWS:SourceArn"),
        }
        context.observed = {k: v for k, v in values.items() if v is not None}
        return context.observed

    def delete(self, context: Context) -> None:
        try:
            context.call("lambda", "RemovePermission", **self._key(context), StatementId=context.id)
        except NotFoundError:
            return


RESOURCES: tuple[Resource, ...] = (
    _Function(
        kind="aws:lambda/function:Function",
        whole=True,
        service="lambda",
        create_with=Operation("CreateFunction"),
        identifier="FunctionName",
        read_with=Operation("GetFunction", {"FunctionName": "$id"}, "Configuration"),
        delete_with=Operation("DeleteFunction", {"FunctionName": "$id"}),
        renames={"name": "FunctionName", "fileSystemConfig": "FileSystemConfigs"},
        special=_CODE | names("publish reservedConcurrentExecutions"),
        local=names("skipDestroy"),
        replaces=names("name packageType"),
        defaults={
            "memorySize": 128,
            "packageType": "Zip",
            "publish": False,
            "reservedConcurrentExecutions": -1,
            "skipDestroy": False,
            "timeout": 3,
        },
        autoname="name",
        unordered=names("architectures"),
        unobserved=names("code sourceCodeHash loggingConfig kmsKeyArn"),
        moving=names(
            "lastModified version qualifiedArn qualifiedInvokeArn codeSha256 sourceCodeSize"
        ),
        tags=Tags(
            form="map",
            tag=Operation("TagResource", {"Resource": "$arn"}),
            untag=Operation("UntagResource", {"Resource": "$arn"}),
            read="",
        ),
        ready=Ready("State||'Active'", names("Active Inactive"), names("Failed")),
        not_found=_NOT_FOUND,
    ),
    _LayerVersion(
        kind="aws:lambda/layerVersion:LayerVersion",
        service="lambda",
        create_with=Operation("PublishLayerVersion"),
        identifier="LayerVersionArn",
        read_with=Operation("GetLayerVersion"),
        special=names("code s3Bucket s3Key s3ObjectVersion sourceCodeHash"),
        local=names("skipDestroy"),
        replaces=names(
            "code compatibleArchitectures compatibleRuntimes description layerName licenseInfo "
            "s3Bucket s3Key s3ObjectVersion sourceCodeHash"
        ),
        defaults={"skipDestroy": False},
        unordered=names("compatibleArchitectures compatibleRuntimes"),
        unobserved=names("code sourceCodeHash layerName"),
        not_found=_NOT_FOUND,
    ),
    _EventInvokeConfig(
        kind="aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        whole=True,
        service="lambda",
        create_with=Operation("PutFunctionEventInvokeConfig"),
        identifier="FunctionArn",
        read_with=Operation("GetFunctionEventInvokeConfig"),
        replaces=names("functionName qualifier"),
        defaults={"maximumRetryAttempts": 2},
        unobserved=names("functionName"),
        not_found=_NOT_FOUND,
    ),
    _Permission(
        kind="aws:lambda/permission:Permission",
        service="lambda",
        create_with=Operation("AddPermission"),
        identifier="inputs.statementId",
        read_with=Operation("GetPolicy"),
        renames={"function": "FunctionName", "principalOrgId": "PrincipalOrgID"},
        replaces=names(
            "action eventSourceToken function functionUrlAuthType invokedViaFunctionUrl principal "
            "principalOrgId qualifier sourceAccount sourceArn statementId"
        ),
        autoname="statementId",
        autoname_limit=100,
        unobserved=names(
            "eventSourceToken functionUrlAuthType invokedViaFunctionUrl principalOrgId qualifier"
        ),
        not_found=_NOT_FOUND,
    ),
)
