"""Who may log in to the primary: the master, the workload's roles, and what they may migrate."""

from __future__ import annotations

from dataclasses import dataclass

import workloads
from components.database import Database
from components.master_access import MasterAccess, master_access
from components.migrations import Migrations
from components.operation_function import OperationFunction
from components.platform_foundation import Foundation
from components.role_rotation import RoleRotation
from components.workload_roles import WorkloadRoles


@dataclass(frozen=True)
class PlatformRoles:
    """The master's secret, the roles, and the functions that keep them."""

    master: MasterAccess
    workload: WorkloadRoles
    migrations: Migrations
    operations: list[OperationFunction]


def make_roles(foundation: Foundation, database: Database) -> PlatformRoles:
    """Master, then roles, then migrations: each needs the one before."""
    deployment, contract = foundation.deployment, foundation.contract
    code, keys, opts = foundation.code, foundation.keys, foundation.opts
    master = master_access(
        "master-credentials", deployment, database=database, code=code, keys=keys, opts=opts
    )
    roles = WorkloadRoles(
        "roles",
        deployment,
        contract=contract,
        database=database,
        master_secret_arn=master.secret_arn,
        master_ready=master.ready,
        code=code,
        keys=keys,
        reachable=foundation.network.reachable,
        opts=opts,
        **foundation.function_placement,
    )
    rotation = RoleRotation(
        "role-rotation",
        deployment,
        contract=contract,
        roles=roles,
        database=database,
        master_secret_arn=master.secret_arn,
        code=code,
        keys=keys,
        opts=opts,
        **foundation.function_placement,
    )
    migrations = Migrations(
        "migrations",
        deployment,
        workload=contract.workload,
        migrations=workloads.migrations(contract.workload),
        roles=roles,
        database=database,
        code=code,
        keys=keys,
        opts=opts,
        **foundation.function_placement,
    )
    return PlatformRoles(
        master,
        roles,
        migrations,
        [*master.operations, roles.operation, rotation.operation, migrations.operation],
    )
