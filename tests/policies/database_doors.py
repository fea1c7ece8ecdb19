"""`postgresql:*` resources and manifests for tests, and what is said of them together."""

from __future__ import annotations

import copy
import json
from typing import Any

from policies.evaluation import Kind, Verdict, evaluate
from policies.inventory import Resource, Stack
from policies.rules import Context
from tests.policies.good_stack import INVOCATION, MANIFEST

ROLE = {
    "name": "shop",
    "login": True,
    "connectionLimit": 20,
    "validUntil": "2027-01-01",
    "statementTimeout": 30_000,
}

TYPES = {
    "role": "role:Role",
    "grant": "grant:Grant",
    "grantRole": "grantRole:GrantRole",
    "defaults": "defaultPrivileges:DefaultPrivileges",
    "olddefaults": "defaultPrivileg:DefaultPrivileg",
    "schema": "schema:Schema",
    "database": "database:Database",
    "function": "function:Function",
    "extension": "extension:Extension",
}


def pg(kind: str, label: str = "", /, **properties: Any) -> Resource:
    return Resource.of(
        type=f"postgresql:index/{TYPES[kind]}", name=label or kind, properties=properties
    )


def grant(*privileges: Any, role: str = "shop", **other: Any) -> Resource:
    properties = {"objectType": "table", "schema": "s", "objects": ["t"], **other}
    return pg("grant", role=role, privileges=list(privileges), **properties)


def judged(*resources: Resource, **context: Any) -> list[Verdict]:
    return evaluate(Stack(resources), Context(**context))


def rules(*resources: Resource, **context: Any) -> set[str]:
    return {v.rule.id for v in judged(*resources, **context) if v.kind is Kind.VIOLATION}


def paths(*resources: Resource) -> list[str]:
    return [
        v.finding.partition("delete: ")[2].partition("; it must")[0]
        for v in judged(*resources)
        if v.rule.id == "db-app-cannot-delete" and v.kind is Kind.VIOLATION
    ]


def manifest_of(**app: Any) -> Resource:
    changed = copy.deepcopy(MANIFEST)
    changed["roles"][2].update(app)  # type: ignore[index]
    payload = json.dumps({"manifest": changed})
    return Resource.of(type=INVOCATION, name="roles", properties={"input": payload})
