"""What the parameter group of a database says of the database: a join over the stack."""

from __future__ import annotations

from collections.abc import Iterator

from .databases import CLUSTER, GROUP_IDENTITIES, GROUP_PROPERTIES, INSTANCE, group_holder
from .inventory import Resource, Stack
from .rules import Context, Outcome, ResourceCheck, StackCheck, Unverified, Violation
from .values import UNKNOWN, shown


def of_databases(check: ResourceCheck, limit: str) -> StackCheck:
    """Every PostgreSQL database has a parameter group of the stack that passes `check`."""

    def judge(stack: Stack, context: Context) -> Iterator[Outcome]:
        for database in stack.of_type(INSTANCE, CLUSTER):
            engine = database.get("engine")
            if not isinstance(engine, str) or "postgres" in engine.lower():
                yield from _database(stack, context, database, check, limit)

    return judge


def _database(
    stack: Stack, context: Context, database: Resource, check: ResourceCheck, limit: str
) -> Iterator[Outcome]:
    holder = group_holder(stack, database)
    if not isinstance(holder, Resource):
        yield holder
        return
    name, group_type = GROUP_PROPERTIES[holder.type]
    groups = stack.referenced(holder, name, [group_type], GROUP_IDENTITIES)
    if groups is UNKNOWN:
        yield Unverified(database, name)
    elif not groups:
        given = holder.get(name)
        found = f"has {name} = {shown(given)}"
        beside = "AWS's default group" if given in (None, "") else "which is not in this stack"
        yield Violation(database, f"{found}, {beside}", limit)
    else:
        for group in groups:
            for outcome in check(group, context):
                if isinstance(outcome, Violation):
                    found = f"uses {group.label}, which {outcome.found}"
                    yield Violation(database, found, outcome.limit, outcome.subject, cause=group)
                else:
                    yield Unverified(database, f"{outcome.needs} of {group.label}", cause=group)
