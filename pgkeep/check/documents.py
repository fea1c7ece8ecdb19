"""States (`pulumi stack export`) and plans (`pulumi preview --json`) as the rules see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from pgkeep.check.json_stream import JsonStream, as_object, opened
from pgkeep.failures import CommandError
from policies.inventory import Resource
from policies.native import expanded

# Of `pulumi stack export`: 3 since 2018, 4 says only which newer features the state uses.
_VERSIONS: Final = (3, 4)
_MASKED: Final = "[secret]"
# The provider's list of the inputs that it filled in; no property.
_DEFAULTED: Final = "__defaults"
_PROVIDERS: Final = ("pulumi:providers:aws", "pulumi:providers:aws-native")
_AWS_TYPE: Final = re.compile("aws:[^:]+/")
_HIDDEN: Final = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "ciphertext": "",
}
# What an operation of a plan leaves: everything but the old half of a replacement and a deletion.
_GONE: Final = frozenset(
    {"delete", "delete-replaced", "discard", "discard-replaced", "remove-pending-replace"}
)
_READ: Final = frozenset({"read", "read-replacement"})


@dataclass
class Document:
    """The resources of one stack."""

    source: str
    stack: str = ""
    project: str = ""
    resources: list[Resource] = field(default_factory=list[Resource])
    left_out: list[tuple[Resource, str]] = field(default_factory=list[tuple[Resource, str]])
    """Resources that are not judged, with the reason as the end of a sentence."""
    notes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """URN (empty: the document as a whole) and what it lacks, as the end of a sentence."""
    problems: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """URN and what is wrong with the document about it."""


def read_state(file: str) -> Document:
    """A state as `pulumi stack export` writes it, of any program.

    Raises:
        CommandError: the file cannot be read, or is no state.
    """
    with opened(file) as stream:
        document = Document(file)
        if stream.peek() not in ("{", ""):
            raise stream.fail("is no state: `pulumi stack export` writes a JSON object")
        found = False
        for key in stream.members("the state"):
            if key == "deployment":
                found = True
                _deployment(stream, document)
                continue
            value = stream.value()
            if key == "version" and value not in _VERSIONS:
                raise stream.fail(
                    f"has the version {str(value)[:20]!r}; states of version 3 and 4 can be read. "
                    "Export it with a current Pulumi CLI"
                )
            if key == "checkpoint":
                raise stream.fail("is a checkpoint, not a state; use `pulumi stack export`")
        stream.end()
        if not found:
            raise stream.fail("is no state: it has no deployment; use `pulumi stack export`")
        return document


def _deployment(stream: JsonStream, document: Document) -> None:
    if stream.peek() != "{":
        raise stream.fail("is no state: its deployment is not an object")
    for key in stream.members("the deployment"):
        if key == "resources" and stream.peek() == "[":
            _take(stream, document, enumerate(stream.elements("deployment.resources")))
            continue
        value = stream.value()
        if key == "pending_operations":
            _interrupted(stream, document, value)
        # An empty stack has no resources, or null.
        if key == "resources" and value is not None:
            raise stream.fail("is no state: deployment.resources is not a list")


def _interrupted(stream: JsonStream, document: Document, operations: object) -> None:
    """Notes what an update that broke off was doing: it may or may not exist as it stands here."""
    for number, element in enumerate(
        cast("list[object]", operations) if isinstance(operations, list) else [operations]
    ):
        operation = as_object(element)
        if operation is None:
            if operations is not None:
                raise stream.fail(f"has a pending operation {number + 1} that is not an object")
            continue
        place = f"pending operation {number + 1}"
        state = _state(stream, operation.get("resource"), place)
        if not _is_component(state):
            doing = str(operation.get("type"))[:20]
            reason = f"may differ: an update broke off while {doing} it; run pulumi refresh"
            document.left_out.append((_parts(stream, state, place)[0], reason))


def _take(stream: JsonStream, document: Document, elements: Iterable[tuple[int, object]]) -> None:
    urns: set[str] = set()
    regions: dict[str, str] = {}
    for number, element in elements:
        place = f"resource {number + 1}"
        state = _state(stream, element, place)
        urn = str(state["urn"])
        gone = state.get("delete") is True or state.get("pendingReplacement") is True
        if not gone and urn in urns:
            document.problems.append((urn, "stands twice in the state, which is damaged"))
        if state["type"] == "pulumi:pulumi:Stack" or not document.stack:
            _name(document, urn)
        if _is_component(state):
            urns.add(urn)
            continue
        resource, *parts = _parts(stream, state, place, regions)
        if gone:
            document.left_out.append((resource, "is about to be deleted, and was not judged"))
            continue
        urns.add(urn)
        if state.get("external") is True:
            document.left_out.append((resource, "is only read by this stack, and was not judged"))
        else:
            document.resources += [resource, *parts]


def _is_component(state: Mapping[str, object]) -> bool:
    """Whether it only groups others: so it says of itself, and it is none of AWS's types."""
    return state.get("custom") is False and not _AWS_TYPE.match(str(state["type"]))


def _state(stream: JsonStream, element: object, place: str) -> dict[str, object]:
    """A resource state with the fields that every one has."""
    state = as_object(element)
    if state is None:
        raise stream.fail(f"has a {place} that is not an object")
    for key in ("urn", "type"):
        if not isinstance(state.get(key), str) or not state[key]:
            raise stream.fail(f"has a {place} without {key}")
    if str(state["urn"]).count("::") < 3:
        raise stream.fail(f"has a {place} whose URN is none: {str(state['urn'])[:80]!r}")
    return state


def _parts(
    stream: JsonStream,
    state: Mapping[str, object],
    place: str,
    regions: dict[str, str] | None = None,
) -> list[Resource]:
    """One resource, or what it is in the provider aws.

    `regions` are those of the providers that came before it, by reference.
    """
    parts: dict[str, dict[str, object]] = {}
    for key in ("inputs", "outputs", "propertyDependencies"):
        value = state.get(key)
        found = {} if value is None else as_object(value)
        if found is None:
            raise stream.fail(f"has a {place} whose {key} is not an object")
        parts[key] = found
    made = dict(parts["outputs"])
    if isinstance(state.get("id"), str):
        made.setdefault("id", state["id"])
    urn = str(state["urn"])
    region = parts["inputs"].get("region", made.get("region"))
    if regions is not None and state["type"] in _PROVIDERS:
        regions[f"{urn}::{made.get('id')}"] = region if isinstance(region, str) else ""
    if not isinstance(region, str):
        region = (regions or {}).get(str(state.get("provider")), "")
    resource = Resource.of(
        type=str(state["type"]),
        name=urn.split("::", 3)[3],
        urn=urn,
        # Without inputs (an import, a refresh) there is only what AWS made of it.
        properties=parts["inputs"] if parts["inputs"].keys() - {_DEFAULTED} else parts["outputs"],
        outputs=made,
        property_dependencies=dict(_dependencies(parts["propertyDependencies"])),
        protect=state.get("protect") is True,
        region=region,
    )
    return expanded(resource)


def _dependencies(listed: Mapping[str, object]) -> Iterator[tuple[str, list[str]]]:
    for key, urns in listed.items():
        if isinstance(urns, list):
            yield key, [urn for urn in cast("list[object]", urns) if isinstance(urn, str)]


def _name(document: Document, urn: str) -> None:
    stack, project = urn.removeprefix("urn:pulumi:").split("::")[:2]
    document.stack, document.project = stack, project


def read_plan(file: str) -> Document:
    """What a `pulumi preview --json` would leave.

    Raises:
        CommandError: the file cannot be read, is no such document, or the preview failed.
    """
    with opened(file) as stream:
        document = Document(file)
        if stream.peek() not in ("{", ""):
            raise stream.fail("is no plan: `pulumi preview --json` writes a JSON object")
        keys: set[str] = set()
        steps = _Steps()
        unchanged = 0
        for key in stream.members("the plan"):
            keys.add(key)
            if key == "steps" and stream.peek() == "[":
                for number, element in enumerate(stream.elements("steps")):
                    _step(stream, document, element, f"step {number + 1}", steps)
                continue
            value = stream.value()
            if key == "changeSummary":
                unchanged = _number((as_object(value) or {}).get("same"))
            if key == "diagnostics":
                _refuse_failed(stream, value)
            if key == "steps" and value is not None:
                raise stream.fail("is no plan: its steps are not a list")
        stream.end()
        if "sequence" in keys:
            raise stream.fail("is a log of the engine's events; use `pulumi preview --json`")
        if not keys & {"steps", "changeSummary"}:
            raise stream.fail("is no plan: it has no steps; use `pulumi preview --json`")
        for parts, reason in steps.resources.values():
            if reason:
                document.left_out.append((parts[0], reason))
            else:
                document.resources += parts
        document.notes += _left_out(unchanged - steps.unchanged)
        return document


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _left_out(count: int) -> Iterator[tuple[str, str]]:
    if count > 0:
        yield (
            "",
            f"the plan leaves out {count} unchanged resources, which were not judged: use "
            "pulumi preview --json --show-sames",
        )


@dataclass
class _Steps:
    """What the steps of a plan leave."""

    resources: dict[str, tuple[list[Resource], str]] = field(
        default_factory=dict[str, tuple[list[Resource], str]]
    )
    regions: dict[str, str] = field(default_factory=dict[str, str])
    unchanged: int = 0


def _step(
    stream: JsonStream,
    document: Document,
    element: object,
    place: str,
    steps: _Steps,
) -> None:
    step = as_object(element)
    if step is None:
        raise stream.fail(f"has a {place} that is not an object")
    operation = str(step.get("op"))
    steps.unchanged += operation == "same"
    raw = step.get("newState")
    if operation in _GONE:
        return
    if raw is None:
        raise stream.fail(f"has a {place} ({operation[:30]}) without newState")
    state = _state(stream, raw, place)
    urn = str(state["urn"])
    if state["type"] == "pulumi:pulumi:Stack" or not document.stack:
        _name(document, urn)
    if _is_component(state):
        return
    shown = dict(state)
    # What is made or changed has its inputs for outputs, and nothing else is known of it yet. What
    # stays has its own, by which others name it.
    shown["outputs"] = _unmasked(state.get("outputs")) if operation == "same" else {}
    shown["inputs"] = _unmasked(state.get("inputs"))
    reason = "is only read by this stack, and was not judged" if operation in _READ else ""
    steps.resources[urn] = (_parts(stream, shown, place, steps.regions), reason)


def _unmasked(value: object, depth: int = 0) -> object:
    """Values with the text that the CLI shows for a secret marked as one that cannot be read."""
    if value == _MASKED:
        return _HIDDEN
    if depth < 100 and isinstance(value, dict):
        mapping = cast("dict[str, object]", value)
        return {key: _unmasked(item, depth + 1) for key, item in mapping.items()}
    if depth < 100 and isinstance(value, list):
        return [_unmasked(item, depth + 1) for item in cast("list[object]", value)]
    return value


def _refuse_failed(stream: JsonStream, diagnostics: object) -> None:
    for entry in cast("list[object]", diagnostics) if isinstance(diagnostics, list) else []:
        fields = as_object(entry) or {}
        if fields.get("severity") == "error":
            text = " ".join(str(fields.get("message")).split())
            reason = f"is of a preview that failed, so that it is not whole: {text[:300]}"
            raise CommandError(f"{stream.source} {reason}")
