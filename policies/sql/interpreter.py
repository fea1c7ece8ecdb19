"""Carries out the statements of migrations, in their order, on the model of a database.

Every type of statement is either followed, or known to change neither privileges nor data, or
undecidable: nothing is skipped because nobody thought of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..database.bodies import consequences
from ..database.model import Place
from . import access, objects
from .bodies import of_nodes, statement_name
from .parsing import UnreadableError, statements
from .session import Session, UndecidableError

UNDECIDABLE_RULE: Final = "db-sql-decidable"
_Handler = Callable[[Session, Any], object]

_FOLLOWED: Final[dict[str, _Handler]] = {
    "AlterDefaultPrivilegesStmt": access.default_privileges,
    "AlterFunctionStmt": objects.alter_function,
    "AlterObjectSchemaStmt": objects.set_schema,
    "AlterOwnerStmt": access.alter_owner,
    "AlterPolicyStmt": objects.create_policy,
    "AlterRoleStmt": access.alter_role,
    "AlterTableStmt": objects.alter_table,
    "CreateExtensionStmt": objects.create_extension,
    "CreateFunctionStmt": objects.create_function,
    "CreatePolicyStmt": objects.create_policy,
    "CreateRoleStmt": access.create_role,
    "CreateSeqStmt": objects.create_sequence,
    "CreateStmt": objects.create_table,
    "CreateTableAsStmt": objects.create_table_as,
    "CreateTrigStmt": objects.create_trigger,
    "DropOwnedStmt": access.drop_owned,
    "DropRoleStmt": access.drop_role,
    "DropStmt": objects.drop,
    "GrantRoleStmt": access.grant_role,
    "GrantStmt": access.grant_privileges,
    "ReassignOwnedStmt": access.reassign_owned,
    "RenameStmt": objects.rename,
    "RuleStmt": objects.create_rule,
    "TransactionStmt": access.end_transaction,
    "VariableSetStmt": access.set_variable,
    "ViewStmt": objects.create_view,
}
_QUERIES: Final = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CallStmt")
# They change neither who may do what nor rows.
_HARMLESS: Final = frozenset(
    {
        *("AlterCollationStmt", "AlterDomainStmt", "AlterEnumStmt", "AlterSeqStmt"),
        *("AlterStatsStmt", "AlterTSDictionaryStmt", "AlterTSConfigurationStmt", "AlterTypeStmt"),
        *("CheckPointStmt", "ClusterStmt", "CommentStmt", "CompositeTypeStmt"),
        *("ConstraintsSetStmt", "CreateDomainStmt", "CreateEnumStmt", "CreateRangeStmt"),
        *("CreateStatsStmt", "IndexStmt", "LockStmt", "NotifyStmt", "RefreshMatViewStmt"),
        *("ReindexStmt", "VacuumStmt", "VariableShowStmt"),
    }
)
# Why other statements cannot be followed; the rest are "no statement that is known here".
_REASONS: Final = {
    "DoStmt": "is a DO block, whose effects are not followed",
    "ExecuteStmt": "runs a prepared statement",
    "PrepareStmt": "prepares a statement",
    "CopyStmt": "is a COPY, which reads or writes outside the database",
    "LoadStmt": "loads a library into the server",
    "CreateEventTrigStmt": "makes an event trigger, which runs at every change",
    "CreateForeignServerStmt": "opens another server",
    "CreateUserMappingStmt": "logs in to another server",
    "CreateForeignTableStmt": "makes a table of another server",
    "CreatePLangStmt": "adds a language",
    "CreateSubscriptionStmt": "lets another server write here",
    "AlterRoleSetStmt": "sets what every session of a role begins with",
    "AlterDatabaseSetStmt": "sets what every session begins with",
    "AlterSystemStmt": "changes the server",
    "SecLabelStmt": "sets a security label",
    "DefineStmt": "defines an operator, aggregate or type of functions",
    "CreateCastStmt": "makes a cast, which calls a function unseen",
    "DiscardStmt": "resets the session",
    "ExplainStmt": "may carry out the statement that it explains",
}


@dataclass(frozen=True)
class SqlFile:
    """A migration: its name, as places have it, and its text."""

    name: str
    text: str


def run(session: Session, files: Sequence[SqlFile], *, fresh_session_per_file: bool) -> None:
    """Carry out files one after the other.

    What cannot be followed is noted under `UNDECIDABLE_RULE`; the rest goes on, so that all of it
    is told at once. With `fresh_session_per_file` each file begins as the runner, as a migration
    function does it; otherwise SET ROLE and search_path hold over all files.
    """
    for file in files:
        if fresh_session_per_file:
            session.reset()
        session.place = Place(file.name, 1)
        try:
            parsed = list(statements(file.text))
        except UnreadableError as error:
            session.place = Place(file.name, error.line)
            session.note(UNDECIDABLE_RULE, str(error))
            continue
        for one in parsed:
            session.place = Place(file.name, one.line)
            _carry_out(session, one.node)


def _carry_out(session: Session, node: Any) -> None:
    kind = type(node).__name__
    try:
        if kind == "CreateSchemaStmt":
            schema, inside = access.create_schema(session, node)
            outside = session.search_path
            session.search_path = (schema, *outside)
            for inner in inside:
                _carry_out(session, inner)
            session.search_path = outside
        elif kind in _FOLLOWED:
            _FOLLOWED[kind](session, node)
            if kind == "CreateTableAsStmt":
                _query(session, node.query)
        elif kind in _QUERIES:
            _query(session, node)
        elif kind == "TruncateStmt":
            for table in node.relations:
                found = f"empties {session.relation_name(table)}"
                session.note(objects.KEEP_RULE, found)
        elif kind not in _HARMLESS:
            name = statement_name(node)
            raise UndecidableError(
                _REASONS.get(kind, f"is {name}, no statement that is known here")
            )
    except UndecidableError as error:
        session.note(UNDECIDABLE_RULE, str(error))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # A shape of the statement that the handler does not expect must not pass.
        reason = f"has a form of {statement_name(node)} that is not known ({type(error).__name__})"
        session.note(UNDECIDABLE_RULE, reason)


def _query(session: Session, node: Any) -> None:
    """A query runs once, as whoever applies the migration: it must not do what cannot be seen."""
    into = getattr(node, "intoClause", None)
    if into is not None:
        session.new_relation(into.rel)
    body = of_nodes((node,), session.relation_name)
    for table in dict.fromkeys(table for event, table in body.actions if event == "DELETE"):
        session.note(objects.KEEP_RULE, f"deletes from {table}")
    for end in consequences(session.database, body):
        if end.undecided:
            session.note(UNDECIDABLE_RULE, end.text)
