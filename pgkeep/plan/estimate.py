"""What a stack costs a month at list prices: what is fixed, and the unit prices of what is used.

Fixed is what AWS charges for existing: instances, provisioned storage, gateways, keys. It is the
total. What depends on use (stored backups, log volume, invocations, data transfer) has a unit price
and is in no total; an amount would be a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from facts.prices import Price, Prices
from pgkeep.plan.free_types import is_free
from pgkeep.plan.model import Change, Operation
from pgkeep.plan.pricing_rules import RULES, Charge, Inventory, Usage, region_of

CENT = Decimal("0.01")

NOT_INCLUDED = (
    "data transfer (to the internet, between zones and regions), CPU credits of t classes, what "
    "is paid by use (logs, stored backups, requests), taxes, reservations and savings plans"
)


@dataclass(frozen=True)
class Line:
    """One charge of one resource in a month."""

    what: str
    """`db.r7g.large Multi-AZ, 730 h`"""
    item: str
    quantity: Decimal
    price: Price | None

    @property
    def usd(self) -> Decimal | None:
        """A month's cost, exact; None when no price is known."""
        return None if self.price is None else self.quantity * self.price.usd


@dataclass(frozen=True)
class UnitPrice:
    """What one unit of something costs that is paid by use."""

    what: str
    price: Price | None
    assumption: str = ""
    """What the settings say of how much that may be."""


@dataclass(frozen=True)
class ResourceCost:
    """What one resource costs, now and after the plan."""

    change: Change
    before: tuple[Line, ...] = ()
    after: tuple[Line, ...] = ()
    by_use: tuple[UnitPrice, ...] = ()

    @property
    def difference(self) -> Decimal:
        """After less before, of what has a price."""
        return total_of(self.after) - total_of(self.before)

    @property
    def unknown(self) -> tuple[Line, ...]:
        """Charges for which no price is known."""
        return tuple(line for line in (*self.after, *self.before) if line.price is None)


@dataclass(frozen=True)
class Estimate:
    """The month's cost of a stack, now and after the plan."""

    resources: tuple[ResourceCost, ...]
    region: str

    @property
    def before(self) -> Decimal:
        """US dollars a month of what exists."""
        return sum((total_of(r.before) for r in self.resources), Decimal(0))

    @property
    def after(self) -> Decimal:
        """US dollars a month once the plan is carried out."""
        return sum((total_of(r.after) for r in self.resources), Decimal(0))

    @property
    def unpriced(self) -> tuple[str, ...]:
        """`rds:Instance database-instance: db.x9.large Single-AZ` of every charge without price."""
        return tuple(
            dict.fromkeys(
                f"{cost.change.short_type} {cost.change.name}: {line.what}"
                for cost in self.resources
                for line in cost.unknown
            )
        )

    @property
    def total(self) -> str:
        """`after` as it is shown, marked where a charge has no price."""
        return money(self.after) + (" + ?" if self.unpriced else "")

    @property
    def prices(self) -> tuple[Price, ...]:
        """Every price that was used."""
        lines = (p.price for r in self.resources for p in (*r.before, *r.after, *r.by_use))
        return tuple(price for price in lines if price is not None)

    @property
    def unit_prices(self) -> tuple[UnitPrice, ...]:
        """The unit prices of what is paid by use, each once with all that is assumed of it."""
        found: dict[tuple[str, Price | None], list[str]] = {}
        for cost in self.resources:
            for unit in cost.by_use:
                found.setdefault((unit.what, unit.price), []).append(unit.assumption)
        return tuple(
            UnitPrice(what, price, "; ".join(sorted({text for text in texts if text})))
            for (what, price), texts in sorted(found.items(), key=lambda entry: entry[0][0])
        )


def total_of(lines: Iterable[Line]) -> Decimal:
    """The sum of the lines that have a price."""
    return sum((line.usd for line in lines if line.usd is not None), Decimal(0))


def money(usd: Decimal) -> str:
    """`1,234.50`: rounded to cents, only where it is shown."""
    return f"{usd.quantize(CENT):,}"


def source_of(prices: Sequence[Price]) -> str:
    """One line that says where prices come from, how old they are, and how many of each."""
    if not prices:
        return "no price known"
    live = [price for price in prices if price.live]
    parts = [f"asked now ({len(live)} of {len(prices)})"] if live else []
    for table in sorted({price.table for price in prices if not price.live}):
        dates = [p.published for p in prices if not p.live and p.table == table]
        first, last = min(dates), max(dates)
        read = f"{first}" if first == last else f"from {first} to {last}"
        parts.append(f"as read {read} ({len(dates)} of {len(prices)}, facts/{table})")
    return "AWS's price list, " + "; ".join(parts)


def estimate(changes: Sequence[Change], prices: Prices, region: str) -> Estimate:
    """The cost of every resource, before and after; `region` is that of the stack's provider."""
    olds = Inventory({c.urn: c.old for c in changes if c.old is not None})
    news = Inventory({c.urn: c.new for c in changes if c.new is not None})
    costs: list[ResourceCost] = []
    for change in changes:
        if change.component or is_free(change.type):
            continue
        rule = RULES.get(change.type, _unknown)
        before = tuple(rule(change.urn, change.old, olds)) if change.old is not None else ()
        after = tuple(rule(change.urn, change.new, news)) if change.new is not None else ()
        if change.operation is Operation.FORGET:
            after = before  # It stays in AWS and is paid on.
        cost = ResourceCost(
            change,
            before=_lines(before, change.old or {}, prices, region),
            after=_lines(after, change.inputs, prices, region),
            by_use=_units(after, change.inputs, prices, region),
        )
        if cost.before or cost.after or cost.by_use:
            costs.append(cost)
    return Estimate(tuple(costs), region)


def _there(what: str, place: str, region: str) -> str:
    """Names the region of what is in another one than the rest."""
    return what if place == region else f"{what} in {place}"


def _unknown(_urn: str, _inputs: Mapping[str, object], _inventory: Inventory) -> Iterable[Charge]:
    """Of a type that nobody has looked up: it is said, and counts nothing."""
    yield Charge("whether it costs anything", "unknown", Decimal(1))


def _lines(
    charges: Iterable[Charge | Usage], inputs: Mapping[str, object], prices: Prices, region: str
) -> tuple[Line, ...]:
    place = region_of(inputs, region)
    return tuple(
        Line(
            _there(charge.what, place, region),
            charge.item,
            charge.quantity,
            prices.price(charge.item, place),
        )
        for charge in charges
        if isinstance(charge, Charge)
    )


def _units(
    charges: Iterable[Charge | Usage], inputs: Mapping[str, object], prices: Prices, region: str
) -> tuple[UnitPrice, ...]:
    place = region_of(inputs, region)
    return tuple(
        UnitPrice(
            _there(usage.what, place, region), prices.price(usage.item, place), usage.assumption
        )
        for usage in charges
        if isinstance(usage, Usage)
    )
