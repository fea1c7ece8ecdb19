"""The plan as one JSON document, for scripts. Amounts are exact decimals in texts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pgkeep.plan.estimate import NOT_INCLUDED, Line, UnitPrice, source_of
from pgkeep.plan.losses import Loss
from pgkeep.plan.model import Change, PolicyNote
from pgkeep.plan.report import SIGNS, Report

VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields may come without."""


def document(report: Report) -> dict[str, Any]:
    """Everything that the terminal shows with --verbose."""
    plan, estimate = report.plan, report.estimate
    return {
        "version": VERSION,
        "stack": plan.stack,
        "region": plan.region,
        "offline": plan.offline,
        "result": "refused" if report.exit_code else "done",
        "failed": plan.failed,
        "errors": list(plan.errors),
        "counts": {operation.value: count for operation, count in report.counts.items()},
        "losses": [_loss(loss) for loss in report.losses],
        "changes": [_change(change) for change in plan.of(*SIGNS)],
        "cost": {
            "currency": "USD",
            "period": "month",
            "before": _usd(estimate.before),
            "after": _usd(estimate.after),
            "difference": _usd(estimate.after - estimate.before),
            "prices": source_of(estimate.prices),
            "not_included": NOT_INCLUDED,
            "no_price_known": list(estimate.unpriced),
            "resources": [
                {
                    "resource": f"{cost.change.short_type} {cost.change.name}",
                    "urn": cost.change.urn,
                    "component": cost.change.group,
                    "before": [_line(line) for line in cost.before],
                    "after": [_line(line) for line in cost.after],
                }
                for cost in estimate.resources
                if cost.before or cost.after
            ],
            "by_use": [_unit(unit) for unit in estimate.unit_prices],
        },
        "policies": {
            "judged": plan.judged,
            "notes": [_note(note) for note in plan.notes],
        },
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "operation": change.operation.value,
        "urn": change.urn,
        "type": change.type,
        "name": change.name,
        "component": change.group,
        "protected": change.protected,
        "properties": [
            {"path": item.path, "old": item.old, "new": item.new, "replaces": item.replaces}
            for item in change.properties
        ],
    }


def _loss(loss: Loss) -> dict[str, Any]:
    return {
        "operation": loss.change.operation.value,
        "urn": loss.change.urn,
        "resource": f"{loss.change.short_type} {loss.change.name}",
        "lost": loss.lost,
        "instead": loss.instead,
        "because": loss.cause,
        "notes": [{"text": guard.text, "alarming": guard.alarming} for guard in loss.guards],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "what": line.what,
        "item": line.item,
        "quantity": str(line.quantity),
        "unit": line.price.unit if line.price else None,
        "unit_price": _usd(line.price.usd) if line.price else None,
        "usd": None if line.usd is None else _usd(line.usd),
    }


def _unit(unit: UnitPrice) -> dict[str, Any]:
    return {
        "what": unit.what,
        "unit": unit.price.unit if unit.price else None,
        "unit_price": _usd(unit.price.usd) if unit.price else None,
        "assumption": unit.assumption,
    }


def _note(note: PolicyNote) -> dict[str, Any]:
    return {
        "kind": note.kind.value,
        "rule": note.rule,
        "severity": note.severity,
        "resource": note.resource,
        "message": note.message,
        "remedy": note.remedy,
    }


def _usd(amount: Decimal) -> str:
    """Exact and without an exponent: `0.0000133334`, `842.1`."""
    return f"{amount.normalize():f}" if amount else "0"
