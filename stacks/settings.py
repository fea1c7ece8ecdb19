"""The typed settings of a stack: everything the program may vary, checked before it makes anything.

They stand under `pgkeep:settings` in `stacks/Pulumi.<environment>.yaml`. Every field says its unit,
its source and why its limits are what they are; `stacks/rules/` holds the rules that span fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import PrivateAttr, ValidationError, ValidationInfo, model_validator

from stacks import forms
from stacks.backup_settings import BackupSettings
from stacks.database_settings import DatabaseSettings
from stacks.defaults import with_defaults
from stacks.exemption_settings import PolicyExemption, StatedException
from stacks.governance_settings import TagSettings
from stacks.key_settings import KeySettings
from stacks.messages import lines
from stacks.network_settings import NetworkSettings
from stacks.operations_settings import FunctionSettings, MonitoringSettings, SecretSettings
from stacks.pooler_settings import PoolerSettings
from stacks.replica_settings import ReplicaSettings
from stacks.restore_test_settings import RestoreTestSettings
from stacks.rules import refusals
from stacks.schema import Environment, SettingsGroup, rules_error, setting


class SettingsError(Exception):
    """Settings that cannot be deployed; `lines` has one line a mistake."""

    def __init__(self, mistakes: list[str]) -> None:
        """Keep the lines."""
        super().__init__("\n".join(mistakes))
        self.lines = mistakes


class Settings(SettingsGroup):
    """A whole stack."""

    environment: Environment = setting(
        "Which environment this is; must be the stack's name",
        why="local, dev, staging and prod are what the program knows",
    )
    name: str = setting(
        "First part of every name in AWS",
        default="pgkeep",
        form=forms.STACK_NAME,
        why="that fits every name in AWS which is made of it",
        source="stacks/naming.py",
    )
    workload: str = setting(
        "Folder below workloads/ whose roles and migrations the database gets",
        form=forms.WORKLOAD,
        why="also a PostgreSQL identifier and part of secret names",
    )
    network: NetworkSettings = setting("The network", why="everything is in a VPC")
    database: DatabaseSettings = setting("The primary", why="the database itself")
    replicas: ReplicaSettings = setting(
        "The read replicas", default=ReplicaSettings(), why="readonly users read there"
    )
    pooler: PoolerSettings = setting("The PgBouncer hosts", why="applications connect there")
    backups: BackupSettings = setting(
        "Logical backups", default=BackupSettings(), why="the second of three kinds of backup"
    )
    restore_test: RestoreTestSettings = setting(
        "Restore tests", default=RestoreTestSettings(), why="backups count once they are proven"
    )
    functions: FunctionSettings = setting(
        "Operation functions", default=FunctionSettings(), why="they operate the database"
    )
    secrets: SecretSettings = setting(
        "Secrets and keys", default=SecretSettings(), why="no password stands in state"
    )
    keys: KeySettings = setting(
        "Keys that are there already", default=KeySettings(), why="a key may outlive the stack"
    )
    monitoring: MonitoringSettings = setting(
        "Alarms", default=MonitoringSettings(), why="somebody has to hear of trouble"
    )

    tags: TagSettings = setting(
        "Tags on every resource", default=TagSettings(), why="somebody answers and pays for it"
    )
    permissions_boundary: str | None = setting(
        "Permissions boundary of every IAM role: the ARN of a policy, or its name in this account",
        default=None,
        form=forms.BOUNDARY,
        why="IAM takes the ARN of a managed policy; organisations let only bounded roles be made",
        source="AWS IAM user guide: permissions boundaries for IAM entities",
    )
    stated_exceptions: tuple[StatedException, ...] = setting(
        "Guards of staging and prod that this stack does without, each with its reason",
        default=(),
        why="a missing guard has to be somebody's written decision",
        source="stacks/rules/environments.py",
    )
    policy_exemptions: tuple[PolicyExemption, ...] = setting(
        "Exemptions from the policy pack, reviewed like any other change",
        default=(),
        why="the policy pack reads them from here",
    )

    _region: str | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check_rules(self, information: ValidationInfo) -> Settings:
        # Stands outside pgkeep:settings, as aws:region; rules may ask for it.
        self._region = (information.context or {}).get("region")
        found = refusals(self)
        if found:
            raise rules_error(found)
        return self

    @property
    def region(self) -> str | None:
        """AWS region of the stack (`aws:region`), None where its file does not say."""
        return self._region

    @property
    def prefix(self) -> str:
        """First part of names: `pgkeep-prod`."""
        return f"{self.name}-{self.environment}"


def load(raw: object, stack: str, region: str | None = None) -> Settings:
    """Read the settings of `stack` from its configuration, over its environment's defaults.

    Args:
        raw: what stands under `pgkeep:settings`.
        stack: name of the stack, which is the environment's.
        region: what stands under `aws:region`; without it rules about a region are left out.

    Raises:
        SettingsError: with one line a mistake, naming field, value, limit, reason and remedy.
    """
    if isinstance(raw, Mapping):
        raw = with_defaults(Settings, cast("Mapping[str, Any]", raw), stack)
    try:
        settings = Settings.model_validate(raw, context={"region": region})
    except ValidationError as error:
        raise SettingsError(lines(Settings, error)) from None
    if settings.environment != stack:
        raise SettingsError(
            [
                f"environment: {settings.environment!r} refused, must be {stack!r}: the settings "
                f"of one environment must not be deployed to another. "
                f"Set environment to {stack!r} in stacks/Pulumi.{stack}.yaml."
            ]
        )
    return settings
