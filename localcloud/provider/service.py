"""The gRPC service that the Pulumi engine talks to."""

# The methods are named and called by the protocol.
# ruff: noqa: N802, ARG002

import contextlib
import json
from collections.abc import Mapping
from typing import Any, cast

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc
from pulumi.runtime.proto.plugin_pb2 import PluginInfo

from localcloud.provider import functions, registry, sdk_types
from localcloud.provider.aws import DEFAULT_REGION, Aws, Settings
from localcloud.provider.context import Context
from localcloud.provider.diff import Change, compare, drifted
from localcloud.provider.errors import NotFoundError
from localcloud.provider.inputs import DEFAULTS_KEY, complete, failures
from localcloud.provider.outputs import predicted, state, without_internal, without_write_only
from localcloud.provider.resource import Resource
from localcloud.provider.sdk_types import Failure
from localcloud.provider.wire import UNKNOWN, contains_unknown, decode, encode

_KINDS = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


class AwsProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Package `aws` over the local cloud."""

    def __init__(self, engine_address: str = "") -> None:
        self._aws: Aws | None = None
        self._default_tags: dict[str, str] = {}
        self._engine: Any = None
        if engine_address:
            channel = grpc.insecure_channel(engine_address)
            self._engine = engine_pb2_grpc.EngineStub(channel)

    # --- the plugin itself ----------------------------------------------------------------------

    def GetPluginInfo(self, request: Any, context: Any) -> PluginInfo:
        return PluginInfo(version=sdk_types.sdk_version())

    def GetSchema(self, request: Any, context: Any) -> provider_pb2.GetSchemaResponse:
        schema = {"name": "aws", "version": sdk_types.sdk_version(), "resources": {}}
        return provider_pb2.GetSchemaResponse(schema=json.dumps(schema))

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:
        if self._aws is not None:
            self._aws.cancelled.set()
        return empty_pb2.Empty()

    def Attach(self, request: Any, context: Any) -> empty_pb2.Empty:
        channel = grpc.insecure_channel(request.address)
        self._engine = engine_pb2_grpc.EngineStub(channel)
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        olds = decode(request.old_inputs).values or decode(request.olds).values
        news = decode(request.news).values
        changed = sorted(k for k in olds.keys() | news.keys() if olds.get(k) != news.get(k))
        # A resource cannot move to another region.
        replaces = [key for key in changed if key == "region"]
        return provider_pb2.DiffResponse(
            changes=_changes(changed), diffs=changed, replaces=replaces
        )

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        given = decode(request.args).values
        region = given.get("region") or DEFAULT_REGION
        tags = given.get("defaultTags") or {}
        if isinstance(tags, str):
            tags = json.loads(tags)
        tags = tags.get("tags") or {} if isinstance(tags, dict) else {}
        self._default_tags = {} if contains_unknown(tags) else tags
        self._aws = Aws(Settings.from_environment(region if isinstance(region, str) else ""))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    @property
    def aws(self) -> Aws:
        """The configured access to AWS's API."""
        if self._aws is None:
            self._aws = Aws(Settings.from_environment())
        return self._aws

    # --- resources ------------------------------------------------------------------------------

    def _context(self, request: Any, inputs: Mapping[str, Any]) -> tuple[Resource, Context]:
        token, name = _token_and_name(request.urn)
        resource = registry.resource(token)
        region = inputs.get("region")
        context = Context(
            aws=self.aws,
            name=name,
            token=token,
            service=resource.service,
            inputs=without_internal(inputs),
            id=getattr(request, "id", ""),
            region=region if isinstance(region, str) else self.aws.settings.region,
            timeout_seconds=getattr(request, "timeout", 0.0),
            progress=lambda message: self._progress(request.urn, f"waiting: {message}"),
            not_found=resource.not_found,
        )
        return resource, context

    def _progress(self, urn: str, message: str) -> None:
        if self._engine is not None:
            severity = cast(Any, engine_pb2).INFO
            self._engine.Log(
                engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=True)
            )

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        token, name = _token_and_name(request.urn)
        resource = registry.resource(token)
        news = decode(request.news)
        written = dict(news.values)
        found = sdk_types.check(token, written)
        if found:
            return _check_failures(resource, name, found)
        olds = decode(request.olds).values
        inputs = complete(
            resource,
            written,
            olds,
            name=name,
            seed=request.randomSeed,
            default_tags=self._default_tags,
        )
        found = failures(resource, self.aws, inputs, new=not olds)
        if found:
            return _check_failures(resource, name, found)
        return provider_pb2.CheckResponse(inputs=encode(inputs, news.secret_keys))

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        token, _ = _token_and_name(request.urn)
        resource = registry.resource(token)
        news = decode(request.news).values
        outputs = decode(request.olds).values
        changes = compare(resource, decode(request.old_inputs).values or outputs, news, outputs)
        detailed = {
            change.path: provider_pb2.PropertyDiff(
                kind=_KINDS[(change.kind, change.replaces)], inputDiff=True
            )
            for change in changes
        }
        replaces = sorted({change.name for change in changes if change.replaces})
        return provider_pb2.DiffResponse(
            changes=_changes(changes),
            diffs=sorted({change.name for change in changes}),
            replaces=replaces,
            detailedDiff=detailed,
            hasDetailedDiff=True,
            deleteBeforeReplace=bool(replaces) and _delete_first(resource, news, changes),
        )

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:
        given = decode(request.properties)
        resource, call = self._context(request, given.values)
        if request.preview:
            outputs = predicted(resource, call.inputs, call.region)
        else:
            outputs = state(resource, call.inputs, resource.create(call), call.region)
        return provider_pb2.CreateResponse(
            id=call.id, properties=encode(outputs, given.secret_keys)
        )

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:
        news = decode(request.news)
        olds = decode(request.olds)
        resource, call = self._context(request, news.values)
        call.state = dict(olds.values)
        call.old_inputs = decode(request.old_inputs).values or dict(olds.values)
        changed = frozenset(
            c.name for c in compare(resource, call.old_inputs, news.values, call.state)
        ) - frozenset(request.ignoreChanges)
        resource.refuse_ignored(changed)
        if request.preview:
            outputs = {**olds.values, **without_write_only(resource, call.inputs)}
            if changed - {"tags"}:
                outputs |= dict.fromkeys(resource.moving, UNKNOWN)
        else:
            outputs = state(resource, call.inputs, resource.update(call, changed), call.region)
        return provider_pb2.UpdateResponse(
            properties=encode(outputs, news.secret_keys | olds.secret_keys)
        )

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:
        kept = decode(request.properties)
        given = decode(request.inputs)
        resource, call = self._context(request, given.values or kept.values)
        call.state = dict(kept.values)
        try:
            observed = resource.observe(call)
        except NotFoundError:
            return provider_pb2.ReadResponse()
        known = sdk_types.input_types(resource.kind)
        if given.values:
            inputs = dict(given.values)
            for name in drifted(resource, call.inputs, observed):
                inputs[name] = observed[name]
        else:
            inputs = {k: v for k, v in observed.items() if k in known} | dict(resource.imported)
            inputs[DEFAULTS_KEY] = []
        outputs = state(resource, without_internal(inputs), observed, call.region)
        secret_keys = given.secret_keys | kept.secret_keys
        return provider_pb2.ReadResponse(
            id=call.id,
            properties=encode({**kept.values, **outputs}, secret_keys),
            inputs=encode(inputs, secret_keys),
        )

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:
        kept = decode(request.properties).values
        inputs = decode(request.old_inputs).values or kept
        resource, call = self._context(request, inputs)
        call.state = dict(kept)
        with contextlib.suppress(NotFoundError):
            resource.delete(call)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:
        args = decode(request.args).values
        result, wrong = functions.invoke(self.aws, request.tok, args)
        failed = [provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in wrong]
        return provider_pb2.InvokeResponse(**{"return": encode(result)}, failures=failed)


def _token_and_name(urn: str) -> tuple[str, str]:
    # urn:pulumi:stack::project::parent$type::name
    parts = urn.split("::", 3)
    return parts[2].rsplit("$", 1)[-1], parts[3]


def _changes(changed: list[Any]) -> Any:
    response = provider_pb2.DiffResponse
    return response.DIFF_SOME if changed else response.DIFF_NONE


def _check_failures(
    resource: Resource, name: str, found: list[Failure]
) -> provider_pb2.CheckResponse:
    kind = resource.kind.rsplit(":", 1)[-1]
    return provider_pb2.CheckResponse(
        failures=[
            provider_pb2.CheckFailure(
                property=failure.property,
                reason=f"{kind} {name}: {failure.property or 'inputs'}: {failure.reason}",
            )
            for failure in found
        ]
    )


def _delete_first(resource: Resource, news: Mapping[str, Any], changes: list[Change]) -> bool:
    if resource.delete_before_replace:
        return True
    # Two resources cannot have one name: when the program chose and keeps it, the old goes first.
    key = resource.autoname
    chosen = bool(key) and key not in (news.get(DEFAULTS_KEY) or [])
    return chosen and key in news and key not in {change.name for change in changes}
