"""The stack files `stacks/Pulumi.<environment>.yaml`, read without the engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from pgkeep.failures import CommandError
from stacks.settings import Settings, load

STACKS = Path(__file__).parents[1] / "stacks"
SETTINGS_KEY = "pgkeep:settings"
REGION_KEY = "aws:region"
_LOCAL_STACK = "local"


@dataclass(frozen=True)
class StackFile:
    """What a stack's file says."""

    name: str
    path: Path
    raw: object
    """Under `pgkeep:settings`, as it stands there: not yet judged."""
    region: str | None
    """Under `aws:region`."""

    @property
    def mapping(self) -> Mapping[str, Any]:
        """The settings as a mapping; empty where they are something else, which `load` refuses."""
        return cast("Mapping[str, Any]", self.raw) if isinstance(self.raw, Mapping) else {}

    @property
    def label(self) -> str:
        """The file as people know it: `stacks/Pulumi.prod.yaml`."""
        inside = self.path.is_relative_to(STACKS.parent)
        return str(self.path.relative_to(STACKS.parent)) if inside else str(self.path)

    def load(self) -> Settings:
        """The settings over the environment's defaults.

        Raises:
            SettingsError: with one line a mistake.
        """
        return load(self.raw, self.name, self.region)


def stack_names() -> list[str]:
    """Every stack that has a file."""
    return sorted(path.name.split(".")[1] for path in STACKS.glob("Pulumi.*.yaml"))


def read_stack(name: str) -> StackFile:
    """Read a stack's file, for `local` the one that PGKEEP_STACK_CONFIG_FILE names.

    Raises:
        CommandError: there is no such stack, or its file cannot be read as a stack's.
    """
    chosen = os.environ.get("PGKEEP_STACK_CONFIG_FILE")
    if chosen and name == _LOCAL_STACK:
        path = Path(chosen)
    elif name in stack_names():
        path = STACKS / f"Pulumi.{name}.yaml"
    else:
        raise CommandError(f"there is no stack {name!r}; stacks/ has {', '.join(stack_names())}.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise CommandError(f"{path} is not valid YAML: {where}.") from None
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict) or SETTINGS_KEY not in config:
        raise CommandError(
            f"{path} has no `{SETTINGS_KEY}` under `config`; docs/settings.md shows what it holds."
        )
    entries = cast("dict[str, Any]", config)
    region = entries.get(REGION_KEY)
    return StackFile(name, path, entries[SETTINGS_KEY], region if region is None else str(region))
