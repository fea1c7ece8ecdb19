"""What a plan is made of: resources that change, what changes in them, and what policies say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Properties = Mapping[str, Any]
NO_PROPERTIES: Properties = {}

ROOT = "Platform"
"""Component of a resource that no smaller component has made."""


class Operation(StrEnum):
    """What happens to a resource; the order is from the most to the least grave."""

    DELETE = "delete"
    REPLACE = "replace"
    FORGET = "forget"
    """It leaves the state and stays in AWS (retain on delete)."""
    UPDATE = "update"
    CREATE = "create"
    IMPORT = "import"
    SAME = "same"


@dataclass(frozen=True)
class PropertyChange:
    """One changed property, ready to be read: values are shortened, secrets and unknowns named."""

    path: str
    old: str | None
    """None: it was not there."""
    new: str | None
    """None: it is taken away."""
    replaces: bool = False
    """Whether this change is why the resource is replaced."""


@dataclass(frozen=True)
class Change:
    """One resource of the stack, before and after."""

    urn: str
    operation: Operation
    old: Properties | None = None
    """Inputs in the state; None when it is not there yet."""
    new: Properties | None = None
    """Inputs that the program gives; None when it is deleted."""
    old_outputs: Properties = field(default_factory=dict[str, Any])
    properties: tuple[PropertyChange, ...] = ()
    protected: bool = False
    """Pulumi refuses to delete it until `protect` is taken off in an update before."""
    retained: bool = False
    """The one before stays in AWS when it is replaced or deleted (retain on delete)."""
    component: bool = False
    """It groups others and is nothing in AWS."""

    @property
    def type(self) -> str:
        """`aws:rds/instance:Instance`."""
        return self.urn.split("::")[2].rsplit("$", 1)[-1]

    @property
    def name(self) -> str:
        """The name in the program."""
        return self.urn.split("::", 3)[3]

    @property
    def short_type(self) -> str:
        """`rds:Instance`."""
        package, _, rest = self.type.partition(":")
        module, _, kind = rest.partition(":")
        return f"{module.split('/')[0]}:{kind}" if package == "aws" else self.type

    @property
    def group(self) -> str:
        """The component that made it, without the platform around it: `Database`."""
        kinds = [
            kind for kind in self.urn.split("::")[2].split("$")[:-1] if kind.startswith("pgkeep:")
        ]
        inner = [kind.rsplit(":", 1)[-1] for kind in kinds if not kind.endswith(":Platform")]
        return " / ".join(inner) or ROOT

    @property
    def inputs(self) -> Properties:
        """The newest inputs: the program's, or the state's when it is deleted."""
        return self.new if self.new is not None else (self.old or NO_PROPERTIES)


class NoteKind(StrEnum):
    """What a policy's note means."""

    VIOLATION = "violation"
    """Mandatory: the update would be refused."""
    ADVICE = "advice"
    UNVERIFIED = "unverified"
    """It waits for a value that is known only after apply, and is verified then."""
    NOT_COVERED = "not covered"
    """No rule judges the type of a resource that could matter."""
    EXEMPTED = "exempted"


@dataclass(frozen=True)
class PolicyNote:
    """One note of the policy pack."""

    kind: NoteKind
    rule: str
    resource: str
    """`rds:Instance database-instance`; empty for the stack as a whole."""
    severity: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Plan:
    """Everything that one preview said."""

    stack: str
    changes: tuple[Change, ...]
    notes: tuple[PolicyNote, ...] = ()
    failed: bool = False
    """Whether the engine says that the preview did not succeed."""
    errors: tuple[str, ...] = ()
    """Why the preview failed."""
    warnings: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict[str, str])
    judged: int = 0
    """Resources that the policy pack has judged; 0 when no pack ran."""
    offline: bool = False
    """Nothing of the stack's real state was read: everything is shown as new."""

    def of(self, *operations: Operation) -> list[Change]:
        """The real resources with one of the operations, in a stable order."""
        chosen = [c for c in self.changes if c.operation in operations and not c.component]
        order = list(Operation)
        return sorted(chosen, key=lambda c: (c.group, order.index(c.operation), c.type, c.name))

    @property
    def region(self) -> str:
        """The region that the stack's configuration names; empty when it names none."""
        return self.config.get("aws:region", "")

    @property
    def violations(self) -> list[PolicyNote]:
        """What would stop the update."""
        return [note for note in self.notes if note.kind is NoteKind.VIOLATION]
