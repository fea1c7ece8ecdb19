"""Writes `sdk_types.json`: pulumi-aws's argument and output types.

Run `python -m localcloud.provider.introspect` after changing the pulumi-aws version or the list of
supported types; tests/localcloud/test_provider_types.py fails while the file is out of date.

The file is kept in the repository because importing pulumi_aws takes seconds (its nested
argument classes alone are megabytes of Python), and a preview has eight seconds in all.

Types are written as short strings: `string`, `boolean`, `integer`, `number`, `archive`, `asset`,
`any`, `[]T` (list), `{}T` (map of strings to T), `module.Name` (object), `A|B` (either).
A trailing `!` marks a required input; a trailing `?` an output that may be absent.
"""

import collections.abc
import enum
import importlib
import inspect
import json
import typing
from pathlib import Path
from types import NoneType
from typing import Any

import pulumi
from pulumi import _types  # pyright: ignore[reportPrivateUsage]

from localcloud.provider.registry import FUNCTION_TOKENS, RESOURCE_TOKENS

TYPES_FILE = Path(__file__).with_name("sdk_types.json")
_SDK_NAMES: dict[str, Any] = {n: getattr(pulumi, n) for n in dir(pulumi)} | {"T": Any}
_SCALARS: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    Any: "any",
    pulumi.Archive: "archive",
    pulumi.Asset: "asset",
}


def module_for(token: str) -> tuple[Any, str]:
    """The pulumi_aws module and the class or function name for a token `aws:mod/file:Name`."""
    _, path, name = token.split(":")
    package, file = path.split("/")
    folder = {"index": "", "lambda": "lambda_."}.get(package, package + ".")
    snake = "".join("_" + c.lower() if c.isupper() else c for c in file)
    return importlib.import_module(f"pulumi_aws.{folder}{snake}"), name


class Introspection:
    """Collects resource, function and object types from the installed SDK."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, str]] = {}

    def describe(self, annotation: Any, *, output: bool) -> str:
        """The short string for a Python annotation; objects are collected on the way."""
        origin = typing.get_origin(annotation)
        args = typing.get_args(annotation)
        if origin is typing.Union:
            kinds: list[str] = []
            for arg in args:
                if arg is NoneType or typing.get_origin(arg) in (
                    collections.abc.Awaitable,
                    pulumi.Output,
                ):
                    continue
                if _is_alternative_spelling(arg, output=output):
                    continue
                kind = self.describe(arg, output=output)
                if kind not in kinds:
                    kinds.append(kind)
            return "|".join(kinds) or "string"
        if origin is pulumi.Output:
            return self.describe(args[0], output=output)
        if origin in (collections.abc.Sequence, list):
            return "[]" + self.describe(args[0], output=output)
        if origin in (collections.abc.Mapping, dict):
            return "{}" + self.describe(args[1], output=output)
        if annotation in _SCALARS:
            return _SCALARS[annotation]
        if inspect.isclass(annotation) and annotation.__module__.startswith("pulumi_aws"):
            return self._object(annotation, output=output)
        raise TypeError(f"no short form for {annotation!r}")

    def _object(self, cls: type, *, output: bool) -> str:
        package = cls.__module__.split(".")[1].rstrip("_")
        name = f"{package}.{cls.__name__}"
        if name not in self.objects:
            self.objects[name] = {}
            self.objects[name] = self._output_properties(cls) if output else self._arguments(cls)
        return name

    def _arguments(self, cls: Any) -> dict[str, str]:
        names = _types.input_type_py_to_pulumi_names(cls)
        namespace = vars(importlib.import_module(cls.__module__))
        hints = typing.get_type_hints(cls.__init__, namespace, _SDK_NAMES)
        parameters = inspect.signature(cls.__init__).parameters
        result: dict[str, str] = {}
        for python_name, pulumi_name in names.items():
            kind = self.describe(hints[python_name], output=False)
            required = parameters[python_name].default is inspect.Parameter.empty
            result[pulumi_name] = kind + ("!" if required else "")
        return dict(sorted(result.items()))

    def _output_properties(self, cls: Any) -> dict[str, str]:
        namespace = vars(importlib.import_module(cls.__module__))
        result: dict[str, str] = {}
        for member in vars(cls).values():
            getter = member.fget if isinstance(member, property) else None
            if getter is None:
                continue
            name = getattr(getter, "_pulumi_name", getter.__name__)
            hint = typing.get_type_hints(getter, namespace, _SDK_NAMES)["return"]
            if typing.get_origin(hint) is pulumi.Output:
                hint = typing.get_args(hint)[0]
            optional = NoneType in typing.get_args(hint)
            result[name] = self.describe(hint, output=True) + ("?" if optional else "")
        return dict(sorted(result.items()))

    def resource(self, token: str) -> dict[str, dict[str, str]]:
        """Inputs and outputs of a resource type."""
        module, name = module_for(token)
        return {
            # Where a nested type already has the name XArgs, the SDK calls the arguments XInitArgs.
            "inputs": self._arguments(
                getattr(module, name + "InitArgs", None) or getattr(module, name + "Args")
            ),
            "outputs": self._output_properties(getattr(module, name)),
        }

    def function(self, token: str) -> dict[str, dict[str, str]]:
        """Inputs and outputs of an invoke (a data source)."""
        module, name = module_for(token)
        snake = module.__name__.rsplit(".", 1)[-1]
        function = inspect.unwrap(getattr(module, snake))
        hints = typing.get_type_hints(function, vars(module), _SDK_NAMES)
        # The function's own body is the only place that spells the wire names.
        source = inspect.getsource(function)
        inputs: dict[str, str] = {}
        for parameter in inspect.signature(function).parameters.values():
            wire = f"__args__['{_camel(parameter.name)}'] = {parameter.name}"
            if wire in source:
                required = parameter.default is inspect.Parameter.empty
                kind = self.describe(hints[parameter.name], output=False)
                inputs[_camel(parameter.name)] = kind + ("!" if required else "")
        result = getattr(module, name[0].upper() + name[1:] + "Result")
        return {"inputs": inputs, "outputs": self._output_properties(result)}


def _is_alternative_spelling(annotation: Any, *, output: bool) -> bool:
    # Enums are hints (any string is accepted); dictionaries and results mirror the argument class.
    if not inspect.isclass(annotation):
        return False
    if typing.is_typeddict(annotation) or issubclass(annotation, enum.Enum):
        return True
    return not output and _types.is_output_type(annotation)


def _camel(snake: str) -> str:
    head, *rest = snake.split("_")
    return head + "".join(part.capitalize() for part in rest)


def introspect() -> dict[str, Any]:
    """Everything the provider needs to know about the installed pulumi-aws."""
    from importlib.metadata import version

    found = Introspection()
    resources = {token: found.resource(token) for token in sorted(RESOURCE_TOKENS)}
    functions = {token: found.function(token) for token in sorted(FUNCTION_TOKENS)}
    return {
        "pulumi_aws": version("pulumi-aws"),
        "resources": resources,
        "functions": functions,
        "objects": dict(sorted(found.objects.items())),
    }


def rendered() -> str:
    """The file's text: one line a property, so that a version change reads well in a diff."""
    return json.dumps(introspect(), indent=1, sort_keys=False) + "\n"


if __name__ == "__main__":
    TYPES_FILE.write_text(rendered(), encoding="utf-8")
    print(f"wrote {TYPES_FILE.name}")
