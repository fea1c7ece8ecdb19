"""Mutation tests of the policy rules: every condition turned round, one at a time.

    python -m benchmarks.mutation [--sample NUMBER] [--seed NUMBER] [FILE…]

A mutant is a module of `policies/` in which one comparison is reversed, an `and` is an `or`, a
`not` is gone, or the test of an `if`, a conditional expression or a comprehension is negated. Specs
that still pass do not hold the condition: the mutant survived, and is printed with its line. Each
mutant lives in a forked process only; no file is changed.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib
import importlib.abc
import importlib.util
import io
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from toolchain.environment import REPOSITORY

_PACK = REPOSITORY / "policies"
_SPECS = REPOSITORY / "tests" / "policies"
# Modules -> their specs, those that find most first. The others have the spec table.
_SPECS_OF: dict[str, tuple[str, ...]] = {
    "policies.database": ("test_sql.py", "test_database_resources.py", "test_grants.py"),
    "policies.sql": ("test_sql.py",),
    "policies.database_grants": ("test_sql.py", "test_database_resources.py"),
    "policies.grants": ("test_grants.py", "test_unknown_and_wrong_values.py"),
    "policies.role_manifests": ("test_grants.py", "test_unknown_and_wrong_values.py"),
    "policies.exemptions": ("test_evaluation.py", "test_pack.py"),
    "policies.evaluation": ("test_evaluation.py", "test_pack.py"),
    "policies.permissions": ("test_permissions.py", "test_iam_fuzz.py", "test_specs.py"),
    "policies.privileges": ("test_specs.py", "test_iam_fuzz.py", "test_permissions.py"),
    "policies.documents": ("test_permissions.py", "test_iam_fuzz.py", "test_specs.py"),
    "policies.databases": ("test_databases.py", "test_specs.py"),
    "policies.buckets": ("test_buckets.py", "test_specs.py"),
    "policies.bucket_protection": ("test_bucket_protection.py", "test_specs.py"),
    "policies.stack_config": ("test_stack_config.py",),
}
_OTHER_SPECS = ("test_specs.py", "test_unknown_and_wrong_values.py", "test_agreement.py")
# Not rules: the engine's protocol, the documentation.
_LEFT_OUT = frozenset({"__init__", "__main__", "analyzer", "catalogue", "documentation"})
_SECONDS_A_MUTANT = 30
_REVERSED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
}


@dataclass(frozen=True)
class Mutant:
    """One condition turned round."""

    module: str
    file: Path
    site: int
    """Which of the module's conditions, counted as the tree is walked."""
    line: int
    change: str


def mutants(file: Path) -> Iterator[Mutant]:
    """Every mutant of a module."""
    module = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)
    for site, (node, change) in enumerate(_sites(ast.parse(file.read_text(encoding="utf-8")))):
        yield Mutant(module.removesuffix(".__init__"), file, site, node.lineno, change)


def _sites(tree: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """Places and kinds of change, always in the same order."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            yield node, f"reversed: {ast.unparse(node)}"
        elif isinstance(node, ast.BoolOp):
            yield node, f"and/or swapped: {ast.unparse(node)}"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, f"not removed: {ast.unparse(node)}"
        for test in _tests(node):
            if not isinstance(test, ast.Compare | ast.UnaryOp):
                yield test, f"negated: {ast.unparse(test)}"


def _tests(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        return [node.test]
    return node.ifs if isinstance(node, ast.comprehension) else []


def mutated(mutant: Mutant) -> ast.Module:
    """The module's tree with the change made."""
    tree = ast.parse(mutant.file.read_text(encoding="utf-8"))
    node, change = list(_sites(tree))[mutant.site]
    if change.startswith("reversed") and isinstance(node, ast.Compare):
        node.ops[0] = _REVERSED[type(node.ops[0])]()
    elif change.startswith("and/or") and isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif change.startswith("not removed") and isinstance(node, ast.UnaryOp):
        _replace(tree, node, node.operand)
    else:
        _replace(tree, node, ast.UnaryOp(ast.Not(), copy.copy(node)))
    return ast.fix_missing_locations(tree)


def _replace(tree: ast.AST, old: ast.expr, new: ast.expr) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list):
                for index, item in enumerate(value):
                    if item is old:
                        value[index] = new
                        return


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


def survives(mutant: Mutant) -> bool:
    """Whether the specs of a mutant's module pass all the same."""
    child = os.fork()
    if child == 0:
        _run_specs(mutant)
    deadline = time.monotonic() + _SECONDS_A_MUTANT
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)  # It runs in circles: noticed.
    os.waitpid(child, 0)
    return False


def _run_specs(mutant: Mutant) -> None:
    """The forked process: ends with pytest's exit code."""
    code = 1
    try:
        import pytest

        sys.meta_path.insert(0, _Finder(mutant))
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        names = _specs(mutant.module)
        options = [
            "-x",
            "-q",
            "--tb=no",
            "--assert=plain",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--no-header",
        ]
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            with contextlib.redirect_stdout(io.StringIO()):
                code = int(pytest.main([*options, *(str(_SPECS / name) for name in names)]))
    finally:
        os._exit(code)


def _specs(module: str) -> tuple[str, ...]:
    found = [names for start, names in _SPECS_OF.items() if f"{module}.".startswith(f"{start}.")]
    return found[0] if found else _OTHER_SPECS


def _files() -> list[Path]:
    return [path for path in sorted(_PACK.rglob("*.py")) if path.stem not in _LEFT_OUT]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints survivors and the score; 1 if a mutant survived."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation")
    parser.add_argument("files", nargs="*", type=Path, help="modules of policies/; all")
    parser.add_argument("--sample", type=int, help="so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=17, help="of the draw")
    options = parser.parse_args(arguments)
    files = [path.resolve() for path in options.files] or _files()
    for name in ("pytest", "hypothesis", "pglast", "pulumi_policy", "boto3"):
        importlib.import_module(name)
    found = [mutant for file in files for mutant in mutants(file)]
    if options.sample is not None and options.sample < len(found):
        drawn = random.Random(options.seed).sample(range(len(found)), options.sample)  # noqa: S311
        found = [found[number] for number in sorted(drawn)]
    survivors = 0
    for mutant in found:
        if survives(mutant):
            survivors += 1
            place = f"{mutant.file.relative_to(REPOSITORY)}:{mutant.line}"
            print(f"survived: {place} {mutant.change[:120]}", flush=True)
    killed = len(found) - survivors
    share = 100 * killed / len(found) if found else 100.0
    print(f"{killed} of {len(found)} mutants killed ({share:.1f} %)")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main())
