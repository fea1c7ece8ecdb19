"""Stack checks of what must stand beside a resource, such as a bucket's versioning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .inventory import Stack
from .rules import Context, Outcome, ResourceCheck, StackCheck, Unverified, Violation
from .values import UNKNOWN


def beside(
    targets: Sequence[str],
    companion: str,
    property_name: str,
    check: ResourceCheck,
    *,
    limit: str,
    identities: Sequence[str] = ("bucket", "id"),
    inline: tuple[str, ResourceCheck] | None = None,
) -> StackCheck:
    """Every resource of `targets` has a `companion` that refers to it and passes `check`.

    Or it says the same itself in the older property of `inline`, and passes that check.
    """
    kind = companion.rpartition(":")[2]

    def judge(stack: Stack, context: Context) -> Iterator[Outcome]:
        for target in stack.of_type(*targets):
            found = stack.referring(target, [companion], property_name, identities)
            if not isinstance(found, list):
                yield Unverified(target, f"the {property_name} of a {kind}")
                continue
            # (The older property is an output too, so unknown at preview: no evidence.)
            if not found and inline and target.get(inline[0]) not in (None, UNKNOWN):
                yield from inline[1](target, context)
            elif not found:
                yield Violation(target, f"has no {kind} in this stack", limit)
            for one in found:
                for outcome in check(one, context):
                    if isinstance(outcome, Violation):
                        reason = f"has {one.label}, which {outcome.found}"
                        yield Violation(target, reason, outcome.limit, outcome.subject, cause=one)
                    else:
                        needs = f"{outcome.needs} of {one.label}"
                        yield Unverified(target, needs, cause=one)

    return judge
