"""What outside sources themselves ask, where a rule that covers them asks for more.

A rule states what a database on AWS needs: 30 days of backups, both logs, a key of one's own. A
check of checkov or a control of Security Hub may be content with less. A violation names such an id
only on a resource that breaks the source's own demand, so that nobody is told of a finding that the
source would not have. Each entry says what the source's documentation, or its code, asks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ..rules import ResourceCheck, Rule
from . import access, databases, hosts, kinds, networks, storage

_RESOURCES: Final = {
    **databases.RESOURCES,
    **storage.RESOURCES,
    **access.RESOURCES,
    **networks.RESOURCES,
    **hosts.RESOURCES,
}
_JOINS: Final = {**databases.JOINS, **storage.JOINS, **hosts.JOINS}


def with_sources(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """`rules` with what each of their outside ids asks by itself."""
    return tuple(
        replace(rule, exact=_asked(rule), exact_joins=_JOINS.get(rule.id, {})) for rule in rules
    )


def _asked(rule: Rule) -> dict[str, ResourceCheck]:
    given = _RESOURCES.get(rule.id, {})
    found = {control: kinds.narrowed(control, given.get(control)) for control in rule.controls}
    return {control: check for control, check in found.items() if check is not None}
