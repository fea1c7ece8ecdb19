"""Exemptions: a written, dated, owned exception for one rule on one resource.

They live in the environment's settings (`pgkeep:settings.policy_exemptions`, or, where the pack is
used alone, `pgkeep:policy_exemptions`), so that they are reviewed like any other change:

    policy_exemptions:
      - rule: iam-no-wildcard-resources
        resource: aws:iam/rolePolicy:RolePolicy::inventory
        covers: [tag:TagResources]          # for rules that judge several things in one resource
        reason: AWS offers no resource-level permission for this action
        owner: platform@example.com
        expires: "2026-03-01"

`resource` is a pattern with `*` and `?`, compared with `<type>::<name>` and with the whole URN.
"""

from __future__ import annotations

import datetime
import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from .inventory import Resource
from .rules import Context, Rule, Violation
from .values import shown

MAXIMUM_DAYS: Final = 180
# Shorter reasons ("ok", "todo", "legacy") explain nothing to the one who reviews them later.
_MINIMUM_REASON_CHARACTERS: Final = 15
# `*`, `a*` and `*-b` would cover resources that nobody has looked at.
_MINIMUM_LITERAL_NAME_CHARACTERS: Final = 3
_FIELDS: Final = frozenset({"rule", "resource", "covers", "reason", "owner", "expires"})


@dataclass(frozen=True)
class Exemption:
    """One well-formed exemption; whether it is allowed and used is decided by `problem`."""

    rule: str
    resource: str
    reason: str
    owner: str
    expires: datetime.date
    covers: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How messages name the exemption."""
        return f'the exemption of {self.rule} for "{self.resource}"'

    def problem(self, rules: Mapping[str, Rule], context: Context) -> str | None:
        """Why the exemption does not count, or `None` if it does."""
        rule = rules.get(self.rule)
        if rule is None:
            return f"names no rule of the pack; rules: {', '.join(sorted(rules))}"
        days = (self.expires - context.today).days
        name = self.resource.rpartition("::")[2]
        literal = name.replace("*", "").replace("?", "")
        long_enough = literal == name or len(literal) >= _MINIMUM_LITERAL_NAME_CHARACTERS
        narrow = "::" in self.resource and long_enough
        problems = {
            f"is not allowed: {rule.id} cannot be exempted in {context.environment}": (
                context.environment in rule.never_exempt_in
            ),
            f"expired on {self.expires}: correct the resource, or renew it with its reason": (
                days < 0
            ),
            f"expires in {days} days; at most {MAXIMUM_DAYS} days are allowed": days > MAXIMUM_DAYS,
            f'has the reason "{self.reason}", which explains nothing': (
                len(self.reason.strip()) < _MINIMUM_REASON_CHARACTERS
            ),
            "has no owner: name who answers for it": not self.owner.strip(),
            "is too broad: write <type>::<name>, the name in full or with at least "
            f"{_MINIMUM_LITERAL_NAME_CHARACTERS} literal characters": not narrow,
            "is too broad: list what it covers (covers: [...])": (
                rule.exemption_names_subject and not self.covers
            ),
        }
        return next((sentence for sentence, holds in problems.items() if holds), None)

    def matches(self, rule: Rule, violation: Violation) -> bool:
        """Whether the exemption is meant for this violation."""
        covered = not self.covers or violation.subject in self.covers
        return covered and self.concerns(rule, violation.resource)

    def concerns(self, rule: Rule, resource: Resource) -> bool:
        """Whether the exemption is about this rule and resource."""
        pattern = self.resource.replace("[", "[[]")  # fnmatch knows character sets, this does not
        return rule.id == self.rule and any(
            fnmatch.fnmatchcase(candidate, pattern)
            for candidate in (
                resource.urn,
                f"{resource.declared_type or resource.type}::{resource.name}",
            )
        )


def parse(entries: object) -> Iterator[Exemption | str]:
    """Each exemption of a `policy_exemptions` list, or the sentence that says what is wrong."""
    if entries is None:
        return
    if not isinstance(entries, list):
        yield f"policy_exemptions is {shown(entries)}; it must be a list of exemptions"
        return
    for number, entry in enumerate(cast("list[object]", entries), start=1):
        yield _parse_one(f"policy exemption {number}", entry)


def _parse_one(place: str, entry: object) -> Exemption | str:
    if not isinstance(entry, Mapping):
        return f"{place} is {shown(entry)}; it must be a mapping with {', '.join(sorted(_FIELDS))}"
    fields = {str(key): value for key, value in cast("Mapping[object, object]", entry).items()}
    if unknown := sorted(fields.keys() - _FIELDS):
        return f"{place} has the unknown field {unknown[0]}; fields: {', '.join(sorted(_FIELDS))}"
    texts: dict[str, str] = {}
    for key in ("rule", "resource", "reason", "owner"):
        value = fields.get(key)
        if not isinstance(value, str) or not value:
            return f"{place} has {key} = {shown(value)}; it must be a text"
        texts[key] = value
    covers = fields.get("covers") or []
    if not isinstance(covers, list) or not all(
        isinstance(item, str) for item in cast("list[object]", covers)
    ):
        return f"{place} has covers = {shown(covers)}; it must be a list of texts"
    # A YAML date without quotes reaches the pack as Go prints its time.
    midnight = r"(\d{4}-\d\d-\d\d)( 00:00:00 \+0000 UTC)?"
    date = re.fullmatch(midnight, str(fields.get("expires")))
    try:
        expires = datetime.date.fromisoformat(date[1] if date else "")
    except ValueError:
        return f"{place} has expires = {shown(fields.get('expires'))}; it must be a YYYY-MM-DD date"
    return Exemption(**texts, covers=tuple(cast("Iterable[str]", covers)), expires=expires)
