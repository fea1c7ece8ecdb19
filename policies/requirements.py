"""Checks of single properties, put together from parts: where, of what kind, what is accepted.

A rule that asks for `metadataOptions.httpTokens = "required"` is one line; unknown, missing, null
and wrongly typed values are then handled alike by every rule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from .inventory import Resource
from .rules import (
    Context,
    Enforcement,
    Environment,
    Outcome,
    ResourceCheck,
    Unverified,
    Violation,
)
from .values import UNKNOWN, Unknown, Wrong, boolean, integer, sequence, shown, text

# What only a long-lived environment has to have: a lost dev database is an inconvenience.
ADVISORY_BELOW_STAGING: Final[Mapping[Environment, Enforcement]] = {
    Environment.LOCAL: Enforcement.ADVISORY,
    Environment.DEV: Enforcement.ADVISORY,
    Environment.STAGING: Enforcement.MANDATORY,
    Environment.PROD: Enforcement.MANDATORY,
}

# What only the loss of a whole region asks for; staging is rebuilt from prod's backups.
ADVISORY_BELOW_PROD: Final[Mapping[Environment, Enforcement]] = {
    **dict.fromkeys(Environment, Enforcement.ADVISORY),
    Environment.PROD: Enforcement.MANDATORY,
}

# What a team decides for itself: each such rule says in its `what` or `why` when it does without.
ADVISORY_EVERYWHERE: Final[Mapping[Environment, Enforcement]] = dict.fromkeys(
    Environment, Enforcement.ADVISORY
)


@dataclass(frozen=True)
class Part:
    """A resource, or an object inside one of its properties."""

    resource: Resource
    context: Context
    place: str
    """Where `fields` stands: "" for the resource itself, "rules[0]." for an entry of a list."""
    fields: Mapping[str, object]

    def read(self, path: str) -> object:
        """The value at a dotted path: `None` if missing, `UNKNOWN`, or `Wrong` if not an object."""
        value: object = self.fields
        for step in path.split("."):
            if value is None or isinstance(value, Unknown | Wrong):
                return value
            if not isinstance(value, Mapping):
                return Wrong(value, "an object")
            value = value.get(step)
        return value

    def violation(self, path: str, value: object, limit: str, subject: str = "") -> Violation:
        """The violation "has <path> = <value>"."""
        return Violation(self.resource, f"has {self.place}{path} = {shown(value)}", limit, subject)

    def unverified(self, path: str) -> Unverified:
        """The note that `path` is not known yet."""
        return Unverified(self.resource, f"{self.place}{path}")


PartCheck = Callable[[Part], Iterator[Outcome]]


def on_resource(
    *checks: PartCheck, unless: Callable[[Resource], bool] | None = None
) -> ResourceCheck:
    """All `checks` on a resource's own properties, except on resources that `unless` names."""

    def check(resource: Resource, context: Context) -> Iterator[Outcome]:
        if unless is not None and unless(resource):
            return
        for one in checks:
            yield from one(Part(resource, context, "", resource.properties))

    return check


def flag(path: str, wanted: bool, *, default: bool) -> PartCheck:
    """A yes-or-no property; `default` is what AWS makes of a missing one."""
    return _typed(
        path,
        lambda value: boolean(value, default=default),
        lambda found, _context: found is wanted,
        lambda _context: f"be {str(wanted).lower()}",
    )


def number(
    path: str,
    *,
    default: int,
    least: int | Mapping[Environment, int] = 0,
    most: int = 2**62,
    unit: str = "",
) -> PartCheck:
    """A whole number between `least` (of the environment, if a mapping) and `most`."""

    def lowest(context: Context) -> int:
        return least if isinstance(least, int) else least[context.environment]

    def limit(context: Context) -> str:
        where = "" if isinstance(least, int) else f" in {context.environment}"
        upper = f"at most {most}" if lowest(context) == 0 else f"{lowest(context)} to {most}"
        bounds = f"at least {lowest(context)}" if most == 2**62 else upper
        return f"be {bounds}{unit and ' '}{unit}{where}"

    return _typed(
        path,
        lambda value: integer(value, default=default),
        lambda found, context: lowest(context) <= found <= most,
        limit,
    )


def one_of(path: str, accepted: Collection[str], *, default: str = "") -> PartCheck:
    """A text out of `accepted`."""
    return _typed(
        path,
        lambda value: text(value, default=default),
        lambda found, _context: found in accepted,
        lambda _context: f"be {' or '.join(sorted(accepted))}",
    )


def text_where(
    path: str, accept: Callable[[str], bool], limit: str, *, default: str = ""
) -> PartCheck:
    """A text that `accept` accepts."""
    return _typed(
        path,
        lambda value: text(value, default=default),
        lambda found, _context: accept(found),
        lambda _context: limit,
    )


def given(path: str, limit: str = "be set") -> PartCheck:
    """A text that is there, such as a reference."""
    return text_where(path, lambda found: bool(found.strip()), limit)


def absent(path: str, limit: str) -> PartCheck:
    """A property that must not be there."""

    def check(part: Part) -> Iterator[Outcome]:
        value = part.read(path)
        hidden = not part.place and path in part.resource.hidden
        if value is UNKNOWN and not hidden:
            yield part.unverified(path)
        elif value not in (None, "", [], [None]):
            # The value may be a secret: it is not shown.
            yield Violation(part.resource, f"has {part.place}{path}", limit)

    return check


def at_least(path: str, least: int, what: str) -> PartCheck:
    """A list with at least that many different entries."""
    limit = f"name at least {least} {what}"

    def check(part: Part) -> Iterator[Outcome]:
        value = part.read(path)
        found = value if isinstance(value, Wrong) else sequence(value)
        if found is UNKNOWN:
            yield part.unverified(path)
        elif isinstance(found, Wrong):
            yield part.violation(path, found, limit)
        else:
            known = {repr(one) for one in found if one is not UNKNOWN}
            # Entries that are known after apply come from different resources.
            if len(known) + sum(one is UNKNOWN for one in found) < least:
                yield part.violation(path, value, limit)

    return check


def contains(path: str, wanted: Sequence[str], limit: str) -> PartCheck:
    """A list that has all of `wanted`."""

    def check(part: Part) -> Iterator[Outcome]:
        value = part.read(path)
        found = value if isinstance(value, Wrong) else sequence(value)
        if isinstance(found, Wrong):
            yield part.violation(path, found, limit)
        elif found is UNKNOWN or (UNKNOWN in found and any(one not in found for one in wanted)):
            yield part.unverified(path)
        elif any(one not in found for one in wanted):
            yield part.violation(path, value, limit)

    return check


def each(
    path: str, *checks: PartCheck, at_least: int = 0, limit: str = "be a list of objects"
) -> PartCheck:
    """All `checks` on every object in a list, which has `at_least` that many entries."""

    def check(part: Part) -> Iterator[Outcome]:
        value = part.read(path)
        entries = value if isinstance(value, Wrong) else sequence(value)
        if isinstance(entries, Wrong):
            yield part.violation(path, entries, limit)
            return
        if entries is UNKNOWN:
            yield part.unverified(path)
            return
        if len(entries) < at_least:
            yield part.violation(path, value, limit)
        for index, entry in enumerate(entries):
            place = f"{path}[{index}]"
            if entry is UNKNOWN:
                yield part.unverified(place)
            elif not isinstance(entry, dict):
                yield part.violation(place, entry, limit)
            else:
                fields = cast("dict[str, object]", entry)
                inner = Part(part.resource, part.context, f"{part.place}{place}.", fields)
                for one in checks:
                    yield from one(inner)

    return check


def if_given(path: str, *checks: PartCheck) -> PartCheck:
    """`checks` only where the property is there."""

    def check(part: Part) -> Iterator[Outcome]:
        if part.read(path) is not None:
            for one in checks:
                yield from one(part)

    return check


def _typed(
    path: str,
    reader: Callable[[object], Any],
    accept: Callable[[Any, Context], bool],
    limit: Callable[[Context], str],
) -> PartCheck:
    def check(part: Part) -> Iterator[Outcome]:
        value = part.read(path)
        found: object = value if isinstance(value, Wrong) else reader(value)
        if found is UNKNOWN:
            yield part.unverified(path)
        elif isinstance(found, Wrong):
            yield part.violation(path, found, limit(part.context))
        elif not accept(found, part.context):
            yield part.violation(path, value, limit(part.context))

    return check
