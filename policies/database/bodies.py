"""What the body of a function or rule comes to, through what it calls and what that triggers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .model import Body, Database, Function, Relation

_GONE = ("DELETE", "TRUNCATE", "DROP")
# Functions of PostgreSQL's own or of common extensions that run SQL which they are handed as text,
# change who the session is, or reach outside. Others of pg_catalog only compute.
_RUNS_TEXT = (
    *("query_to_", "cursor_to_", "dblink", "ts_stat", "ts_rewrite", "crosstab", "connectby"),
    *("xpath_table", "set_config", "lo_", "pg_read_", "pg_ls_", "pg_file_", "exec", "cron"),
    *("pg_terminate_", "pg_execute", "database_to_", "schedule", "aws_lambda", "aws_s3"),
)
_OWN_SCHEMAS = ("pg_catalog", "information_schema")


@dataclass(frozen=True)
class Consequence:
    """One thing that a body does: the end of the sentence "it …"."""

    text: str
    undecided: bool = False


def named(database: Database, call: str) -> list[Function]:
    """The functions that a call may mean: the name alone can be of any schema."""
    return [
        function
        for name, function in database.functions.items()
        if (bare := name.partition("(")[0]) == call or bare.partition(".")[2] == call
    ]


def undecided_call(database: Database, call: str) -> str:
    """Why a call cannot be judged; empty if it can."""
    if named(database, call):
        return ""
    schema, _, name = call.rpartition(".")
    if schema in ("", *_OWN_SCHEMAS):
        if name.startswith(_RUNS_TEXT):
            return f"calls {call}, which may run or set anything"
        return ""
    return f"calls {call}, which is not defined here"


def consequences(
    database: Database, body: Body, seen: tuple[object, ...] = ()
) -> Iterator[Consequence]:
    """Each deletion that a body leads to, and each thing that cannot be decided."""
    if body in seen:
        return
    inner = (*seen, body)
    for reason in body.undecided:
        yield Consequence(reason, undecided=True)
    for event, table in body.actions:
        if event in _GONE:
            verb = {"DELETE": "deletes from", "TRUNCATE": "empties", "DROP": "drops"}[event]
            yield Consequence(f"{verb} {table}")
        yield from happening(database, event, table, inner)
    for call in body.calls:
        if reason := undecided_call(database, call):
            yield Consequence(reason, undecided=True)
        for function in named(database, call):
            for found in consequences(database, function.body, inner):
                yield Consequence(f"calls {function.object.name}, which {found.text}",
                                  found.undecided)  # fmt: skip


def happening(
    database: Database, event: str, table: str, seen: tuple[object, ...] = ()
) -> Iterator[Consequence]:
    """What rules and triggers of a relation do when `event` happens there."""
    relation = database.relations.get(table)
    if relation is None:
        return
    for one in written(database, relation):
        where = one.object.name
        for rule in one.rules:
            if rule.event == event:
                for found in consequences(database, rule.body, seen):
                    text = f"sets off the rule {rule.name} of {where}, which {found.text}"
                    yield Consequence(text, found.undecided)
        for trigger in one.triggers:
            if event in trigger.events:
                for function in named(database, trigger.function):
                    for found in consequences(database, function.body, seen):
                        text = f"sets off the trigger {trigger.name} of {where}, which {found.text}"
                        yield Consequence(text, found.undecided)


def written(database: Database, relation: Relation) -> list[Relation]:
    """What a change of a relation changes: itself, its partitions, what a view is a view of."""
    found = [relation]
    for one in found:
        name = one.object.name
        below = [child for child in database.relations.values() if name in child.parents]
        if one.writes_through:
            below += [database.relations[read] for read in one.reads if read in database.relations]
        found += [other for other in below if all(other is not known for known in found)]
    return found
