"""Defaults that differ between environments, and where each value of a stack comes from.

A value is looked up in this order: the stack's file, the environment's default in the table below,
the field's own default (which is prod's, the safest). To give a setting a default for an
environment add a line to the table; docs/settings.md and `pgkeep settings` show it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel
from pydantic.types import JsonValue

from stacks.messages import group_of
from stacks.schema import Environment


@dataclass(frozen=True)
class EnvironmentDefault:
    """One setting's defaults by environment; an environment left out has the field's own."""

    field: str
    """Dotted path, such as `database.multi_az`."""
    source: str
    """Where the numbers come from."""
    values: Mapping[Environment, JsonValue]


def _default(
    field: str, source: str, /, **values: JsonValue
) -> EnvironmentDefault:  # local=, dev=, staging=, prod=
    return EnvironmentDefault(field, source, cast("Mapping[Environment, JsonValue]", values))


_CRYPTOWALLET = "guide cryptowallet: backup retention"
_WELL_ARCHITECTED = "AWS Well-Architected, cost optimisation: non-production resources"
_SIZES = "AWS RDS user guide: DB instance class types (burstable for dev, memory for prod)"
_LOGS = "CKV_AWS_338 asks for a year in prod; less elsewhere for its price"
_DISPOSABLE = "local and dev are made to be thrown away; staging rehearses prod"

ENVIRONMENT_DEFAULTS: tuple[EnvironmentDefault, ...] = (
    # Network
    _default("network.availability_zone_count", _WELL_ARCHITECTED, local=2, dev=2, staging=2),
    _default("network.nat", _WELL_ARCHITECTED, local="none", dev="single", staging="single"),
    _default("network.flow_logs.traffic", _WELL_ARCHITECTED, dev="REJECT"),
    _default("network.flow_logs.retention_days", _LOGS, local=7, dev=30, staging=90),
    # Database
    _default(
        "database.instance_class",
        _SIZES,
        local="db.m7i.large",
        dev="db.t4g.medium",
        staging="db.m7g.large",
        prod="db.r7g.large",
    ),
    _default("database.allocated_storage_gib", _SIZES, local=20, dev=20, staging=50, prod=100),
    _default(
        "database.max_allocated_storage_gib", _SIZES, local=100, dev=100, staging=200, prod=1000
    ),
    _default("database.max_connections", _SIZES, local=200, dev=150, staging=200, prod=400),
    _default("database.multi_az", _DISPOSABLE, local=False, dev=False),
    _default("database.deletion_protection", _DISPOSABLE, local=False, dev=False),
    _default("database.final_snapshot", _DISPOSABLE, local=False, dev=False),
    _default("database.keep_automated_backups", _DISPOSABLE, local=False, dev=False),
    _default("database.keep_kms_key", _DISPOSABLE, local=False, dev=False),
    _default("database.apply_changes_immediately", _DISPOSABLE, local=True, dev=True),
    _default("database.pitr_retention_days", _CRYPTOWALLET, local=1, dev=3, staging=7, prod=30),
    _default("database.monitoring_interval_seconds", _WELL_ARCHITECTED, prod=15),
    _default("database.performance_insights_retention_days", _WELL_ARCHITECTED, prod=31),
    _default("database.log_retention_days", _LOGS, local=7, dev=30, staging=90),
    # Pooler
    _default(
        "pooler.instance_type",
        _WELL_ARCHITECTED,
        local="t3.small",
        dev="t4g.micro",
        staging="t4g.small",
        prod="t4g.small",
    ),
    _default("pooler.architecture", "the processor of pooler.instance_type", local="x86_64"),
    _default("pooler.default_pool_size", "guide spike-land; half of it in dev", dev=10),
    _default("pooler.refresh_interval_seconds", "nobody pays for reads of secrets here", local=5),
    _default("pooler.health_interval_seconds", "failures should show at once here", local=5),
    _default("pooler.registration_seconds", "the load balancer here takes a second", local=5),
    _default("pooler.metrics_interval_seconds", "nobody pays for samples here", local=10),
    _default("pooler.drain_seconds", "clients that wait to be ended are tests here", local=10),
    _default("pooler.max_host_lifetime_days", _DISPOSABLE, local=None),
    _default("pooler.log_retention_days", _LOGS, local=7, dev=30, staging=90),
    # Backups
    _default("backups.keep_bucket", _DISPOSABLE, local=False, dev=False),
    _default(
        "backups.sign_manifests",
        "what a restore in dev brings back is nobody's record, and the key's endpoint would cost "
        "more than its database's storage",
        dev=False,
    ),
    _default(
        "backups.snapshot_export.enabled", "nobody pays for exports of what dev has", dev=False
    ),
    _default("backups.daily.retention_days", _CRYPTOWALLET, local=3, dev=3, staging=7, prod=30),
    _default("backups.noncurrent_retention_days", _DISPOSABLE, local=1, dev=3, staging=7),
    _default("backups.object_lock.mode", _DISPOSABLE, local="off", dev="off"),
    _default("backups.object_lock.retention_days", _CRYPTOWALLET, local=1, dev=3, staging=7),
    _default(
        "backups.replication.storage_class",
        "what is kept for less than STANDARD_IA's 30 days costs more there",
        local="STANDARD",
        dev="STANDARD",
        staging="STANDARD",
    ),
    _default("backups.log_retention_days", _LOGS, local=7, dev=30, staging=90),
    _default("restore_test.enabled", _DISPOSABLE, local=False, dev=False),
    # Functions
    _default("functions.architecture", "the processor of this machine", local="x86_64"),
    _default("functions.backup_memory_mib", "what a developer's machine can spare", local=1024),
    _default("functions.tracing", _WELL_ARCHITECTED, local=False, dev=False),
    _default("functions.log_retention_days", _LOGS, local=7, dev=30, staging=90),
    _default("monitoring.log_deletion_protection", _DISPOSABLE, local=False, dev=False),
    # Secrets
    _default("secrets.recovery_window_days", _DISPOSABLE, local=0, dev=0, staging=7),
    _default("secrets.key_deletion_window_days", _DISPOSABLE, local=7, dev=7),
)


@dataclass(frozen=True)
class Origin:
    """Where an effective value comes from."""

    layer: str
    """`file`, `environment` or `default`."""
    text: str
    """For people: `Pulumi.prod.yaml`, `default for prod`, `default`."""
    source: str = ""
    """Of an environment's default: where its number comes from."""


def with_defaults(
    model: type[BaseModel], raw: Mapping[str, Any], environment: str
) -> dict[str, Any]:
    """`raw`, a stack's own settings, over the defaults of `environment`.

    A group that is switched off (null, or optional and not in the file) gets no defaults. What is
    malformed in `raw` is left as it is for the validation to refuse.
    """
    merged = copy.deepcopy(dict(raw))
    for field, value in _values(environment).items():
        *groups, name = field.split(".")
        target = _group(model, merged, groups)
        if target is not None:
            target.setdefault(name, copy.deepcopy(value))
    return merged


def origins(
    settings: BaseModel, raw: Mapping[str, Any], environment: str, file_name: str = ""
) -> dict[str, Origin]:
    """Where each value of `settings`, made from `raw`, comes from, by dotted field.

    A group has no entry of its own, its fields have. A list of groups is one value.
    """
    from_environment = {
        row.field: row.source for row in ENVIRONMENT_DEFAULTS if environment in row.values
    }
    file = Origin("file", file_name or f"Pulumi.{environment}.yaml")
    result: dict[str, Origin] = {}
    for field in fields(settings):
        if _in_file(raw, field):
            result[field] = file
        elif field in from_environment:
            text = f"default for {environment}"
            result[field] = Origin("environment", text, from_environment[field])
        else:
            result[field] = Origin("default", "default")
    return result


def fields(settings: BaseModel, prefix: str = "") -> Iterator[str]:
    """Dotted names of all values of `settings`, in the order of the schema."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _values(environment: str) -> dict[str, JsonValue]:
    return {
        row.field: value
        for row in ENVIRONMENT_DEFAULTS
        for name, value in row.values.items()
        if name == environment
    }


def _group(
    model: type[BaseModel], merged: dict[str, Any], names: list[str]
) -> dict[str, Any] | None:
    """The mapping in `merged` at this path, made where it is missing; None where it is off."""
    target = merged
    for name in names:
        field = model.model_fields[name]
        inner = group_of(field.annotation)
        if inner is None:
            raise ValueError(f"{name} is no group of settings")
        if name not in target:
            if not field.is_required() and field.default is None:
                return None
            target[name] = {}
        if not isinstance(target[name], dict):
            return None
        model, target = inner, target[name]
    return target


def _in_file(raw: Mapping[str, Any], field: str) -> bool:
    value: Any = raw
    for name in field.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = cast("Mapping[str, Any]", value)[name]
    return True
