"""Connections of the postgresql provider: its own, and those that it makes the database open.

The provider's configuration is a resource of the stack too (`pulumi:providers:postgresql`), also
where the program never names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from .connections import weakness
from .inventory import Resource
from .rules import Context, Environment, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, contains_unknown, shown, text

PROVIDER: Final = "pulumi:providers:postgresql"
SUBSCRIPTION: Final = "postgresql:index/subscription:Subscription"
SERVER: Final = "postgresql:index/server:Server"
_LIMIT: Final = "connect with sslmode = verify-full and the authority's certificate"
# lib/pq's default, which takes whoever answers.
_DEFAULT: Final = "require"
# Drivers that verify the server by the cloud's own authorities, and take no sslmode.
_VERIFYING_SCHEMES: Final = ("awspostgres", "gcppostgres")
_ITSELF: Final = ("localhost", "127.", "::1", "[::1]", "/")
_HOST: Final = re.compile(r"\bhost(?:addr)?\s*=\s*['\"]?([^\s'\"]+)")
_WRAPPERS: Final = ("postgres_fdw", "dblink_fdw")


def _provider(one: Resource) -> Iterator[Outcome]:
    for key in ("sslmode", "sslMode", "host", "scheme"):
        if one.get(key) is UNKNOWN:
            yield Unverified(one, key)
            return
    host, scheme = (text(one.get(key)) for key in ("host", "scheme"))
    if scheme in _VERIFYING_SCHEMES or _is_here(host):
        return
    mode = one.get("sslmode") if one.get("sslmode") is not None else one.get("sslMode")
    if mode is None:
        yield Violation(one, f"has no sslmode (its default is {_DEFAULT})", _LIMIT)
    elif mode != "verify-full":
        yield Violation(one, f"has sslmode = {shown(mode, 20)}", _LIMIT)


def _is_here(host: object) -> bool:
    return isinstance(host, str) and host.lower().startswith(_ITSELF)


def _subscription(one: Resource) -> Iterator[Outcome]:
    value = one.get("conninfo")
    if value is UNKNOWN:
        yield Unverified(one, "conninfo")
    elif not isinstance(value, str):
        yield Violation(one, "has a conninfo that is no text", _LIMIT)
    elif found := weakness(value):
        yield Violation(one, f"has {found} in conninfo", _LIMIT)
    elif (host := _HOST.search(value)) and "sslmode" not in value and not _is_here(host[1]):
        yield Violation(one, "has a conninfo without sslmode", _LIMIT)


def _server(one: Resource) -> Iterator[Outcome]:
    options, wrapper = one.get("options"), one.get("fdwName")
    if contains_unknown(options) or wrapper is UNKNOWN:
        yield Unverified(one, "options")
        return
    if wrapper not in _WRAPPERS:
        return
    fields = cast("Mapping[str, object]", options) if isinstance(options, dict) else {}
    if _is_here(fields.get("host")):
        return
    if (mode := fields.get("sslmode")) != "verify-full":
        yield Violation(one, f"has the option sslmode = {shown(mode, 20)}", _LIMIT)


_CHECKS: Final = {PROVIDER: _provider, SUBSCRIPTION: _subscription, SERVER: _server}


def _verified(resource: Resource, _context: Context) -> Iterator[Outcome]:
    yield from _CHECKS[resource.type](resource)


RULES: Final = (
    Rule(
        id="db-provider-verify-full",
        title="The postgresql provider verifies the server",
        what="The configuration of a postgresql provider, a subscription's conninfo and a foreign "
        "server's options say sslmode = verify-full; only a socket or this machine may do without.",
        why="The provider logs in with the most powerful password that there is; its default takes "
        "whoever answers for the database.",
        remediation="set sslmode: verify-full and sslrootcert of the provider "
        "(pulumi config set postgresql:sslmode verify-full).",
        severity=Severity.CRITICAL,
        catalogue=("DBG-09",),
        controls=("5.8", "6.8"),
        types=tuple(_CHECKS),
        never_exempt_in=frozenset({Environment.PROD}),
        check_resource=_verified,
    ),
)
