"""Runs the quick specs of the policies with one mutated module: exit code 0 if all pass.

python -m benchmarks.mutation_import FILE SITE
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from .mutation_sites import Mutant, mutants, mutated

_SPECS = (
    *("test_metadata.py", "test_sql.py", "test_sql_reach.py", "test_sql_cases.py"),
    *("test_database_resources.py", "test_database_functions.py", "test_database_manifests.py"),
    *("test_grants.py", "test_evaluation.py", "test_permissions.py", "test_joins.py"),
    *("test_databases.py", "test_buckets.py", "test_specs.py", "test_agreement.py"),
    "test_exact_kinds.py",
)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from its mutated tree."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self, fullname: str, path: object, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != self.mutant.module:
            return None
        package = [str(self.mutant.file.parent)] if self.mutant.file.stem == "__init__" else None
        return importlib.util.spec_from_file_location(
            fullname, self.mutant.file, loader=self, submodule_search_locations=package
        )

    def create_module(self, spec: ModuleSpec) -> None:
        """As usual."""
        del spec

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutated tree."""
        code = compile(mutated(self.mutant), str(self.mutant.file), "exec")
        exec(code, module.__dict__)  # noqa: S102 - the mutant is the point


def main() -> int:
    """pytest's exit code."""
    file, site = Path(sys.argv[1]), int(sys.argv[2])
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, _Finder(list(mutants(file))[site]))
    folder = file.parents[len(file.parts) - file.parts.index("policies") - 1] / "tests" / "policies"
    quiet = ["-x", "-q", "--tb=no", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return int(pytest.main([*quiet, *(str(folder / name) for name in _SPECS)]))


if __name__ == "__main__":
    sys.exit(main())
