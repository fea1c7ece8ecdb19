"""Loads of the AWS provider's Python package only the modules of what the program uses.

`pulumi_aws.ec2` alone imports 180 modules, of which the program uses fifteen; importing them takes
longer than running it. Each service's generated `__init__.py` only re-exports its modules' names.
Here it is read instead of run: a name's module is imported when the name is first asked for.
A file with anything else in it is run as always.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from pgkeep.lazy_classes import LOADERS, OUTPUTS, UsersLoader

PACKAGE = "pulumi_aws"

_REEXPORT = re.compile(r"from \.(\w+) import \*")
_HARMLESS = re.compile(
    r"(#.*|import builtins as _builtins|from \.\. import _utilities|import typing)?"
)
_ALL = re.compile(rb"^__all__ = \[(.*?)\]", re.MULTILINE | re.DOTALL)
_NAME = re.compile(rb"'(\w+)'")
# Where a generated module lists its names: behind its imports. Most lists end in the first bytes,
# the longest (ec2's inputs) far before the second number.
_HEADS_BYTES = (4 * 1024, 256 * 1024)


def load_lazily() -> None:
    """From here on load services name by name; those that are loaded stay as they are."""
    if not any(isinstance(finder, _Services) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Services())


class _Services(MetaPathFinder):
    """Finds the provider's services, and gives them a loader of their own."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, name = fullname.rpartition(".")
        if parent.rpartition(".")[0] == PACKAGE:
            return _module_spec(fullname, parent, name, path)
        if parent != PACKAGE:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not spec.submodule_search_locations:
            return spec
        if isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Service(fullname, spec.origin)
        return spec


def _module_spec(
    fullname: str, parent: str, name: str, path: Sequence[str] | None
) -> ModuleSpec | None:
    """Of a module of a service that is loaded name by name."""
    # Asked for an attribute, pulumi loads a service that it has only promised so far.
    if not hasattr(sys.modules[parent], _EXPORTS):
        return None
    spec = PathFinder.find_spec(fullname, path)
    if spec is not None and spec.origin and isinstance(spec.loader, SourceFileLoader):
        spec.loader = LOADERS.get(name, UsersLoader)(fullname, spec.origin)
    return spec


class _Service(SourceFileLoader):
    """Loads a service's package without its modules."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the package its names, unloaded."""
        exported = exports(Path(self.path))
        if exported is None:
            super().exec_module(module)
            return
        vars(module)[_EXPORTS] = exported
        module.__class__ = _Names


_EXPORTS = "__pgkeep_exports__"


class _Names(ModuleType):
    """A package whose names load their modules."""

    def __getattr__(self, name: str) -> Any:
        """Called for a name that is not there yet."""
        found = vars(self)[_EXPORTS].get(name)
        if found is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        loaded = import_module(f"{self.__name__}.{found}")
        value = loaded if name == OUTPUTS else getattr(loaded, name)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: object) -> None:
        """The import system binds each module that it has loaded to its name in the package.

        A function that has the name of its module (`get_ami`) hides it, as in the generated file.
        """
        if isinstance(value, ModuleType) and name != OUTPUTS and name in vars(self)[_EXPORTS]:
            value = getattr(value, name, value)
        super().__setattr__(name, value)


def exports(file: Path) -> Mapping[str, str] | None:
    """The module of each name that a package re-exports; None if its file does anything else."""
    found: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line == f"from . import {OUTPUTS}":
            found[OUTPUTS] = OUTPUTS
        elif reexport := _REEXPORT.fullmatch(line):
            names = _names(file.with_name(f"{reexport[1]}.py"))
            if names is None:
                return None
            found.update(dict.fromkeys(names, reexport[1]))
        elif not _HARMLESS.fullmatch(line):
            return None
    return found


def _names(file: Path) -> list[str] | None:
    head = b""
    listed = None
    try:
        with file.open("rb") as stream:
            for size in _HEADS_BYTES:
                head += stream.read(size - len(head))
                if listed := _ALL.search(head):
                    break
    except OSError:
        return None
    return [name.decode() for name in _NAME.findall(listed[1])] if listed else None
