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
from .secret_texts import leaves, unpacked
from .stored_secrets import DOCUMENT
from .values import contains_unknown

# The properties of each type in which a connection may stand.
_PLACES: Final = {
    HOST: ("userData", "userDataBase64"),
    TEMPLATE: ("userData",),
    CONFIGURATION: ("userData", "userDataBase64"),
    FUNCTION: ("environment",),
    "aws:lambda/invocation:Invocation": ("input",),
    "aws:secretsmanager/secretVersion:SecretVersion": ("secretString",),
    PARAMETER: ("value", "insecureValue"),
    DOCUMENT: ("content",),
    "aws:ecs/taskDefinition:TaskDefinition": ("containerDefinitions",),
    "aws:scheduler/schedule:Schedule": ("target",),
    "aws:apprunner/service:Service": ("sourceConfiguration",),
    "aws:batch/jobDefinition:JobDefinition": ("containerProperties",),
    "aws:codebuild/project:Project": ("environment",),
    "aws:ssm/association:Association": ("parameters",),
}
# https://www.postgresql.org/docs/17/libpq-ssl.html, table 32.1; https://www.pgbouncer.org/config.html
_SERVER_MODES: Final = frozenset({"verify-full"})
_CLIENT_MODES: Final = frozenset({"require", "verify-ca", "verify-full"})
_AUTHENTICATION: Final = frozenset({"scram-sha-256", "cert", "hba"})
_SETTING: Final = re.compile(
    r"(?<![\w-])(?P<key>PGSSLMODE|ssl_?mode|server_tls_sslmode|client_tls_sslmode)['\"]?"
    r"(?:\s*[=:]\s*|['\"]?\s*,\s*['\"]?value['\"]?\s*[=:]\s*)['\"]?(?P<value>[A-Za-z][A-Za-z-]*)",
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
    return None


def _weak_layer(text: str) -> str | None:
    return _weak_setting(text) or _weak_pooler(text) or _weak_string(text)


def _weak_setting(text: str) -> str | None:
    for setting in _SETTING.finditer(text):
        key, value = setting["key"], setting["value"].lower()
        accepted = _CLIENT_MODES if key.lower().startswith("client") else _SERVER_MODES
        if value not in accepted:
            return f"{key} = {value[:20]}"
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
        for place, text in leaves(value, name):
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
