"""Reads a workload's folder: `contract.yaml` and `migrations/NNNN_name.sql`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml
from pydantic import ValidationError

from workloads.contract import Migration, WorkloadContract

WORKLOADS = Path(__file__).parent


class ContractError(ValueError):
    """A workload's folder cannot be used as it is; the message says what to change."""


def names(root: Path = WORKLOADS) -> list[str]:
    """Every workload that has a contract, sorted."""
    return sorted(path.parent.name for path in root.glob("*/contract.yaml"))


def load(workload: str, root: Path = WORKLOADS) -> WorkloadContract:
    """The contract of one workload.

    Raises `ContractError` when there is none, when it is not YAML, or when a field is wrong.
    """
    path = root / workload / "contract.yaml"
    if not path.is_file():
        known = ", ".join(names(root)) or "none"
        raise ContractError(f"workload {workload!r} has no contract.yaml; known workloads: {known}")
    where = f"workloads/{workload}/contract.yaml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ContractError(f"{where}{line} is not valid YAML; correct its syntax") from error
    try:
        contract = WorkloadContract.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "document"
        raise ContractError(f"{where}: {field}: {first['msg']}") from error
    if contract.workload != workload:
        raise ContractError(
            f"{where}: workload is {contract.workload!r}, but its folder is {workload!r}; "
            "both must be the same"
        )
    return contract


def migrations(workload: str, root: Path = WORKLOADS) -> list[Migration]:
    """The workload's migrations in the order in which they are applied."""
    files = sorted((root / workload / "migrations").glob("*.sql"))
    numbers = [path.name[:4] for path in files]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ContractError(
                f"workloads/{workload}/migrations has two files numbered {number}; "
                "give the newer one the next free number"
            )
    try:
        return [
            Migration(name=path.name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for path in files
        ]
    except ValidationError as error:
        name = error.errors()[0]["input"]
        raise ContractError(
            f"workloads/{workload}/migrations: {name} is not named NNNN_lower_case.sql; rename it"
        ) from error


def migration_sql(workload: str, name: str, root: Path = WORKLOADS) -> bytes:
    """The bytes of one migration; `ContractError` when the file is not there."""
    path = root / workload / "migrations" / name
    if not path.is_file():
        raise ContractError(
            f"migration {name} of workload {workload} is not in this archive; "
            "build and deploy the functions from the same commit as the stack"
        )
    return path.read_bytes()
