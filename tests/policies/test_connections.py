"""The texts in which connections and secrets stand, and that pgkeep's own user data passes."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from policies.connections import RULES, weakness
from policies.inventory import Resource
from policies.rules import Context, Rule, Violation
from policies.secret_texts import secret_in, secret_in_variable, unpacked
from tests.unit.recorder import deploy, raw_settings


def test_the_poolers_own_user_data_has_no_secret_and_no_weak_connection() -> None:
    from stacks.settings import load

    recorder = deploy(load(raw_settings("prod"), "prod"))
    encoded = recorder.inputs("pooler-hosts-template")["userData"]
    layers = list(unpacked(encoded))
    assert any("server_tls_sslmode" in layer for layer in layers)
    assert secret_in(encoded) is None
    assert weakness(encoded) is None
    text = gzip.decompress(base64.b64decode(encoded)).decode()
    weaker = text.replace("verify-full", "require")
    assert weaker != text
    packed = base64.b64encode(gzip.compress(weaker.encode())).decode()
    assert weakness(packed) is not None


@pytest.mark.parametrize("broken", ["H4sIAAAA" * 20, "\x00\ud800", "=" * 100])
def test_what_cannot_be_unpacked_is_read_as_it_is(broken: str) -> None:
    assert secret_in(broken) is None
    assert weakness(broken) is None


def test_a_bomb_is_unpacked_to_a_bound_only() -> None:
    bomb = base64.b64encode(gzip.compress(b" " * 50_000_000)).decode()
    assert max(len(layer) for layer in unpacked(bomb)) <= 1_000_000


def test_messages_quote_no_secret() -> None:
    for text in ("PGPASSWORD=hunter2hunter2", "postgresql://app:hunter2hunter2@db/app"):
        assert "hunter2" not in (secret_in(text) or "") + (weakness(text) or "")
    assert "hunter2" not in (secret_in_variable("DB_PASSWORD", "hunter2") or "")


def test_more_text_than_is_read_is_refused() -> None:
    for text in ("A" * 2_000_000, base64.b64encode(gzip.compress(b" " * 9_000_000)).decode()):
        assert "more text" in (weakness(text) or "")
        assert "more text" in (secret_in(text) or "")


@pytest.mark.parametrize(
    "text",
    [
        *("postgresql://localhost/app", "postgresql://app@127.0.0.1:5432/app"),
        *("postgresql://app@[::1]/app", "postgresql:///app", "postgresql://%2Frun%2Fpg/app"),
        *("postgresql://app@db/app?sslmode=verify-full", "POSTGRES://app@DB/?SSLMODE=VERIFY-FULL"),
        *("host=localhost dbname=a user=b", "host=/run dbname=a user=b", "dbname=a user=b"),
        *("host=db dbname=a", "host=db user=b", "host=db dbname=a user=b sslmode=verify-full"),
        *("client_tls_sslmode = require", "CLIENT_TLS_SSLMODE = verify-ca", "auth_type = md5"),
        "[databases]\nmain = host=db dbname=a user=b",
        "[pgbouncer]\n%include /etc/pgbouncer/tls.ini\nauth_type = scram-sha-256",
        "[pgbouncer]\nserver_tls_sslmode=verify-full\nclient_tls_sslmode=require\nauth_type=HBA",
        "NODE_TLS_REJECT_UNAUTHORIZED=1",
    ],
)
def test_verified_local_and_included_connections_pass(text: str) -> None:
    assert weakness(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgresql://localhost@db/app", "a connection URL without"),
        ("postgresql://localhost/a postgresql://db/b", "a connection URL without"),
        ("host=db dbname=a user=b", "a connection string without"),
        ("host=db dbname=a user=b sslmode=verify-full\nhost=db dbname=a user=c", "string without"),
        ("client_tls_sslmode = allow", "client_tls_sslmode = allow"),
        ("server_tls_sslmode = require", "server_tls_sslmode = require"),
        ("sslmode=verify-full sslmode=prefer", "sslmode = prefer"),
        ("NODE_TLS_REJECT_UNAUTHORIZED=0", "NODE_TLS_REJECT_UNAUTHORIZED=0"),
        ("[pgbouncer]\n%include a.ini\nauth_type = MD5", "auth_type = MD5"),
        ("[pgbouncer]\nserver_tls_sslmode = verify-full", "without client_tls_sslmode"),
        ("[pgbouncer]\nclient_tls_sslmode = require", "without server_tls_sslmode"),
    ],
)
def test_weaker_ones_are_named(text: str, words: str) -> None:
    assert words in (weakness(text) or "")


SCRIPT = "#!/bin/sh\nexport PGSSLMODE=require\npsql -h db.internal\n"
MULTIPART = (
    'Content-Type: multipart/mixed; boundary="part"\nMIME-Version: 1.0\n\n--part\n'
    "Content-Transfer-Encoding: base64\nContent-Type: text/x-shellscript\n\n"
    f"{base64.encodebytes(SCRIPT.encode()).decode()}\n--part--\n"
)


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("aws:ec2/instance:Instance", {"userDataBase64": packed(MULTIPART)}),
        ("aws:ec2/spotInstanceRequest:SpotInstanceRequest", {"userData": SCRIPT}),
        ("cloudinit:index/config:Config", {"parts": [{"content": SCRIPT}]}),
        (
            "aws:codebuild/project:Project",
            {"environment": {"environmentVariables": [{"name": "PGSSLMODE", "value": "prefer"}]}},
        ),
        (
            "aws:ecs/taskDefinition:TaskDefinition",
            {"containerDefinitions": '[{"environment":[{"value":"allow","name":"PGSSLMODE"}]}]'},
        ),
        ("aws:ssm/parameter:Parameter", {"value": "Host=db;SSL Mode=Prefer;Username=app"}),
        ("aws:ssm/parameter:Parameter", {"value": "jdbc:postgresql://db/app?ssl=true"}),
        (
            "aws:secretsmanager/secretVersion:SecretVersion",
            {"secretString": '{"host": "db", "ssl": {"rejectUnauthorized": false}}'},
        ),
        ("aws:s3/bucketObjectv2:BucketObjectv2", {"content": "server_tls_sslmode = require"}),
        ("aws:sfn/stateMachine:StateMachine", {"definition": '{"Env": "sslmode=disable"}'}),
    ],
)
def test_weak_connections_are_found_wherever_they_stand(
    kind: str, properties: dict[str, Any]
) -> None:
    (rule,) = RULES
    (found,) = {
        one.found.partition(" in ")[0]
        for one in verified(rule, Resource.of(type=kind, name="x", properties=properties))
    }
    assert found.startswith("has ")
    strict = {
        key: json.loads(
            json.dumps(value)
            .replace("require", "verify-full")
            .replace("prefer", "verify-full")
            .replace("allow", "verify-full")
            .replace("disable", "verify-full")
            .replace("Prefer", "VerifyFull")
            .replace("?ssl=true", "?sslmode=verify-full")
            .replace("false", "true")
        )
        for key, value in properties.items()
        if key != "userDataBase64"
    }
    assert not verified(rule, Resource.of(type=kind, name="x", properties=strict))


def verified(rule: Rule, resource: Resource) -> list[Violation]:
    assert rule.check_resource
    found = rule.check_resource(resource, Context())
    return [one for one in found if isinstance(one, Violation)]
