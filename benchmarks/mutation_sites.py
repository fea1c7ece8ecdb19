"""The mutants of a module: every condition turned round, one at a time.

A comparison is reversed, an `and` is an `or`, a `not` is gone, or the test of an `if`, a
conditional expression or a comprehension is negated.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolchain.environment import REPOSITORY

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

    file: Path
    site: int
    """Which of the module's conditions, counted as the tree is walked."""
    line: int
    last_line: int
    function: str
    """The function around it; empty at the module's own level."""
    change: str
    nth: int = 1
    """Which of those that read the same in the function."""

    @property
    def path(self) -> str:
        """The file from the repository's root."""
        return self.file.relative_to(REPOSITORY).as_posix()

    @property
    def module(self) -> str:
        """The module's dotted name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def mutants(file: Path) -> Iterator[Mutant]:
    """Every mutant of a module."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    around = {
        id(inner): node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for inner in ast.walk(node)
    }
    seen: Counter[tuple[str, str]] = Counter()
    for site, (node, change) in enumerate(_sites(tree)):
        function = around.get(id(node), "")
        seen[function, change] += 1
        last = node.end_lineno or node.lineno
        yield Mutant(file, site, node.lineno, last, function, change, seen[function, change])


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
