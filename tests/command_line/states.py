"""States as `pulumi stack export` writes them, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
PROVIDER = "pulumi:providers:aws"


def urn(kind: str, name: str, stack: str = "prod", project: str = "shop") -> str:
    return f"urn:pulumi:{stack}::{project}::{kind}::{name}"


def entry(
    kind: str,
    name: str,
    inputs: dict[str, Any] | None = None,
    *,
    stack: str = "prod",
    project: str = "shop",
    **fields: Any,
) -> dict[str, Any]:
    """One resource; `fields` are added to it, or taken away with `...`."""
    provider = urn(PROVIDER, "default_7_51_1", stack, project)
    whole = {
        "urn": urn(kind, name, stack, project),
        "custom": True,
        "id": f"{name}-id",
        "type": kind,
        "inputs": {"__defaults": [], **(inputs or {})},
        "outputs": {**(inputs or {}), "id": f"{name}-id"},
        "parent": urn("pulumi:pulumi:Stack", f"{project}-{stack}", stack, project),
        "provider": f"{provider}::04da6b54-80e4-46f7-96ec-b56ff0331ba8",
        "propertyDependencies": {},
        "protect": True,
        "created": "2026-01-01T00:00:00Z",
        "modified": "2026-01-01T00:00:00Z",
        **fields,
    }
    return {key: value for key, value in whole.items() if value is not ...}


def state(
    resources: Iterable[dict[str, Any]], stack: str = "prod", project: str = "shop", **fields: Any
) -> dict[str, Any]:
    """A whole export, with the stack's own resource and its provider."""
    root = {
        "urn": urn("pulumi:pulumi:Stack", f"{project}-{stack}", stack, project),
        "custom": False,
        "type": "pulumi:pulumi:Stack",
    }
    provider = {
        "urn": urn(PROVIDER, "default_7_51_1", stack, project),
        "custom": True,
        "id": "04da6b54-80e4-46f7-96ec-b56ff0331ba8",
        "type": PROVIDER,
        "inputs": {"region": "eu-west-1", "version": "7.51.1"},
        "outputs": {"region": "eu-west-1", "version": "7.51.1"},
    }
    return {
        "version": 3,
        "deployment": {
            "manifest": {"time": "2026-01-01T00:00:00Z", "magic": "x", "version": "v3.259.0"},
            "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:x"}},
            "resources": [root, provider, *resources],
            "metadata": {},
        },
        **fields,
    }


def written(folder: Path, name: str, document: Any) -> str:
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(file)
