"""What is said about a plan, whatever the form: losses, costs in rows, the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from facts.prices import Prices
from pgkeep.failures import ExitCode
from pgkeep.plan.estimate import Estimate, ResourceCost, estimate, total_of
from pgkeep.plan.losses import Loss, losses
from pgkeep.plan.model import Change, NoteKind, Operation, Plan, PolicyNote, PropertyChange

# Sign and title of each operation, in the order in which they are shown.
SIGNS = {
    Operation.DELETE: ("-", "delete"),
    Operation.REPLACE: ("±", "replace"),
    Operation.FORGET: ("○", "leave the state and stay in AWS"),
    Operation.UPDATE: ("~", "update"),
    Operation.CREATE: ("+", "create"),
    Operation.IMPORT: ("=", "import"),
}


# From so many resources on a change that they share is told once for all of them.
WIDESPREAD = 8


@dataclass(frozen=True)
class CostRow:
    """One resource, or several alike of one component, in the table of costs."""

    group: str
    title: str
    """`rds:Instance database-instance` or `5 x secretsmanager:Secret (WorkloadRoles)`."""
    what: str
    before: Decimal
    after: Decimal
    unknown: bool = False
    """Whether some of it has no known price."""


@dataclass(frozen=True)
class Report:
    """A plan with everything that is derived from it."""

    plan: Plan
    estimate: Estimate
    losses: tuple[Loss, ...]

    @property
    def exit_code(self) -> ExitCode:
        """Refused when the update would be stopped, or when the preview failed."""
        refused = bool(self.plan.violations) or self.plan.failed
        return ExitCode.REFUSED if refused else ExitCode.DONE

    @property
    def counts(self) -> dict[Operation, int]:
        """How many resources have each operation."""
        return {operation: len(self.plan.of(operation)) for operation in Operation}

    def notes(self, kind: NoteKind) -> list[PolicyNote]:
        """The policy notes of one kind."""
        return [note for note in self.plan.notes if note.kind is kind]

    def widespread(self) -> dict[PropertyChange, int]:
        """Changes that many resources share, such as a new tag, with how many: told once."""
        told = Counter(
            item for change in self.plan.of(Operation.UPDATE) for item in change.properties
        )
        return {item: n for item, n in sorted(told.items(), key=str) if n >= WIDESPREAD}

    def groups(self, *, every: bool = False) -> list[tuple[str, list[Change]]]:
        """The changes by component, each list with the gravest first.

        Without `every`, widespread changes are left out, and the resources that have no other.
        """
        common = self.widespread()
        found: dict[str, list[Change]] = {}
        for change in self.plan.of(*SIGNS):
            shown = change
            if not every and change.operation is Operation.UPDATE and change.properties:
                own = tuple(item for item in change.properties if item not in common)
                if not own:
                    continue
                shown = replace(change, properties=own)
            found.setdefault(change.group, []).append(shown)
        return sorted(found.items())

    def cost_rows(self, *, each: bool = False) -> list[CostRow]:
        """What costs something fixed, dearest first; alike resources in one row unless `each`."""
        alike: dict[object, list[ResourceCost]] = {}
        for cost in self.estimate.resources:
            if cost.before or cost.after:
                key = (
                    cost.change.urn if each else (cost.change.group, cost.change.type, _what(cost))
                )
                alike.setdefault(key, []).append(cost)
        rows = [_row(costs) for costs in alike.values()]
        return sorted(rows, key=lambda r: (-max(r.after, r.before), r.group, r.title, r.what))


def make_report(plan: Plan, prices: Prices) -> Report:
    """Derives losses and costs from a plan."""
    return Report(plan, estimate(plan.changes, prices, plan.region), losses(plan.changes))


def _what(cost: ResourceCost) -> str:
    after = ", ".join(line.what for line in cost.after)
    before = ", ".join(line.what for line in cost.before)
    if not cost.after:
        return before
    return after if before in ("", after) else f"{before} → {after}"


def _row(costs: Sequence[ResourceCost]) -> CostRow:
    change = costs[0].change
    title = f"{change.short_type} {change.name}"
    return CostRow(
        group=change.group,
        title=title if len(costs) == 1 else f"{len(costs)} x {change.short_type} ({change.group})",
        what=_what(costs[0]),
        before=sum((total_of(cost.before) for cost in costs), Decimal(0)),
        after=sum((total_of(cost.after) for cost in costs), Decimal(0)),
        unknown=any(cost.unknown for cost in costs),
    )
