"""Generates settings from the schema itself: hypothesis strategies from each field's constraints.

A value is drawn at the edges of its range (and just past them), from its choices, from its pattern
or, for groups and lists of groups, from the fields inside. New settings need nothing here.
"""

from __future__ import annotations

import datetime
import types
from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from facts.postgresql_parameters import catalogue
from stacks.messages import group_of
from stacks.settings import Settings

# What depends on more than the settings: the workload's folder, files, and the stack's own name.
_OUTSIDE = ("environment", "workload", "database.name", "database.ca_bundle_path")
_CIDRS = ("10.20.0.0/16", "10.21.0.0/16", "172.16.0.0/20", "100.64.0.0/16", "8.8.0.0/16",
          "10.0.0.0/24", "192.168.0.0/16", "10.0.0.1/16", "nonsense", "10.20.128.0/17")  # fmt: skip
_ZONES = ("eu-west-1a", "eu-west-1b", "eu-west-1c", "us-east-1a", "euw1-az1", "nowhere")
_REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "eu-west-9")
_CLASSES = ("db.t4g.medium", "db.r7g.large", "db.r7g.xlarge", "db.m7i.large", "db.x2g.large",
            "db.m4.large", "db.r7g.3xlarge")  # fmt: skip
_TYPES = ("t4g.micro", "t4g.small", "t3.small", "m7g.large", "t4g.huge")

Mutation = tuple[str, Any]
"""A dotted setting and the value to give it."""


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    """One setting, at any depth, with a value that may or may not be allowed."""
    path = draw(st.sampled_from(list(_values())))
    return path, draw(_values()[path])


@cache
def _values() -> dict[str, st.SearchStrategy[Any]]:
    return {
        path: value_of(path, field) for path, field in _leaves(Settings, "") if path not in _OUTSIDE
    }


def value_of(path: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    """Values for a field, mostly allowed ones."""
    name = path.rsplit(".", 1)[-1]
    known = _by_name(name)
    if known is not None:
        none = (st.none(),) if type(None) in get_args(field.annotation) else ()
        return st.one_of(known, *none)
    return _of_type(field.annotation, path, list(field.metadata))


def _leaves(group: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in group.model_fields.items():
        path = f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, f"{path}.")
        else:
            yield path, field


def _by_name(name: str) -> st.SearchStrategy[Any] | None:
    """Strings whose meaning only their name tells."""
    if name.endswith("cidr"):
        return st.sampled_from(_CIDRS)
    if name == "availability_zones":
        return st.lists(st.sampled_from(_ZONES), min_size=2, max_size=4)
    if name.endswith("subnet_ids"):
        return st.lists(st.from_regex(r"\Asubnet-[0-9a-f]{17}\Z"), min_size=1, max_size=3)
    fixed = {
        "region": _REGIONS,
        "instance_class": _CLASSES,
        "instance_type": _TYPES,
        "availability_zone": _ZONES,
    }
    if name == "parameters":
        return _parameters()
    return st.sampled_from(fixed[name]) if name in fixed else None


def _parameters() -> st.SearchStrategy[dict[str, Any]]:
    changeable = sorted(name for name, each in catalogue().items() if each.modifiable)
    names = st.sampled_from([*changeable, "fsync", "no_such_parameter"])
    one = names.flatmap(lambda name: st.tuples(st.just(name), _parameter_value(name)))
    return st.lists(one, max_size=3).map(dict)


def _parameter_value(name: str) -> st.SearchStrategy[Any]:
    known = catalogue().get(name)
    if known is None or known.type == "string":
        return st.sampled_from(["", "a text", 1])
    if known.type == "enum":
        return st.sampled_from([*known.values, "neither"])
    if known.type == "bool":
        return st.sampled_from([True, False, "on", 0, "maybe"])
    low, high = float(known.minimum or 0), float(known.maximum or 100)
    return st.sampled_from([int(low), int(min(high, 2**31)), int(low) - 1, "64MB", "nothing"])


def _of_type(annotation: Any, path: str, rules: list[Any]) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = arguments[0]
        nested = [rule for extra in arguments[1:] for rule in getattr(extra, "metadata", [extra])]
        return _of_type(inner, path, [*rules, *nested])
    if origin is Literal:
        return st.sampled_from([*arguments, "neither"])
    if origin in (Union, types.UnionType):
        return st.one_of(*(_of_type(each, path, rules) for each in arguments))
    if origin is tuple:
        inner = _of_type(arguments[0], f"{path}[]", [])
        return st.lists(inner, max_size=2)
    if origin is dict:
        names = st.sampled_from(["team", "aws:reserved", "", "pgkeep:owner", "x" * 129])
        return st.dictionaries(names, _of_type(arguments[1], path, []), max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _of_group(annotation, path)
    makers: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
        bool: st.booleans,
        int: lambda: _integers(rules),
        float: lambda: _integers(rules).map(float),
        str: lambda: _text(rules),
        type(None): st.none,
        datetime.date: lambda: st.sampled_from(["2099-01-01", "2020-01-01", "soon"]),
        datetime.datetime: lambda: st.sampled_from(["2026-01-01T00:00:00Z", "soon"]),
    }
    assert annotation in makers, f"{path}: no values are known for {annotation}"
    return makers[annotation]()


def _of_group(group: type[BaseModel], path: str) -> st.SearchStrategy[dict[str, Any]]:
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in group.model_fields.items():
        chosen = required if field.is_required() else optional
        chosen[name] = value_of(f"{path}.{name}", field)
    return st.fixed_dictionaries(required, optional=optional)


def _bound(rules: list[Any], name: str) -> Any:
    return next(
        (getattr(rule, name) for rule in rules if getattr(rule, name, None) is not None), None
    )


def _integers(rules: list[Any]) -> st.SearchStrategy[int]:
    low, high = _bound(rules, "ge"), _bound(rules, "le")
    low, high = 0 if low is None else int(low), 100_000 if high is None else int(high)
    edges = st.sampled_from([low - 1, low, low + 1, high - 1, high, high + 1])
    return st.one_of(edges, st.integers(low, high), st.integers(low, min(high, low + 50)))


def _text(rules: list[Any]) -> st.SearchStrategy[str]:
    pattern = _bound(rules, "pattern")
    if pattern is None:
        return st.sampled_from(["", "a", "something that says why"])
    matching = st.from_regex(pattern, fullmatch=True).map(lambda text: text.rstrip("\n")[:200])
    return st.one_of(matching, matching, st.sampled_from(["", "Not A Match!"]))


def has_setting(dotted: str) -> bool:
    """Whether a message names a setting: `database.parameters.x` and `roles[0].name` do too."""
    group: type[BaseModel] | None = Settings
    for part in dotted.replace("[", ".").replace("]", "").split("."):
        if part.isdigit():
            continue
        if group is None or part not in group.model_fields:
            # Inside a mapping any name may stand.
            return group is None
        group = group_of(group.model_fields[part].annotation)
    return True
