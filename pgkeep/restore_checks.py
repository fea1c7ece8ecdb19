"""What the stack's workload asks of every restore: objectives, owner and grants, its own checks."""

from __future__ import annotations

import json
from typing import Any

from operations.restore import role_grants
from operations.restore.objectives import Objectives
from operations.restore.proof import Proof
from operations.restore.workload_checks import run as run_workload_checks
from pgkeep.deployed import DeployedStack
from workloads.contract import RestoreCheck, RoleManifest


def objectives(stack: DeployedStack) -> Objectives:
    """What the stack's workload asks of a restore."""
    return Objectives.of(stack.outputs.get("recovery_objectives"))


def roles(stack: DeployedStack) -> RoleManifest:
    """The role manifest that was applied to the stack last."""
    return RoleManifest.model_validate(json.loads(stack.outputs["roles_event"])["manifest"])


def prove_grants(stack: DeployedStack, proof: Proof, connect: Any, *, no_owner: bool) -> None:
    """Owner and grants are the manifest's, unless they were not asked for."""
    if no_owner:
        proof.left_out.append(f"{role_grants.NAME}: restored without them (--no-owner)")
    else:
        role_grants.prove(proof, roles(stack), connect=connect)


def workload_checks(
    stack: DeployedStack, proof: Proof, connect: Any, *, only_some_tables: bool = False
) -> None:
    """Ask what the stack's workload asks of every restored database."""
    asked: dict[str, Any] = stack.outputs.get("recovery_checks") or {"schema": "", "checks": []}
    checks = [RestoreCheck.model_validate(check) for check in asked["checks"]]
    if checks and only_some_tables:
        proof.left_out.append(
            f"the workload's own {len(checks)} checks: the rows of the other tables are not here"
        )
        return
    run_workload_checks(proof, checks, schema=asked["schema"], connect=connect)
