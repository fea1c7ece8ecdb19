"""Judges SQL of a test as the migrations of a workload."""

from __future__ import annotations

from typing import Any

from policies.evaluation import Kind, Verdict, evaluate
from policies.inventory import Stack
from policies.rules import Context, Environment
from policies.sql import migrations

MANIFEST = {
    "workload": "w",
    "database": "w",
    "schema": "w",
    "roles": [
        {"name": "w_owner", "kind": "owner", "login": False},
        {"name": "w_migrator", "kind": "migrator", "member_of": ["w_owner"], "connection_limit": 2},
        {"name": "w_retention", "kind": "retention", "login": True, "connection_limit": 2},
        {"name": "w_app", "kind": "app", "login": True, "connection_limit": 20},
        {"name": "w_reader", "kind": "readonly", "login": True, "connection_limit": 5},
    ],
}
TABLE = "CREATE TABLE t (id int, status text);\n"
WIPE = "CREATE FUNCTION wipe() RETURNS void LANGUAGE sql SECURITY DEFINER"
SAFE = "SET search_path = w, pg_temp"
TRIGGER = "RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = w, pg_temp"
CLOSED = "REVOKE ALL ON FUNCTION wipe() FROM PUBLIC;\n"


def judged(
    *files: str, manifest: Any = MANIFEST, environment: Environment = Environment.PROD, **more: Any
) -> list[Verdict]:
    named = [(f"{number:04}_m.sql", text) for number, text in enumerate(files, 1)]
    context = Context(environment=environment, **more)
    return [
        one
        for one in evaluate(Stack([migrations(named, manifest)]), context)
        if one.kind is Kind.VIOLATION
    ]


def rules(*files: str, **more: Any) -> set[str]:
    return {one.rule.id for one in judged(*files, **more)}


def paths(*files: str, **more: Any) -> list[str]:
    return [
        one.finding.partition("lets an application delete: ")[2].partition("; it must")[0]
        for one in judged(*files, **more)
        if one.rule.id == "db-app-cannot-delete"
    ]
