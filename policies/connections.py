"""The rule that every connection to PostgreSQL verifies the server: sslmode = verify-full.

It reads every text that may hold a connection string or a PgBouncer setting: user data (also
packed), environment variables, secrets, parameters, container definitions, events of functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .hosts import CONFIGURATION, FUNCTION, HOST, TEMPLATE
from .inventory import Resource
from .keys import PARAMETER
from .rules import Context, Environment, Outcome, Rule, Severity, Unverified, Violation
from .secret_texts import MAXIMUM_TEXT, leaves, unpacked, variables
from .stored_secrets import DOCUMENT
from .values import contains_unknown

# The properties of each type in which a connection may stand.
_PLACES: Final = {
    HOST: ("userData", "userDataBase64"),
    TEMPLATE: ("userData",),
    CONFIGURATION: ("userData", "userDataBase64"),
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest": ("userData", "userDataBase64"),
    "aws:lightsail/instance:Instance": ("userData",),
    "cloudinit:index/config:Config": ("parts",),
    FUNCTION: ("environment",),
    "aws:lambda/invocation:Invocation": ("input",),
    "aws:secretsmanager/secretVersion:SecretVersion": ("secretString", "secretBinary"),
    "aws:appconfig/hostedConfigurationVersion:HostedConfigurationVersion": ("content",),
    "aws:s3/bucketObject:BucketObject": ("content", "contentBase64"),
    "aws:s3/bucketObjectv2:BucketObjectv2": ("content", "contentBase64"),
    PARAMETER: ("value", "insecureValue"),
    DOCUMENT: ("content",),
    "aws:ecs/taskDefinition:TaskDefinition": ("containerDefinitions",),
    "aws:scheduler/schedule:Schedule": ("target",),
    "aws:apprunner/service:Service": ("sourceConfiguration",),
    "aws:batch/jobDefinition:JobDefinition": (
        "containerProperties",
        "ecsProperties",
        "eksProperties",
        "nodeProperties",
    ),
    "aws:cloudformation/stack:Stack": ("parameters", "templateBody"),
    "aws:cloudwatch/eventTarget:EventTarget": ("input", "inputTransformer"),
    "aws:codebuild/project:Project": ("environment", "source"),
    "aws:elasticbeanstalk/environment:Environment": ("settings",),
    "aws:glue/connection:Connection": ("connectionProperties",),
    "aws:imagebuilder/component:Component": ("data",),
    "aws:sfn/stateMachine:StateMachine": ("definition",),
    "aws:ssm/association:Association": ("parameters",),
}
# https://www.postgresql.org/docs/17/libpq-ssl.html, table 32.1; https://www.pgbouncer.org/config.html
# (Npgsql writes VerifyFull.)
_SERVER_MODES: Final = frozenset({"verify-full", "verifyfull"})
_CLIENT_MODES: Final = frozenset({"require", "verify-ca", "verify-full"})
_AUTHENTICATION: Final = frozenset({"scram-sha-256", "cert", "hba"})
_SETTING: Final = re.compile(
    r"(?<![\w-])(?P<key>PGSSLMODE|ssl[_ ]?mode|server_tls_sslmode|client_tls_sslmode)['\"]?"
    r"(?:\s*[=:]\s*|['\"]?\s*,\s*['\"]?value['\"]?\s*[=:]\s*)['\"]?(?P<value>[A-Za-z][A-Za-z-]*)",
    re.IGNORECASE,
)
# Drivers' own ways to take whoever answers: pgJDBC, Npgsql, node-postgres, Node itself.
_UNVERIFIED: Final = re.compile(
    r"NonValidatingFactory|Trust ?Server ?Certificate['\"]?\s*=\s*['\"]?true"
    r"|rejectUnauthorized['\"]?\s*[:=]\s*['\"]?false|NODE_TLS_REJECT_UNAUTHORIZED['\"]?\s*[:=]\s*['\"]?0",
    re.IGNORECASE,
)
_AUTH_TYPE: Final = re.compile(r"^\s*auth_type\s*=\s*([\w-]+)", re.IGNORECASE | re.MULTILINE)
_URL: Final = re.compile(r"\b(?:jdbc:)?postgres(?:ql)?(?:\+\w+)?://([^\s'\"<>\\]+)", re.IGNORECASE)
_HOST: Final = re.compile(r"\bhost=([^\s'\"]+)")
_ITSELF: Final = ("localhost", "127.", "[::1]", "/", "%2f")


def weakness(text: str) -> str | None:
    """Why a text with a connection in it is refused; it quotes no part of a connection string."""
    for layer in unpacked(text):
        if found := _weak_layer(layer):
            return found
        if len(layer) >= MAXIMUM_TEXT:
            return f"more text than is read ({MAXIMUM_TEXT} characters)"
    return None


def _weak_layer(text: str) -> str | None:
    return _weak_setting(text) or _weak_pooler(text) or _weak_string(text)


def _weak_setting(text: str) -> str | None:
    for setting in _SETTING.finditer(text):
        key, value = setting["key"], setting["value"].lower()
        accepted = _CLIENT_MODES if key.lower().startswith("client") else _SERVER_MODES
        if value not in accepted:
            return f"{key} = {value[:20]}"
    if found := _UNVERIFIED.search(text):
        return found[0][:40]
    return None


def _weak_pooler(text: str) -> str | None:
    """What a PgBouncer configuration says, or leaves to a default that is weaker."""
    if "[pgbouncer]" not in text:
        return None
    for method in _AUTH_TYPE.findall(text):
        if method.lower() not in _AUTHENTICATION:
            return f"auth_type = {method[:20]}"
    for key, default in (("server_tls_sslmode", "prefer"), ("client_tls_sslmode", "disable")):
        if key not in text and "%include" not in text:
            return f"a PgBouncer configuration without {key} (its default is {default})"
    return None


def _weak_string(text: str) -> str | None:
    for url in _URL.finditer(text):
        authority = url[1].rpartition("@")[2]
        verifies = "sslmode=verify-full" in url[1].lower()
        if not verifies and not authority.lower().startswith(_ITSELF):
            return "a connection URL without sslmode=verify-full"
    lines = text.splitlines() if "[databases]" not in text else ()
    for line in lines:
        host = _HOST.search(line) if "dbname=" in line and "user=" in line else None
        verifies = "sslmode=verify-full" in line
        if host and not verifies and not host[1].lower().startswith(_ITSELF):
            return "a connection string without sslmode=verify-full"
    return None


def _verified(resource: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "connect with sslmode = verify-full and the authority's certificate"
    for name in _PLACES[resource.type]:
        value = resource.get(name)
        if contains_unknown(value):
            yield Unverified(resource, name)
        for place, text in (*leaves(value, name), *variables(value, name)):
            # A variable's name says what its value is: PGSSLMODE = require.
            if found := weakness(f"{place.rpartition('.')[2]}={text}") or weakness(text):
                yield Violation(resource, f"has {found} in {place[:80]}", limit)


RULES: Final = (
    Rule(
        id="db-verify-full",
        title="Every connection verifies the server",
        what="No user data, variable, secret, parameter or event has an sslmode below "
        "verify-full, a PostgreSQL URL without it, or a PgBouncer setting that is weaker.",
        why="With less, whoever stands in between can pass for the database and read passwords.",
        remediation="set sslmode=verify-full and sslrootcert (PGSSLMODE, server_tls_sslmode; "
        "components/pooler_user_data.py has both).",
        severity=Severity.CRITICAL,
        catalogue=("DBG-09",),
        controls=("5.8", "6.8"),
        types=tuple(_PLACES),
        never_exempt_in=frozenset({Environment.PROD}),
        check_resource=_verified,
    ),
)
