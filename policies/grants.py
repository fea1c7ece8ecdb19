"""Rules for what reaches the database: no DELETE or TRUNCATE for an application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from .documents import MalformedDocumentError, parse_json
from .inventory import Resource
from .role_manifests import MalformedManifestError, deletion_paths, find
from .rules import Context, Environment, Outcome, Rule, Severity, Unverified, Violation
from .values import contains_unknown

INVOCATION: Final = "aws:lambda/invocation:Invocation"
_LIMIT: Final = "leave DELETE and TRUNCATE out of reach of every application role"


def _no_deletion(invocation: Resource, _context: Context) -> Iterator[Outcome]:
    """Judges `input`, and `triggers`, whose copy of the manifest is known already at preview."""
    yield from _judged(invocation, "input", invocation.get("input"))
    triggers = invocation.get("triggers")
    if isinstance(triggers, dict):
        for key, value in cast("dict[str, object]", triggers).items():
            # Other triggers are hashes and dates, and need not be JSON.
            if isinstance(value, str) and '"roles"' in value:
                yield from _judged(invocation, f"triggers.{key}", value)


def manifests(invocation: Resource) -> list[dict[str, object]]:
    """The role manifests of an invocation that can be read; `NO_DELETION` refuses the others."""
    found: list[dict[str, object]] = []
    triggers = invocation.get("triggers")
    values = [invocation.get("input")]
    if isinstance(triggers, dict):
        values += cast("dict[str, object]", triggers).values()
    for value in values:
        try:
            payload = parse_json(value) if isinstance(value, str) and value else value
            found += [one for one in find(_nested(payload)) if one not in found]
        except MalformedDocumentError:
            continue
    return found


def _judged(invocation: Resource, place: str, value: object) -> Iterator[Outcome]:
    try:
        payload = parse_json(value) if isinstance(value, str) and value else value
        if contains_unknown(payload):
            yield Unverified(invocation, place)
            return
        for manifest in find(_nested(payload)):
            for role, path in deletion_paths(manifest):
                found = f"lets an application delete through {place}: {path}"
                yield Violation(invocation, found, _LIMIT, role)
    except (MalformedDocumentError, MalformedManifestError) as error:
        yield Violation(invocation, f"has an {place} that {error}", _LIMIT)


def _nested(payload: object) -> object:
    """The payload with a manifest that is JSON text inside JSON decoded too."""
    if isinstance(payload, dict):
        mapping = cast("dict[str, object]", payload)
        inner = mapping.get("manifest")
        if isinstance(inner, str) and '"roles"' in inner:
            return {**mapping, "manifest": parse_json(inner)}
    return payload


NO_DELETION: Final = Rule(
    id="db-app-cannot-delete",
    title="Applications cannot delete rows",
    what="No application role of a role manifest, a postgresql provider or migrations reaches "
    "DELETE or TRUNCATE: by grant, ALL, default privileges, membership (INHERIT, SET, ADMIN), "
    "ownership, PUBLIC, or a function, trigger or rule with another's rights.",
    why="A defect or an injection in the application could then destroy data; an application "
    "deletes by a status or a timestamp, and retention deletes later under review.",
    remediation="take the privilege, membership or ownership out of the workload's contract or "
    "migrations (workloads/<workload>/); delete through the retention role.",
    severity=Severity.CRITICAL,
    catalogue=("DBG-01", "DBG-05"),
    controls=("4.6", "squawk/ban-truncate-cascade"),
    types=(INVOCATION,),
    never_exempt_in=frozenset({Environment.PROD}),
    settings_schema={
        "deletingRoles": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Roles that are meant to delete (owner, migrator, retention), where no "
            "role manifest says so.",
        }
    },
    check_resource=_no_deletion,
)

RULES: Final = (NO_DELETION,)
