"""What a rule is: its metadata, its checks, and the outcomes that a check yields.

A check is a pure function of resources and `Context`: no clock, no environment variable, no I/O.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TypeVar

from .inventory import Resource, Stack
from .values import UNKNOWN, Unknown, Wrong, shown


class Environment(StrEnum):
    """Where a stack runs; the order is from the least to the most strict."""

    LOCAL = "local"
    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"

    @property
    def strictness(self) -> int:
        """Greater is stricter."""
        return list(Environment).index(self)


class Severity(StrEnum):
    """How bad it is if the rule does not hold."""

    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Enforcement(StrEnum):
    """What a violation does: `mandatory` stops the preview or the update."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    DISABLED = "disabled"


class Phase(Enum):
    """Whether unknown values are still expected."""

    PREVIEW = "preview"
    APPLY = "apply"
    STATE = "state"
    """An exported state: nothing becomes known later, and a secret stays unreadable."""


MANDATORY_EVERYWHERE: Mapping[Environment, Enforcement] = dict.fromkeys(
    Environment, Enforcement.MANDATORY
)


@dataclass(frozen=True)
class Context:
    """What rules may depend on besides the resources."""

    environment: Environment = Environment.PROD
    """The strictest one unless the stack says otherwise."""
    phase: Phase = Phase.PREVIEW
    today: datetime.date = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).date())
    thresholds: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict[str, Mapping[str, object]]
    )
    """Rule id → the rule's settings from the pack's configuration."""


@dataclass(frozen=True)
class Violation:
    """A resource does not hold a rule."""

    resource: Resource
    found: str
    """What is there, as the end of the sentence "<resource> …"."""
    limit: str
    """What must be there, as the end of the sentence "must …"."""
    subject: str = ""
    """The part of the resource that is judged, for an exemption to name (an IAM action)."""
    cause: Resource | None = None
    """The other resource at fault, where a stack rule judges a join. If the same rule has already
    judged that resource by itself, this outcome would repeat it and is dropped."""


@dataclass(frozen=True)
class Unverified:
    """A rule needs a value that is known only after apply."""

    resource: Resource
    needs: str
    """The property or document whose value is missing."""
    cause: Resource | None = None


_Value = TypeVar("_Value", bool, int, str)

Outcome = Violation | Unverified
ResourceCheck = Callable[[Resource, Context], Iterable[Outcome]]
StackCheck = Callable[[Stack, Context], Iterable[Outcome]]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. `check_resource` sees inputs before the resource exists; `check_stack` sees all."""

    id: str
    title: str
    what: str
    """What must hold, one sentence."""
    why: str
    """What goes wrong otherwise."""
    remediation: str
    """What to do: the setting of pgkeep or the Pulumi property to change."""
    severity: Severity
    catalogue: tuple[str, ...]
    """Ids of the control catalogue (docs/controls.md)."""
    controls: tuple[str, ...]
    """Ids of the outside sources: checkov, Security Hub, CIS, AWSGuard, AWS Config."""
    types: tuple[str, ...]
    """The Pulumi types that `check_resource` is called with."""
    enforcement: Mapping[Environment, Enforcement] = field(
        default_factory=lambda: MANDATORY_EVERYWHERE
    )
    never_exempt_in: frozenset[Environment] = frozenset()
    exemption_names_subject: bool = False
    """An exemption must list the subjects it covers; without, it would hide more than it says."""
    settings_schema: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict[str, Mapping[str, object]]
    )
    """JSON schema of each setting in the pack's configuration."""
    check_resource: ResourceCheck | None = None
    check_stack: StackCheck | None = None
    joined_types: tuple[str, ...] = ()
    """The types, besides `types`, that `check_stack` judges."""
    exact: Mapping[str, ResourceCheck] = field(default_factory=dict[str, ResourceCheck])
    """What an outside source itself asks, where the rule asks for more (30 days of backups, the
    source for one): a violation names that control only on a resource that fails this too."""
    exact_joins: Mapping[str, StackCheck] = field(default_factory=dict[str, StackCheck])
    """The same for what `check_stack` finds."""


def require(
    resource: Resource,
    property_name: str,
    value: _Value | Unknown | Wrong,
    accept: Callable[[_Value], bool],
    limit: str,
) -> Iterator[Outcome]:
    """The outcome of one property: nothing if `accept`ed, else a violation or a note."""
    if value is UNKNOWN:
        yield Unverified(resource, property_name)
    elif isinstance(value, Wrong):
        yield Violation(resource, f"has {property_name} = {shown(value)}", limit)
    elif not accept(value):
        given = shown(resource.get(property_name))
        yield Violation(resource, f"has {property_name} = {given}", limit)
