"""Is a workload's check a question and nothing more? Judged on its syntax tree, before any update.

A check runs in a read-only transaction too. What is refused here is what such a transaction would
only refuse in the night of the restore, or not at all: signals, files, other servers.
Needs pglast, which the functions do not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workloads.contract import RestoreCheck, WorkloadContract

# PostgreSQL 17 documentation, 9.28 System Administration Functions, 9.17 Sequence Manipulation,
# 33.4 Server-Side Functions (large objects), 9.29 Notifications; extensions dblink and aws_s3.
_ACTING = frozenset(
    {
        *("nextval", "setval", "set_config", "pg_notify", "pg_sleep", "pg_sleep_for"),
        *("pg_sleep_until", "pg_cancel_backend", "pg_terminate_backend", "pg_reload_conf"),
        *("pg_rotate_logfile", "pg_promote", "pg_switch_wal", "pg_create_restore_point"),
        *("pg_backup_start", "pg_backup_stop", "pg_logical_emit_message", "pg_stat_reset"),
        *("pg_read_file", "pg_read_binary_file", "pg_ls_dir", "pg_stat_file", "query_to_xml"),
        *("pg_stat_statements_reset", "txid_current", "pg_current_xact_id"),
    }
)
_ACTING_PREFIXES = (
    *("lo_", "lowrite", "dblink", "aws_", "pg_advisory", "pg_try_advisory"),
    *("pg_create_", "pg_drop_", "pg_replication_", "pg_wal_replay_", "pg_import_", "pg_stat_reset"),
)


def refusals(contract: WorkloadContract) -> list[str]:
    """One line for each check that is not a single SELECT which only reads."""
    return [
        f"checks: {check.name!r} refused, {reason}"
        for check in contract.checks
        for reason in _reasons(check)
    ]


def _reasons(check: RestoreCheck) -> Iterator[str]:
    from pglast import ast, parse_sql
    from pglast.parser import ParseError

    if "\0" in check.query:
        yield "its query has a NUL character; take it out"
        return
    try:
        statements = parse_sql(check.query)
    except (ParseError, ValueError, RecursionError) as error:
        yield f"its query cannot be parsed ({str(error)[:120]}); correct it"
        return
    if len(statements) != 1:
        yield f"its query has {len(statements)} statements; make a check of each"
        return
    if not isinstance(statements[0].stmt, ast.SelectStmt):
        kind = type(statements[0].stmt).__name__.removesuffix("Stmt").upper()
        yield f"its query is {kind}; a check only asks: write a SELECT"
        return
    found = [what for node in _inside(statements[0].stmt) for what in _does(node)]
    for reason in dict.fromkeys(found):
        yield f"{reason}; a check only asks"


def _does(node: Any) -> Iterator[str]:
    """What a node of the tree does beyond reading."""
    from pglast import ast

    if isinstance(node, ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt):
        yield "it changes rows"
    elif isinstance(node, ast.IntoClause):
        yield "SELECT INTO makes a table"
    elif isinstance(node, ast.LockingClause):
        yield "it locks rows (FOR UPDATE or FOR SHARE)"
    elif isinstance(node, ast.FuncCall) and node.funcname:
        name = str(getattr(node.funcname[-1], "sval", "")).lower()
        if name in _ACTING or name.startswith(_ACTING_PREFIXES):
            yield f"{name}() does more than read"


def _inside(node: Any) -> Iterator[Any]:
    """A node of pglast and all inside it, however deep."""
    from pglast import ast

    if isinstance(node, tuple):
        for one in node:  # pyright: ignore[reportUnknownVariableType]
            yield from _inside(one)
    elif isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from _inside(getattr(node, name))
