"""SQL files for `pgkeep check`: which ones belong together, and whose roles they grant to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pgkeep.failures import CommandError
from policies.database.migrations import migrations
from policies.inventory import Resource
from workloads import loader

_ROOT: Final = Path(__file__).parents[2]
_CONTRACT: Final = "contract.yaml"


@dataclass(frozen=True)
class Door:
    """Files that are applied to one database, one after the other."""

    files: tuple[str, ...]
    resource: Resource


def of_workload(workload: str) -> Resource:
    """The migrations of a workload of this repository, with its roles.

    Raises:
        CommandError: its folder cannot be used.
    """
    try:
        contract = loader.load(workload)
        names = [one.name for one in loader.migrations(workload)]
    except loader.ContractError as error:
        raise CommandError(f"{error}.") from None
    folder = loader.WORKLOADS / workload / "migrations"
    files = [_read(folder / name) for name in names]
    return migrations(files, contract.model_dump(by_alias=True, mode="json"))


def doors(paths: Sequence[str]) -> list[Door]:
    """The files, those of a folder in the order of their names, put together by workload.

    Files beside a workload's `contract.yaml` (in its `migrations/`) are judged with the roles of
    that contract; all others go together, and every role but whoever runs them is an application.

    Raises:
        CommandError: a file cannot be read, a folder has no SQL, or a contract cannot be used.
    """
    together: dict[Path | None, list[Path]] = {}
    for path in dict.fromkeys(file for one in paths for file in _files(Path(one))):
        contract = path.resolve().parent.parent / _CONTRACT
        key = contract if contract.is_file() else None
        together.setdefault(key, []).append(path)
    found: list[Door] = []
    for contract, files in together.items():
        read = [_read(path) for path in files]
        roles = _roles(contract) if contract is not None else None
        found.append(Door(tuple(name for name, _ in read), migrations(read, roles)))
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.sql"))
    if not found:
        raise CommandError(f"{path} has no file *.sql.")
    return found


def _read(path: Path) -> tuple[str, str]:
    try:
        # Bytes that are no UTF-8 stay, so that the statement with them is refused with its line.
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    inside = path.is_absolute() and path.is_relative_to(_ROOT)
    return (path.relative_to(_ROOT) if inside else path).as_posix(), text


def _roles(contract: Path) -> Mapping[str, Any]:
    try:
        workload = loader.load(contract.parent.name, contract.parent.parent)
    except loader.ContractError as error:
        raise CommandError(f"{error}.") from None
    return workload.model_dump(by_alias=True, mode="json")
