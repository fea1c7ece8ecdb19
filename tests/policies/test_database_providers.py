"""Connections of the postgresql provider: each value that decides, alone."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind, Verdict, evaluate
from policies.inventory import Resource, Stack
from policies.rules import Context, Phase
from tests.policies.good_stack import UNKNOWN_STRING

PROVIDER = "pulumi:providers:postgresql"
SUBSCRIPTION = "postgresql:index/subscription:Subscription"
SERVER = "postgresql:index/server:Server"
FULL = {"sslmode": "verify-full"}


def verdicts(kind: str, properties: dict[str, Any], phase: Phase = Phase.PREVIEW) -> list[Verdict]:
    one = Resource.of(type=kind, name="one", properties=properties)
    found = evaluate(Stack([one]), Context(phase=phase))
    return [verdict for verdict in found if verdict.rule.id == "db-provider-verify-full"]


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (PROVIDER, {"host": "db", **FULL}),
        (PROVIDER, {"host": "db", "sslMode": "verify-full"}),
        (PROVIDER, {"host": "db", "sslMode": "require", **FULL}),
        (PROVIDER, {"host": "localhost"}),
        (PROVIDER, {"host": "/run/postgresql", "sslmode": "disable"}),
        (PROVIDER, {"host": "db", "scheme": "awspostgres"}),
        (PROVIDER, {"host": "db", "scheme": "gcppostgres"}),
        (SUBSCRIPTION, {"conninfo": "host=db dbname=a user=b sslmode=verify-full"}),
        (SUBSCRIPTION, {"conninfo": "host=127.0.0.1 dbname=a"}),
        (SUBSCRIPTION, {"conninfo": "service=a"}),
        (SERVER, {"fdwName": "file_fdw"}),
        (SERVER, {"fdwName": "postgres_fdw", "options": {"host": "db", **FULL}}),
        (SERVER, {"fdwName": "postgres_fdw", "options": {"host": "/run"}}),
    ],
)
def test_verified_connections_pass(kind: str, properties: dict[str, Any]) -> None:
    assert verdicts(kind, properties) == []


@pytest.mark.parametrize(
    ("kind", "properties", "found"),
    [
        (PROVIDER, {}, "has no sslmode (its default is require)"),
        (PROVIDER, {"host": "db"}, "has no sslmode"),
        (PROVIDER, {"host": "db", "scheme": "postgres"}, "has no sslmode"),
        (PROVIDER, {"host": "db", "sslmode": "require"}, 'has sslmode = "require"'),
        (PROVIDER, {"host": "db", "sslmode": "require", "sslMode": "verify-full"}, "require"),
        (PROVIDER, {"host": 5, "sslmode": "verify-ca"}, "verify-ca"),
        (SUBSCRIPTION, {}, "has a conninfo that is no text"),
        (SUBSCRIPTION, {"conninfo": "host=db dbname=a user=b"}, "without sslmode"),
        (SUBSCRIPTION, {"conninfo": "host=db dbname=a"}, "has a conninfo without sslmode"),
        (SUBSCRIPTION, {"conninfo": "hostaddr=10.0.0.1 dbname=a"}, "conninfo without sslmode"),
        (SUBSCRIPTION, {"conninfo": "host=db dbname=a sslmode=prefer"}, "sslmode = prefer"),
        (SERVER, {"fdwName": "postgres_fdw"}, "has the option sslmode = (not set)"),
        (SERVER, {"fdwName": "dblink_fdw", "options": {"host": "db"}}, "(not set)"),
        (SERVER, {"fdwName": "postgres_fdw", "options": {"sslmode": "require"}}, "require"),
    ],
)
def test_weaker_connections_are_refused(kind: str, properties: dict[str, Any], found: str) -> None:
    (verdict,) = verdicts(kind, properties)
    assert verdict.kind is Kind.VIOLATION
    assert verdict.blocks
    assert found in verdict.finding


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (PROVIDER, {"host": UNKNOWN_STRING}),
        (PROVIDER, {"host": "db", "sslmode": UNKNOWN_STRING}),
        (PROVIDER, {"host": "db", "sslMode": UNKNOWN_STRING}),
        (PROVIDER, {"host": "db", "scheme": UNKNOWN_STRING}),
        (SUBSCRIPTION, {"conninfo": UNKNOWN_STRING}),
        (SERVER, {"fdwName": UNKNOWN_STRING}),
        (SERVER, {"fdwName": "postgres_fdw", "options": UNKNOWN_STRING}),
        (SERVER, {"fdwName": "postgres_fdw", "options": {"host": UNKNOWN_STRING}}),
    ],
)
def test_unknown_is_noted_once_and_refused_at_apply(kind: str, properties: dict[str, Any]) -> None:
    (note,) = verdicts(kind, properties)
    assert note.kind is Kind.NOT_VERIFIED
    (refusal,) = verdicts(kind, properties, Phase.APPLY)
    assert refusal.blocks
