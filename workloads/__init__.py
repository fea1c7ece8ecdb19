"""One folder an application: its database contract and its migrations."""

from workloads.contract import (
    Grant,
    Migration,
    RestoreCheck,
    Role,
    RoleManifest,
    RoleSet,
    WorkloadContract,
)
from workloads.loader import ContractError, load, migration_sql, migrations, names

__all__ = [
    "ContractError",
    "Grant",
    "Migration",
    "RestoreCheck",
    "Role",
    "RoleManifest",
    "RoleSet",
    "WorkloadContract",
    "load",
    "migration_sql",
    "migrations",
    "names",
]
