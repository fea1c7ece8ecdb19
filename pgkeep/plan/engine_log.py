"""Reads the engine's event log (`pulumi preview --event-log`) into a plan.

The log carries what `--json` does not: the policy pack's notes by rule and resource. Its format is
the engine's API type EngineEvent (pulumi/sdk, go/common/apitype/events.go): one event a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pgkeep.failures import CommandError
from pgkeep.plan.model import (
    NO_PROPERTIES,
    Change,
    NoteKind,
    Operation,
    Plan,
    PolicyNote,
    PropertyChange,
)
from pgkeep.plan.values import differences

_OPERATIONS = {
    "create": Operation.CREATE,
    "update": Operation.UPDATE,
    "delete": Operation.DELETE,
    "replace": Operation.REPLACE,
    "create-replacement": Operation.REPLACE,
    "delete-replaced": Operation.REPLACE,
    "import": Operation.IMPORT,
    "import-replacement": Operation.REPLACE,
    "same": Operation.SAME,
}
_UNVERIFIED = "could not be verified before apply"
_COVERAGE_RULE = "policy-coverage-complete"
_EXEMPTED = re.compile(r"; exempted until \d{4}-\d{2}-\d{2} by ")
_REMEDY = re.compile(r"\s*What to do: ")


def read_log(text: str, stack: str, *, offline: bool = False) -> Plan:
    """The plan that the log tells.

    Raises:
        CommandError: the log is not one of the engine, or the engine ended before its summary.
    """
    events = [_event(line, number) for number, line in enumerate(text.splitlines(), 1) if line]
    if not any("summaryEvent" in event or "cancelEvent" in event for event in events):
        raise CommandError(
            "the engine ended before the preview was complete; run it with `pulumi preview "
            f"--stack {stack}` to see why."
        )
    steps = [
        event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event
    ]
    preludes = [event["preludeEvent"] for event in events if "preludeEvent" in event]
    diagnostics = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    judged = {
        event["policyAnalyzeSummaryEvent"]["resourceUrn"]
        for event in events
        if "policyAnalyzeSummaryEvent" in event
    }
    failed = any(
        event["summaryEvent"].get("result") == "failed"
        for event in events
        if "summaryEvent" in event
    )
    return Plan(
        failed=failed,
        stack=stack,
        changes=tuple(_changes(steps)),
        notes=_notes(event["policyEvent"] for event in events if "policyEvent" in event),
        errors=_errors(diagnostics),
        warnings=_messages(diagnostics, {"warning"}),
        config=preludes[0].get("config", {}) if preludes else {},
        judged=len(judged),
        offline=offline,
    )


def _event(line: str, number: int) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise CommandError(f"line {number} of the engine's event log is not a JSON object.")
    return event


def _changes(steps: Iterable[Mapping[str, Any]]) -> Iterable[Change]:
    """One change for each resource: a replacement is three steps of the engine."""
    by_urn: dict[str, list[Mapping[str, Any]]] = {}
    for step in steps:
        if step["op"] in _OPERATIONS and not step["type"].startswith("pulumi:"):
            by_urn.setdefault(step["urn"], []).append(step)
    for urn, own in by_urn.items():
        yield _change(urn, own)


def _change(urn: str, steps: list[Mapping[str, Any]]) -> Change:
    order = list(Operation)
    operation = min((_OPERATIONS[step["op"]] for step in steps), key=order.index)
    operations = {step["op"] for step in steps}
    if operations >= {"delete", "create"}:
        operation = Operation.REPLACE
    old = next((step["old"] for step in steps if step.get("old")), None)
    new = next((step["new"] for step in steps if step.get("new")), None)
    if operation is Operation.DELETE:
        new = None
        if old is not None and old.get("retainOnDelete"):
            operation = Operation.FORGET
    if operation in (Operation.CREATE, Operation.IMPORT):
        old = None
    custom = any((state or {}).get("custom") for state in (old, new))
    return Change(
        urn=urn,
        operation=operation,
        old=None if old is None else old.get("inputs") or {},
        new=None if new is None else new.get("inputs") or {},
        old_outputs=(old or {}).get("outputs") or NO_PROPERTIES,
        properties=_properties(operation, steps, old, new),
        protected=bool((old or {}).get("protect")),
        retained=bool((old or {}).get("retainOnDelete")),
        component=not custom,
    )


def _properties(
    operation: Operation,
    steps: list[Mapping[str, Any]],
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
) -> tuple[PropertyChange, ...]:
    if operation not in (Operation.UPDATE, Operation.REPLACE) or old is None or new is None:
        return ()
    keys = {_top(key) for step in steps for key in step.get("keys") or ()}
    named = set(keys)
    for step in steps:
        named.update(_top(key) for key in step.get("diffs") or ())
        for path, difference in (step.get("detailedDiff") or {}).items():
            named.add(_top(path))
            if str(difference.get("diffKind", "")).endswith("-replace"):
                keys.add(_top(path))
    before, after = old.get("inputs") or {}, new.get("inputs") or {}
    # The provider names what counts: a default that it ignores is no change of this plan.
    chosen = named or {*before, *after}
    found = differences(
        {key: value for key, value in before.items() if key in chosen},
        {key: value for key, value in after.items() if key in chosen},
        frozenset(keys),
    )
    told = {_top(change.path) for change in found}
    # Drift: AWS has another value than the state's inputs, so only the outputs can tell.
    outputs = old.get("outputs") or {}
    drifted = {key for key in named - told if key in after and outputs.get(key) != after[key]}
    found += differences(
        {key: outputs[key] for key in drifted if key in outputs},
        {key: after[key] for key in drifted},
        frozenset(keys),
    )
    return found


def _top(path: str) -> str:
    """`tags` of `tags.Name`, `tags["a.b"]` or `parameters[0].value`."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _notes(events: Iterable[Mapping[str, Any]]) -> tuple[PolicyNote, ...]:
    """The notes, gravest first, each once: the engine repeats what a second step hears again."""
    notes = dict.fromkeys(_note(event) for event in events)
    kinds, severities = list(NoteKind), ["critical", "high", "medium", "low", ""]
    return tuple(
        sorted(
            notes,
            key=lambda note: (
                kinds.index(note.kind),
                severities.index(note.severity) if note.severity in severities else 0,
                note.rule,
                note.resource,
                note.message,
            ),
        )
    )


def _note(event: Mapping[str, Any]) -> PolicyNote:
    message = " ".join(str(event.get("message", "")).split())
    rule = str(event.get("policyName", ""))
    if event.get("enforcementLevel") == "mandatory":
        kind = NoteKind.VIOLATION
    elif _UNVERIFIED in message:
        kind = NoteKind.UNVERIFIED
    elif rule == _COVERAGE_RULE:
        kind = NoteKind.NOT_COVERED
    elif _EXEMPTED.search(message):
        kind = NoteKind.EXEMPTED
    else:
        kind = NoteKind.ADVICE
    text, *remedy = _REMEDY.split(message, maxsplit=1)
    return PolicyNote(
        kind=kind,
        rule=rule,
        resource=_resource_label(str(event.get("resourceUrn", ""))),
        severity=str(event.get("severity", "")),
        message=text.removeprefix(f"{rule}: "),
        remedy=remedy[0] if remedy else "",
    )


def _resource_label(urn: str) -> str:
    if urn.count("::") < 3:
        return ""
    change = Change(urn, Operation.SAME)
    return (
        ""
        if change.type.startswith("pulumi:pulumi:Stack")
        else f"{change.short_type} {change.name}"
    )


def _errors(diagnostics: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Why the preview failed: the engine's errors and the program's own, without its traceback."""
    found: list[str] = []
    # What the program writes comes line by line: those after its `error: ` belong to it.
    continued = False
    for item in diagnostics:
        text, of_program = _plain_text(item), item.get("severity") == "info#err"
        if item.get("severity") == "error" or text.startswith("error: "):
            resource = _resource_label(str(item.get("urn", "")))
            text = _PROTECTED.sub(_of_protection, text.removeprefix("error: "))
            found.append(f"{resource}: {text}" if resource else text)
            continued = of_program
        elif text.startswith("Traceback"):
            continued = False
        elif continued and of_program and text:
            found[-1] += f"\n{text}"
    # Others add that it has failed; why, the program or the policies have said.
    told = [text for text in found if not text.startswith(_ECHOES)]
    return tuple(dict.fromkeys(told))


# The engine names the resource by its URN, and advises to unprotect it.
_PROTECTED = re.compile(
    r'unable to (replace|delete) resource "[^"]+"\s+as it is currently marked for protection.*',
    re.DOTALL,
)


def _of_protection(found: re.Match[str]) -> str:
    return (
        f"protected, so that Pulumi refuses to {found[1]} it. Set back what asks for it; data is "
        "given up in two steps (docs/database.md)"
    )


_ECHOES = ("Exception calling application", "an unhandled error occurred", "preview failed")


def _messages(diagnostics: Iterable[Mapping[str, Any]], severities: set[str]) -> tuple[str, ...]:
    """Texts of the given severities, each once, in their order."""
    texts = (_plain_text(item) for item in diagnostics if item.get("severity") in severities)
    return tuple(dict.fromkeys(text for text in texts if text))


def _plain_text(diagnostic: Mapping[str, Any]) -> str:
    """A diagnostic's text without colours."""
    return re.sub(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m", "", str(diagnostic.get("message", ""))).strip()
