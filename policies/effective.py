"""What an explicit Deny takes away from what an IAM document allows.

Source: AWS IAM User Guide, "Policy evaluation logic": an explicit deny overrides every allow. Only
what is certain counts: a Deny without a condition (whose values this pack does not know), in the
same identity policy or beside it on the same role, that covers all of an action on all of a
resource. Where a pattern of a Deny covers only a part, the allowance stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from .documents import Statement

_MOST_CHARACTERS: Final = 512


class Denials:
    """The unconditional denials among statements that hold for one identity."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self._statements = tuple(
            one
            for one in statements
            if one.denies
            and not one.unknown
            and one.condition in (None, {})
            and not one.principals
            and not one.not_principals
        )

    def left_of(self, statement: Statement) -> Statement | None:
        """An Allow without the actions that are denied on all of its resources; None if empty.

        NotAction and NotResource of an Allow are left as they are: they leave nearly everything.
        """
        if statement.not_actions:
            return statement
        left = tuple(
            action
            for action in statement.actions
            if not isinstance(action, str) or not self.take_away(action, statement)
        )
        if left == statement.actions:
            return statement
        return replace(statement, actions=left) if left else None

    def take_away(self, action: str, statement: Statement) -> bool:
        """Whether `action` is denied on everything that `statement` allows it on."""
        return all(self.cover(action, target) for target in _targets(statement))

    def cover(self, action: str, target: str) -> bool:
        """Whether everything that the pattern `action` allows on `target` is denied."""
        return any(
            _covered(action.lower(), _lower(one.actions), _lower(one.not_actions))
            and _covered(target, one.resources, one.not_resources)
            for one in self._statements
        )


@dataclass(frozen=True)
class Restraint:
    """What holds for one role besides the document that is judged: in a state, all is known.

    Source: AWS IAM User Guide, "Permissions boundaries for IAM entities": what the boundary does
    not allow, no identity policy of the role allows. A condition of the boundary may hold, so that
    it takes nothing away.
    """

    beside: tuple[Statement, ...]
    """The statements of the role's other policies, as they are written."""
    boundary: tuple[Statement, ...] | None
    """The statements of its permissions boundary; `None` without one, or where it is not known."""

    def takes_away(self, action: str, statement: Statement) -> bool:
        """Whether the role cannot do `action` on anything that `statement` allows it on."""
        bounds = self.boundary or ()
        if Denials((*self.beside, *bounds)).take_away(action, statement):
            return True
        return self.boundary is not None and not any(
            _reaches(one, action, target) for one in bounds for target in _targets(statement)
        )


def _targets(statement: Statement) -> list[str]:
    """The resources of a statement; what is not known, and all but some, may be any resource."""
    targets = [one if isinstance(one, str) else "*" for one in statement.resources]
    return ["*"] if statement.not_resources or not targets else targets


def _reaches(allow: Statement, action: str, target: str) -> bool:
    """Whether a statement of a boundary may allow something of `action` on `target`."""
    if allow.unknown or not allow.allows:
        return allow.unknown
    return _meets(action.lower(), _lower(allow.actions), _lower(allow.not_actions)) and _meets(
        target, allow.resources, allow.not_resources
    )


def _meets(pattern: str, listed: Sequence[object], excepted: Sequence[object]) -> bool:
    """Whether an element or its Not-element may include something that `pattern` stands for."""
    if excepted:
        return not any(isinstance(one, str) and includes(one, pattern) for one in excepted)
    # AWS refuses a statement without the element; until then it is read as the widest one.
    return not listed or any(not isinstance(one, str) or overlap(pattern, one) for one in listed)


def _lower(patterns: Sequence[object]) -> tuple[object, ...]:
    return tuple(one.lower() if isinstance(one, str) else one for one in patterns)


def _covered(pattern: str, listed: Sequence[object], excepted: Sequence[object]) -> bool:
    """Whether an element and its Not-element certainly include all that `pattern` stands for."""
    if excepted:
        # Everything but: nothing that `pattern` stands for may be among the exceptions.
        return not listed and not any(
            not isinstance(one, str) or overlap(pattern, one) for one in excepted
        )
    return any(isinstance(one, str) and includes(one, pattern) for one in listed)


@lru_cache(maxsize=65_536)
def includes(wide: str, narrow: str) -> bool:
    """Whether the IAM pattern `wide` certainly matches all that `narrow` matches.

    `narrow` is read as a text whose wildcards only a `*` of `wide` takes (a `?` takes a `?`).
    """
    if max(len(wide), len(narrow)) > _MOST_CHARACTERS:
        return wide == narrow or set(wide) == {"*"}
    reached = {0}
    for char in wide:
        if char == "*":
            reached = set(range(min(reached), len(narrow) + 1)) if reached else reached
        elif char == "?":
            reached = {at + 1 for at in reached if at < len(narrow) and narrow[at] != "*"}
        else:
            reached = {at + 1 for at in reached if at < len(narrow) and narrow[at] == char}
    return len(narrow) in reached


@lru_cache(maxsize=65_536)
def overlap(one: str, other: str) -> bool:
    """Whether some text matches both IAM patterns."""
    if max(len(one), len(other)) > _MOST_CHARACTERS:
        return True
    # Pairs of places up to which both have read the same text.
    seen: set[tuple[int, int]] = set()
    waiting = [(0, 0)]
    while waiting:
        pair = waiting.pop()
        if pair in seen:
            continue
        seen.add(pair)
        left, right = pair
        if left == len(one) and right == len(other):
            return True
        at, beside = one[left : left + 1], other[right : right + 1]
        if at == "*":
            waiting.append((left + 1, right))
        if beside == "*":
            waiting.append((left, right + 1))
        if at and beside:
            if at == "*":
                waiting.append((left, right + 1))
            elif beside == "*":
                waiting.append((left + 1, right))
            elif at == beside or "?" in (at, beside):
                waiting.append((left + 1, right + 1))
    return False
