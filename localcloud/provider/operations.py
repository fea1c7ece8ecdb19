"""What the table entries of resource types are made of: calls, and what to wait for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.provider.context import NO_NAMES, Names


@dataclass(frozen=True)
class Operation:
    """An API operation. `parameters` are templates: `$id`, or `$name` for an input or output;
    `result` is a JMESPath expression that finds the resource's object in the response."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    result: str = "@"


@dataclass(frozen=True)
class Update:
    """An operation that changes some properties; all of them are sent when one has changed, or one
    call is made for each changed property (`each`)."""

    operation: str
    properties: Names
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    each: bool = False


@dataclass(frozen=True)
class Ready:
    """What a created or changed resource must be before the program goes on: the JMESPath
    expression `status` of its object gives `done`; one of `failed` is an error."""

    status: str
    done: Names
    failed: Names = NO_NAMES
