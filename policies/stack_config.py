"""The stack's configuration, as far as the pack needs it: which environment, which exemptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from .rules import Environment

_SETTINGS_KEY = "pgkeep:settings"
_ENVIRONMENT_KEY = "pgkeep:environment"
_EXEMPTIONS_KEY = "pgkeep:policy_exemptions"


def environment(config: Mapping[str, str], stack_name: str, tags: Mapping[str, str]) -> Environment:
    """The environment that rules are applied for.

    Taken from the settings, `pgkeep:environment`, the stack's tag `environment`, or a stack that is
    named like an environment. If these differ the strictest counts, and so does it (prod) if none
    says anything: a wrong name must never loosen a rule.
    """
    settings = _decoded(config.get(_SETTINGS_KEY))
    stated = [
        cast("Mapping[str, object]", settings).get("environment")
        if isinstance(settings, Mapping)
        else None,
        config.get(_ENVIRONMENT_KEY),
        tags.get("environment"),
        stack_name.rpartition("/")[2],
    ]
    known = {item.value: item for item in Environment}
    named = [known[name] for name in stated if isinstance(name, str) and name in known]
    return max(named, key=lambda item: item.strictness, default=Environment.PROD)


def exemption_entries(config: Mapping[str, str]) -> object:
    """The raw `policy_exemptions` of the settings and of `pgkeep:policy_exemptions`, joined.

    What cannot be read is returned as it is, so that `exemptions.parse` refuses it.
    """
    settings = _decoded(config.get(_SETTINGS_KEY))
    lists = [
        cast("Mapping[str, object]", settings).get("policy_exemptions")
        if isinstance(settings, Mapping)
        else None,
        _decoded(config.get(_EXEMPTIONS_KEY)),
    ]
    joined: list[object] = []
    for entries in lists:
        if entries is None:
            continue
        if not isinstance(entries, list):
            return entries
        joined += cast("list[object]", entries)
    return joined


def _decoded(raw: str | None) -> object:
    """A structured configuration value; the engine hands it over as JSON text."""
    if raw is None:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw
