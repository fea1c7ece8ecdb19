"""Carries out the statements of migrations, in their order, on the model of a database.

Every type of statement is either followed, or known to change neither privileges nor data, or
undecidable: nothing is skipped because nobody thought of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pglast import ast
from pglast.enums import TransactionStmtKind

from ..database.bodies import consequences
from ..database.model import Kind, Object, Place
from . import access, drops, functions, objects, roles, settings
from .blocks import run_block
from .bodies import of_nodes, statement_name, walk
from .parsing import Statement, UnreadableError, statements
from .psql import directions, goes_back, goes_forward, prepared
from .session import Session, UndecidableError

UNDECIDABLE_RULE: Final = "db-sql-decidable"
_Handler = Callable[[Session, Any], object]

_FOLLOWED: Final[dict[str, _Handler]] = {
    "AlterDatabaseSetStmt": settings.database_setting,
    "AlterDefaultPrivilegesStmt": access.default_privileges,
    "AlterFunctionStmt": functions.alter_function,
    "AlterObjectSchemaStmt": drops.set_schema,
    "AlterOwnerStmt": access.alter_owner,
    "AlterPolicyStmt": objects.create_policy,
    "AlterRoleSetStmt": settings.role_setting,
    "AlterRoleStmt": roles.alter_role,
    "AlterSystemStmt": settings.system_setting,
    "AlterTableStmt": objects.alter_table,
    "CreateCastStmt": functions.create_cast,
    "CreateEventTrigStmt": functions.create_event_trigger,
    "CreateExtensionStmt": objects.create_extension,
    "CreateFunctionStmt": functions.create_function,
    "CreatePolicyStmt": objects.create_policy,
    "CreateRoleStmt": roles.create_role,
    "CreateSeqStmt": objects.create_sequence,
    "CreateStmt": objects.create_table,
    "CreateTrigStmt": objects.create_trigger,
    "DefineStmt": functions.define,
    "DiscardStmt": settings.discard,
    "DropOwnedStmt": access.drop_owned,
    "DropRoleStmt": roles.drop_role,
    "DropStmt": drops.drop,
    "GrantRoleStmt": roles.grant_role,
    "GrantStmt": access.grant_privileges,
    "ReassignOwnedStmt": access.reassign_owned,
    "RenameStmt": drops.rename,
    "RuleStmt": objects.create_rule,
    "TransactionStmt": access.transaction,
    "VariableSetStmt": settings.set_variable,
    "ViewStmt": objects.create_view,
}
_QUERIES: Final = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CallStmt")
# They change neither who may do what nor rows.
_HARMLESS: Final = frozenset(
    {
        *("AlterCollationStmt", "AlterDatabaseStmt", "AlterDomainStmt", "AlterEnumStmt"),
        *("AlterExtensionStmt", "AlterObjectDependsStmt", "AlterOpFamilyStmt", "AlterOperatorStmt"),
        *("AlterPublicationStmt", "AlterSeqStmt", "AlterStatsStmt", "AlterTSConfigurationStmt"),
        *("AlterTSDictionaryStmt", "AlterTypeStmt", "CheckPointStmt", "ClusterStmt", "CommentStmt"),
        *("CompositeTypeStmt", "ConstraintsSetStmt", "CreateConversionStmt", "CreateDomainStmt"),
        *("CreateEnumStmt", "CreateOpClassStmt", "CreateOpFamilyStmt", "CreatePublicationStmt"),
        *("CreateRangeStmt", "CreateStatsStmt", "CreatedbStmt", "IndexStmt", "ListenStmt"),
        *("LockStmt", "NotifyStmt", "RefreshMatViewStmt", "ReindexStmt", "UnlistenStmt"),
        *("VacuumStmt", "VariableShowStmt", "DeallocateStmt"),
    }
)
_ROLLBACKS: Final = (
    TransactionStmtKind.TRANS_STMT_ROLLBACK,
    TransactionStmtKind.TRANS_STMT_ROLLBACK_TO,
)
# Why other statements cannot be followed; the rest are "no statement that is known here".
_REASONS: Final = {
    "ExecuteStmt": "runs a prepared statement",
    "PrepareStmt": "prepares a statement",
    "LoadStmt": "loads a library into the server",
    "CreateForeignServerStmt": "opens another server",
    "CreateUserMappingStmt": "logs in to another server",
    "CreateForeignTableStmt": "makes a table of another server",
    "ImportForeignSchemaStmt": "makes tables of another server",
    "CreatePLangStmt": "adds a language",
    "CreateSubscriptionStmt": "lets another server write here",
    "AlterSubscriptionStmt": "lets another server write here",
    "SecLabelStmt": "sets a security label",
    "AlterEventTrigStmt": "switches an event trigger",
    "AlterExtensionContentsStmt": "changes what belongs to an extension",
    "DropdbStmt": "drops a database",
}
# What migration tools keep about themselves; they delete from it when they merge or undo.
_BOOKKEEPING: Final = frozenset(
    {
        *("alembic_version", "ar_internal_metadata", "databasechangelog", "databasechangeloglock"),
        *("django_migrations", "__drizzle_migrations", "flyway_schema_history", "goose_db_version"),
        *("knex_migrations", "knex_migrations_lock", "_prisma_migrations", "schema_migrations"),
        *("__EFMigrationsHistory", "gorp_migrations", "typeorm_migrations", "_sqlx_migrations"),
    }
)


@dataclass(frozen=True)
class SqlFile:
    """A migration: its name, as places have it, and its text."""

    name: str
    text: str


def forward(files: Sequence[SqlFile]) -> tuple[list[SqlFile], list[SqlFile]]:
    """What files do going forward in their order, and going back in the other one.

    A file that by its name undoes another (x.down.sql beside x.up.sql) goes back, and so do the
    down sections of goose, dbmate and sql-migrate. One that stands alone is what it is.
    """
    beside = any(goes_forward(one.name) for one in files)
    ups: list[SqlFile] = []
    downs: list[SqlFile] = []
    for one in files:
        if beside and goes_back(one.name):
            downs.append(one)
            continue
        up, down = directions(one.text)
        ups.append(SqlFile(one.name, up))
        if down.strip():
            downs.append(SqlFile(one.name, down))
    return ups, downs[::-1]


def run(session: Session, files: Sequence[SqlFile], *, fresh_session_per_file: bool) -> None:
    """Carry out files one after the other.

    What cannot be followed is noted under `UNDECIDABLE_RULE`; the rest goes on, so that all of it
    is told at once. With `fresh_session_per_file` each file begins as the runner, as a migration
    function does it; otherwise SET ROLE and search_path hold over all files.
    """
    for file in files:
        if fresh_session_per_file:
            session.reset()
        sql = prepared(file.text)
        for reason, line in sql.undecided:
            session.place = Place(file.name, line)
            session.note(UNDECIDABLE_RULE, reason)
        session.place = Place(file.name, 1)
        try:
            parsed = list(statements(sql.text))
        except UnreadableError as error:
            session.place = Place(file.name, error.line)
            session.note(UNDECIDABLE_RULE, str(error))
            continue
        session.undoable |= any(_rolls_back(one) for one in parsed)
        for one in parsed:
            session.place = Place(file.name, one.line)
            _carry_out(session, one.node)


def _rolls_back(one: Statement) -> bool:
    return isinstance(one.node, ast.TransactionStmt) and one.node.kind in _ROLLBACKS


def _carry_out(session: Session, node: Any) -> None:
    kind = type(node).__name__
    handler = _FOLLOWED.get(kind) or _RUN.get(kind)
    try:
        if handler is not None:
            handler(session, node)
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


def _schema(session: Session, node: Any) -> None:
    schema, inside = access.create_schema(session, node)
    outside = session.role, session.search_path
    # What stands inside is made by the schema's owner (CreateSchemaCommand).
    owner = session.database.owners[Object(Kind.SCHEMA, schema)]
    session.role, session.search_path = owner, (schema, *session.search_path)
    for inner in inside:
        _carry_out(session, inner)
    session.role, session.search_path = outside


def _table_as(session: Session, node: Any) -> None:
    objects.create_table_as(session, node)
    _query(session, node.query)


def _explain(session: Session, node: Any) -> None:
    if any(one.defname == "analyze" for one in node.options or ()):
        _query(session, node.query)


def _truncate(session: Session, node: Any) -> None:
    for table in map(session.relation_name, node.relations):
        if not table.startswith("pg_temp."):
            session.note(objects.KEEP_RULE, f"empties {table}")


def _block(session: Session, node: Any) -> None:
    run_block(session, node, _carry_out)


def _copy(session: Session, node: Any) -> None:
    """COPY: rows from the client are an INSERT, rows to it a SELECT; the server's files are not."""
    if node.is_program or node.filename:
        raise UndecidableError("is a COPY, which reads or writes outside the database")
    if node.query is not None:
        _query(session, node.query)
    elif node.is_from:
        _query(session, ast.InsertStmt(relation=node.relation))


def _query(session: Session, node: Any) -> None:
    """A query runs once, as whoever applies the migration: it must not do what cannot be seen."""
    into = getattr(node, "intoClause", None)
    if into is not None:
        session.new_relation(into.rel)
    for call in [one for one in walk(node) if isinstance(one, ast.FuncCall)]:
        if settings.configured(session, call):
            call.funcname = (ast.String("pg_catalog"), ast.String("current_setting"))
    body = of_nodes((node,), session.relation_name)
    for table in dict.fromkeys(table for event, table in body.actions if event == "DELETE"):
        bare = table.rpartition(".")[2]
        if not table.startswith("pg_temp.") and bare not in _BOOKKEEPING:
            session.note(objects.KEEP_RULE, f"deletes from {table}")
    for end in consequences(session.database, body):
        if end.undecided:
            session.note(UNDECIDABLE_RULE, end.text)


_RUN: Final[dict[str, _Handler]] = {
    **dict.fromkeys(_QUERIES, _query),
    "CopyStmt": _copy,
    "CreateSchemaStmt": _schema,
    "CreateTableAsStmt": _table_as,
    "DoStmt": _block,
    "ExplainStmt": _explain,
    "TruncateStmt": _truncate,
}
