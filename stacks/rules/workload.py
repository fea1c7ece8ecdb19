"""Rules between the settings and the workload's contract, which names roles and the database."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import workloads
from stacks.schema import Refusal
from workloads.contract import POOLED_KINDS

if TYPE_CHECKING:
    from stacks.settings import Settings


def refusals(settings: Settings) -> Iterator[Refusal]:
    """A workload that is not there or does not fit, and names that its contract does not have."""
    try:
        contract = _contract(settings.workload)
    except workloads.ContractError as error:
        yield Refusal(
            "workload",
            settings.workload,
            "a folder below workloads/ with a contract that can be used",
            str(error),
            "Correct the contract, or name another workload.",
        )
        return
    where = f"workloads/{contract.workload}/contract.yaml"
    if contract.database != settings.database.name:
        yield Refusal(
            "database.name",
            settings.database.name,
            f"must be {contract.database!r}",
            f"the contract of workload {contract.workload} names that database",
            f"Set database.name to {contract.database!r}.",
        )
    if not any(role.kind == "health" for role in contract.roles):
        yield Refusal(
            "workload",
            settings.workload,
            "its contract needs a role of kind health (login, no grants)",
            "pooler hosts prove a query with it before they serve",
            f"Add it to {where}.",
        )
    yield from _pooled_roles(settings, contract, where)


def _pooled_roles(
    settings: Settings, contract: workloads.WorkloadContract, where: str
) -> Iterator[Refusal]:
    others = {role.name: role for role in contract.roles}
    pooled = [one.name for one in contract.roles if one.login and one.kind in POOLED_KINDS]
    for number, role in enumerate(settings.pooler.roles):
        if role.name in pooled:
            continue
        why = (
            f"a role of kind {others[role.name].kind} does not connect through the pooler"
            if role.name in others
            else f"the contract of workload {contract.workload} has no such role, and the sizes "
            "would silently be nobody's"
        )
        yield Refusal(
            f"pooler.roles[{number}].name",
            role.name,
            f"one of {', '.join(pooled)}",
            why,
            f"Name one of these, or add the role to {where}.",
        )


# Settings are made thousands of times in tests, and the file is the same.
@lru_cache(maxsize=8)
def _contract(workload: str) -> workloads.WorkloadContract:
    return workloads.load(workload)
