"""Rules that span settings, a module a theme. Each gives refusals in the order of the fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.rules import (
    aws_backup,
    backups,
    copies,
    database,
    environments,
    names,
    network,
    offers,
    origins,
    pooler,
    replicas,
    restore_test,
    storage,
    workload,
)
from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

_THEMES = (
    workload,
    offers,
    names,
    network,
    environments,
    origins,
    storage,
    database,
    replicas,
    pooler,
    backups,
    copies,
    aws_backup,
    restore_test,
)


def refusals(settings: Settings) -> list[Refusal]:
    """Everything that the rules refuse in `settings`."""
    return [refusal for theme in _THEMES for refusal in theme.refusals(settings)]
