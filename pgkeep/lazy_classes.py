"""Makes of a service's inputs, outputs and choices only the classes that are asked for.

`pulumi_aws.ec2._inputs` alone declares nine hundred classes, of which the program uses thirty. Each
of these generated modules is a list of classes of one make, and Python's own bytecode of it holds
each class's body; here a class is made of its body when its name is first asked for. Who
star-imports such a module gets the names that its own code mentions. A module with anything else
in it is run as always.
"""

from __future__ import annotations

import builtins
import sys
import typing
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

INPUTS: Final = "_inputs"
OUTPUTS: Final = "outputs"
CHOICES: Final = "_enums"

_CLASSES: Final = "__pgkeep_classes__"
# What such a module imports before its first class.
_IMPORTED: Final = ("Any", "Mapping", "Optional", "Sequence", "Union", "overload")
_DECLARED: Final = ("NotRequired", "TypeAlias", "TypedDict")
# Every name that such a module's own code (not its classes') may use.
_KNOWN: Final = frozenset(
    {
        *("builtins", "_builtins", "warnings", "sys", "version_info", "pulumi", "runtime"),
        *("pulumi.runtime", "typing", "typing_extensions", *_IMPORTED, *_DECLARED),
        *("", "_utilities", OUTPUTS, CHOICES, "__all__"),  # "" is the service itself
    }
)


class ClassesLoader(SourceFileLoader):
    """Loads a service's `_inputs` or `outputs` without its classes."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module what its classes need, and the bodies to make them of."""
        code = self.get_code(module.__name__)
        kind = module.__name__.rpartition(".")[2]
        bodies = class_bodies(code, kind) if code else None
        if code is None or bodies is None:
            super().exec_module(module)
            return
        namespace = vars(module)
        pulumi = import_module("pulumi")
        namespace |= {name: getattr(typing, name) for name in (*_IMPORTED, *_DECLARED)}
        namespace |= {"_builtins": builtins, "warnings": warnings, "sys": sys, "pulumi": pulumi}
        package, _, _ = module.__name__.rpartition(".")
        root, _, _ = package.rpartition(".")
        namespace["_utilities"] = import_module(f"{root}._utilities")
        namespace |= {f"_{name}": getattr(sys.modules[root], name) for name in _siblings(code)}
        if kind == OUTPUTS:
            namespace[OUTPUTS] = module
        namespace["__all__"] = []
        namespace[_CLASSES] = bodies
        module.__class__ = _Classes


class UsersLoader(SourceFileLoader):
    """Loads a resource's module, which star-imports its service's inputs and choices."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module among the classes that it mentions."""
        code = self.get_code(module.__name__)
        if code is None:
            super().exec_module(module)
            return
        _provide(module, code)
        exec(code, vars(module))  # noqa: S102 (the module's own code, as Python would)


class ChoicesLoader(SourceFileLoader):
    """Loads a service's `_enums` when one of its names is asked for."""

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its names, unloaded."""
        code = self.get_code(module.__name__)
        names = _listed(code) if code else None
        if code is None or names is None:
            super().exec_module(module)
            return
        namespace = vars(module)
        namespace["__all__"] = []
        namespace[_CLASSES] = dict.fromkeys(names, code)
        module.__class__ = _Choices


LOADERS: Final[Mapping[str, type[SourceFileLoader]]] = {
    INPUTS: ClassesLoader,
    OUTPUTS: ClassesLoader,
    CHOICES: ChoicesLoader,
}


class _Classes(ModuleType):
    """A module whose classes are made when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        """Called for a name that is not there yet: its class, and those that it mentions."""
        namespace = vars(self)
        bodies: Mapping[str, CodeType] = namespace[_CLASSES]
        if name not in bodies:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        wanted = [name]
        while wanted:
            # Before their users: types are looked up in the module by who asks for a class's.
            one = wanted.pop()
            if one not in namespace:
                namespace[one] = _made(one, bodies[one], namespace)
                mentioned = set(texts(bodies[one]))
                wanted += mentioned & bodies.keys()
                _provide_from(self, CHOICES, mentioned)
        return namespace[name]


class _Choices(ModuleType):
    """A module that runs when one of its names is asked for."""

    def __getattr__(self, name: str) -> Any:
        """Called for a name that is not there yet."""
        namespace = vars(self)
        code = namespace[_CLASSES].get(name)
        if code is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        exec(code, namespace)  # noqa: S102 (the module's own code, as Python would)
        namespace["__all__"] = []
        return namespace[name]


def class_bodies(code: CodeType, kind: str) -> Mapping[str, CodeType] | None:
    """The bodies of a module's classes by their names; None if its code does anything else."""
    bodies = {one.co_name: one for one in code.co_consts if isinstance(one, CodeType)}
    makers = {"output_type", "dict"} if kind == OUTPUTS else {"input_type"}
    siblings = _siblings(code)
    used = {*code.co_names} - {*bodies} - siblings - {f"_{name}" for name in siblings}
    if used - makers - _KNOWN or "pulumi" not in used or _listed(code) != bodies.keys():
        return None
    return bodies


def _siblings(code: CodeType) -> set[str]:
    """The services that a module names types of: `from .. import iam as _iam`."""
    names = {*code.co_names} - _KNOWN
    return {name for name in names if f"_{name}" in names}


def _listed(code: CodeType) -> set[str] | None:
    """What a module lists in `__all__`: its only tuple of texts that is no import's."""
    found = [
        set(one)
        for one in code.co_consts
        if isinstance(one, tuple)
        and one not in {_IMPORTED, ("NotRequired", "TypedDict", "TypeAlias"), ("*",)}
        and all(isinstance(name, str) and name.isidentifier() for name in one)
    ]
    lists = [one for one in found if len(one) > 1]
    return lists[0] if len(lists) == 1 else None


def _made(name: str, body: CodeType, namespace: dict[str, Any]) -> type:
    """The class of a body: as its statement in the generated module would make it."""
    build: Callable[..., type] = builtins.__build_class__
    function = FunctionType(body, namespace, name)
    pulumi = namespace["pulumi"]
    if OUTPUTS in namespace:
        return pulumi.output_type(build(function, name, dict))
    if "__init__" in body.co_names:
        return pulumi.input_type(build(function, name))
    return build(function, name, typing.TypedDict)


def texts(code: CodeType) -> Iterator[str]:
    """The texts in a code and in what it defines; a type that is named ahead stands in one."""
    for one in code.co_consts:
        if isinstance(one, str):
            yield one
        elif isinstance(one, CodeType):
            yield from texts(one)


def _provide(module: ModuleType, code: CodeType) -> None:
    mentioned: set[str] | None = None
    for kind in (INPUTS, CHOICES):
        if kind in code.co_names:
            mentioned = set(texts(code)) if mentioned is None else mentioned
            _provide_from(module, kind, mentioned)


def _provide_from(module: ModuleType, kind: str, mentioned: Iterable[str]) -> None:
    """Put the mentioned classes of the service's module `kind` into the module."""
    package, _, _ = module.__name__.rpartition(".")
    try:
        source = import_module(f"{package}.{kind}")
    except ModuleNotFoundError:
        return  # A service without choices.
    for name in vars(source).get(_CLASSES, {}).keys() & set(mentioned):
        vars(module)[name] = getattr(source, name)
