"""The pack as a server of the engine's analyzer protocol (pulumi/analyzer.proto).

pulumi-policy's own server is not used, because with it the pack would fail open or blind: a rule
that meets an unknown value is aborted and reported as advisory; the stack's name, configuration and
phase never reach the rules; a finding cannot have an enforcement of its own; and every rule decodes
every resource again. The protocol is what Pulumi keeps stable between engine and packs.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final, cast

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from .coverage import COVERAGE_RULE, NotCovered, not_covered
from .evaluation import (
    EXEMPTIONS_RULE,
    Judge,
    Kind,
    Verdict,
    crash_message,
    not_verified_message,
)
from .inventory import Resource, Stack
from .native import expanded
from .rules import Context, Enforcement, Phase, Rule, Severity
from .stack_config import environment, exemption_entries

NAME: Final = "pgkeep"
# The version that counts stands in PulumiPolicy.yaml; the engine puts it in place of this one.
_VERSION: Final = "0.0.1"
# As the engine's own limit; the default of 4 MiB is less than a large stack.
_MAXIMUM_MESSAGE_BYTES: Final = 400 * 1024 * 1024
# New objects between two searches for garbage: requests make many objects and few cycles.
_GARBAGE_THRESHOLD: Final = 100_000

_KEY: Final = itemgetter(0)
_ENFORCEMENT: Final = {
    Enforcement.ADVISORY: analyzer_pb2.ADVISORY,
    Enforcement.MANDATORY: analyzer_pb2.MANDATORY,
    Enforcement.DISABLED: analyzer_pb2.DISABLED,
}
_SEVERITY: Final = {
    Severity.MEDIUM: analyzer_pb2.POLICY_SEVERITY_MEDIUM,
    Severity.HIGH: analyzer_pb2.POLICY_SEVERITY_HIGH,
    Severity.CRITICAL: analyzer_pb2.POLICY_SEVERITY_CRITICAL,
}


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """One run of the engine: configured once, then asked resource by resource, then as a whole."""

    def __init__(self) -> None:
        self._judge = Judge(Context())
        self._context = Context()
        self._exemptions: object = None
        self.stopped = threading.Event()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 (gRPC's signature)
        """Tells the engine that the pack is ready."""
        return analyzer_pb2.AnalyzerHandshakeResponse()

    def ConfigureStack(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Takes the stack's name, configuration and phase."""
        config = dict(request.config)
        self._context = Context(
            environment=environment(config, request.stack, dict(request.tags)),
            phase=Phase.PREVIEW if request.dry_run else Phase.APPLY,
        )
        self._exemptions = exemption_entries(config)
        self._judge = Judge(self._context, self._exemptions)
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Takes the pack's configuration (`--policy-pack-config`)."""
        names = {value: key for key, value in _ENFORCEMENT.items()}
        overrides: dict[str, Enforcement] = {}
        thresholds: dict[str, dict[str, object]] = {}
        rules = {rule.id: rule for rule in self._judge.rules}
        for rule_id, config in request.policyConfig.items():
            # "remediate" has no meaning here: the pack changes nothing. It counts as mandatory.
            level = names.get(config.enforcementLevel, Enforcement.MANDATORY)
            rule = rules.get(rule_id)
            if rule is not None and level is not self._judge.enforcement(rule):
                overrides[rule_id] = level
            thresholds[rule_id] = json_format.MessageToDict(config.properties)
        self._context = Context(
            environment=self._context.environment,
            phase=self._context.phase,
            thresholds=thresholds,
        )
        self._judge = Judge(self._context, self._exemptions, overrides=overrides)
        return empty_pb2.Empty()

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Judges the inputs of one resource, before it is created or changed."""
        return _answered(
            request.urn,
            lambda: [one for part in _parts(request) for one in self._judge.resource(part)],
        )

    def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Judges the stack as a whole."""

        def judged() -> list[Verdict]:
            parts = [(item, _parts(item)) for item in request.resources]
            stack = Stack(part for _, found in parts for part in found)
            # Components have no provider: they group resources and hold nothing themselves.
            custom = [part for item, found in parts if item.HasField("provider") for part in found]
            return self._judge.stack(stack) + coverage_notes(custom)

        return _answered("", judged)

    def Remediate(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The pack refuses; it never changes a resource."""
        return analyzer_pb2.RemediateResponse()

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The pack's metadata."""
        info = analyzer_pb2.AnalyzerInfo(
            name=NAME,
            displayName="pgkeep: safe PostgreSQL on AWS",
            version=_VERSION,
            supportsConfig=True,
        )
        info.policies.extend(
            _policy_info(rule, self._judge.enforcement(rule))
            for rule in (*self._judge.rules, EXEMPTIONS_RULE, COVERAGE_RULE)
        )
        return info

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """The version of this server."""
        return plugin_pb2.PluginInfo(version=_VERSION)

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Ends `serve`."""
        self.stopped.set()
        return empty_pb2.Empty()


def serve() -> None:
    """Serves the pack until the engine ends it; the port is the first line of standard output."""
    # Modules live as long as the process: the collector need not search them again and again.
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    gc.enable()
    analyzer = Analyzer()
    options = [
        ("grpc.max_receive_message_length", _MAXIMUM_MESSAGE_BYTES),
        ("grpc.max_send_message_length", _MAXIMUM_MESSAGE_BYTES),
    ]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=options)
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(analyzer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        analyzer.stopped.wait()
    server.stop(grace=0.2).wait()


def coverage_notes(resources: list[Resource]) -> list[Verdict]:
    """One advisory note for each type that no rule judges."""
    by_reason: dict[tuple[str, str], list[NotCovered]] = {}
    for one in not_covered(resources):
        by_reason.setdefault((one.type, one.reason), []).append(one)
    notes: list[Verdict] = []
    for (kind, reason), found in by_reason.items():
        finding = f"{kind} {reason} (not covered: {len(found)})"
        notes.append(
            Verdict(
                kind=Kind.NOT_COVERED,
                rule=COVERAGE_RULE,
                urn=found[0].urn,
                enforcement=Enforcement.ADVISORY,
                message=f"{COVERAGE_RULE.id}: {finding}. {COVERAGE_RULE.remediation}",
                finding=finding,
            )
        )
    return notes


def _answered(urn: str, judged: Callable[[], list[Verdict]]) -> Any:
    """The verdicts as diagnostics. If judging fails as a whole, that is a mandatory violation."""
    try:
        diagnostics = [_diagnostic(verdict) for verdict in _grouped(judged())]
    except Exception as error:
        message = (
            f"{NAME}: the pack itself failed ({crash_message(error)}), so that nothing could be "
            "verified; the change is refused. What to do: report the defect with this line."
        )
        diagnostics = [
            analyzer_pb2.AnalyzeDiagnostic(
                policyName=EXEMPTIONS_RULE.id,
                policyPackName=NAME,
                policyPackVersion=_VERSION,
                description="The pack failed",
                message=message,
                enforcementLevel=analyzer_pb2.MANDATORY,
                urn=urn,
                severity=analyzer_pb2.POLICY_SEVERITY_CRITICAL,
            )
        ]
    return analyzer_pb2.AnalyzeResponse(diagnostics=diagnostics)


def _grouped(verdicts: list[Verdict]) -> list[Verdict]:
    """One note instead of many where one unknown value keeps several rules waiting.

    It stands under the most severe rule and names them all; violations are never grouped.
    """
    waiting: dict[tuple[str, str], list[Verdict]] = {}
    others: list[Verdict] = []
    for verdict in verdicts:
        if verdict.kind is Kind.NOT_VERIFIED:
            waiting.setdefault((verdict.urn, verdict.unknown), []).append(verdict)
        else:
            others.append(verdict)
    for (_, unknown), notes in waiting.items():
        gravest = max(notes, key=lambda note: _SEVERITY[note.rule.severity])
        rule_ids = [gravest.rule.id, *(n.rule.id for n in notes if n is not gravest)]
        others.append(replace(gravest, message=not_verified_message(rule_ids, unknown)))
    return others


def _diagnostic(verdict: Verdict) -> Any:
    return analyzer_pb2.AnalyzeDiagnostic(
        policyName=verdict.rule.id,
        policyPackName=NAME,
        policyPackVersion=_VERSION,
        description=verdict.rule.title,
        message=verdict.message,
        enforcementLevel=_ENFORCEMENT[verdict.enforcement],
        urn=verdict.urn,
        severity=_SEVERITY[verdict.rule.severity],
    )


def _policy_info(rule: Rule, enforcement: Enforcement) -> Any:
    info = analyzer_pb2.PolicyInfo(
        name=rule.id,
        displayName=rule.title,
        description=f"{rule.what} {rule.why}",
        enforcementLevel=_ENFORCEMENT[enforcement],
        severity=_SEVERITY[rule.severity],
        tags=[*rule.catalogue, *rule.controls],
        remediation_steps=rule.remediation,
        policy_type=(
            analyzer_pb2.POLICY_TYPE_RESOURCE
            if rule.check_resource
            else analyzer_pb2.POLICY_TYPE_STACK
        ),
    )
    if rule.settings_schema:
        info.configSchema.properties.update(cast("dict[str, Any]", rule.settings_schema))
    return info


def _parts(message: Any) -> list[Resource]:
    """An `AnalyzeRequest` or `AnalyzerResource` as rules see it; several of aws-native."""
    dependencies = getattr(message, "propertyDependencies", None) or {}
    return expanded(
        Resource.of(
            type=message.type,
            name=message.name,
            urn=message.urn,
            properties=_fields(message.properties),
            property_dependencies={key: list(value.urns) for key, value in dependencies.items()},
            protect=message.options.protect,
        )
    )


def _fields(struct: struct_pb2.Struct) -> dict[str, object]:
    # Sorted: a map comes in another order each time, and messages shall not.
    return {key: _value(value) for key, value in sorted(struct.fields.items(), key=_KEY)}


def _value(value: struct_pb2.Value) -> object:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _fields(value.struct_value)
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind is None or kind == "null_value":
        return None
    return cast("object", getattr(value, kind))
