"""DO blocks, carried out: every statement in them once, those of a branch as if it were taken.

What a branch gives is given; what it takes away may still be there. So a REVOKE in an IF is not
counted, and what can be neither is not decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pglast import ast
from pglast.enums import AlterTableType, ObjectType

from ..database.model import Grant, Kind
from ..database.privileges import all_privileges
from .bodies import constants, executed, expression, json_nodes, plpgsql_tree
from .parsing import UnreadableError, statements
from .session import Session, UndecidableError, object_kind

Carry = Callable[[Session, Any], None]
_TAKING: Final = ("DropRoleStmt", "DropOwnedStmt", "CreateEventTrigStmt")
# In a branch they decide what comes after it.
_DECISIVE: Final = (
    *("AlterFunctionStmt", "AlterObjectSchemaStmt", "ReassignOwnedStmt", "RuleStmt"),
    *("TransactionStmt", "AlterOwnerStmt", "DoStmt"),
)
_NAMES_A_SESSION: Final = ("role", "session_authorization", "search_path")
_ROW_SECURITY: Final = (
    AlterTableType.AT_EnableRowSecurity,
    AlterTableType.AT_ForceRowSecurity,
    AlterTableType.AT_DropInherit,
    AlterTableType.AT_DetachPartition,
    AlterTableType.AT_EnableTrig,
    AlterTableType.AT_EnableTrigAll,
)


def run_block(session: Session, node: Any, carry: Carry) -> None:
    """Carry out a DO block. Raises `UndecidableError` for what cannot be followed at all."""
    options = {one.defname: str(one.arg.sval) for one in node.args}
    language = options.get("language", "plpgsql").lower()
    if language != "plpgsql":
        raise UndecidableError(f"is a DO block in {language}, whose effects are not followed")
    text = "DO '" + options["as"].replace("'", "''") + "'"
    try:
        tree = plpgsql_tree(text)
    except UnreadableError as error:
        raise UndecidableError(f"is a DO block that {error}") from None
    block = _Block(session, carry, constants(tree))
    for name, fields in json_nodes(tree):
        if name == "PLpgSQL_function":
            for _, variable in json_nodes(fields.get("datums", [])):
                block.evaluate(variable.get("default_val"))
            block.statement(cast("dict[str, Any]", fields.get("action", {})), certain=True)
            return


@dataclass
class _Block:
    session: Session
    carry: Carry
    constants: Mapping[str, str]

    def statements(self, body: object, *, certain: bool) -> None:
        for one in cast("list[dict[str, Any]]", body or []):
            self.statement(one, certain=certain)

    def statement(self, one: Mapping[str, Any], *, certain: bool) -> None:
        for name, fields in one.items():
            self._carry(name.removeprefix("PLpgSQL_stmt_"), fields, certain=certain)

    def _carry(self, kind: str, fields: Mapping[str, Any], *, certain: bool) -> None:
        if kind == "execsql":
            self._static(fields["sqlstmt"], certain=certain)
        elif kind in ("dynexecute", "dynfors") or "dynquery" in fields:
            query = fields.get("dynquery") if "dynquery" in fields else fields.get("query")
            found = executed(query, self.constants)
            if found is None:
                self._refuse("is a DO block that runs dynamic SQL (EXECUTE)")
            for node in found or []:
                self.run(node, certain=certain)
            self.statements(fields.get("body"), certain=False)
        elif kind == "rollback":
            self._refuse("is a DO block with a ROLLBACK, which undoes what is read before")
        elif kind == "block":
            caught = "exceptions" in fields
            self.statements(fields.get("body"), certain=certain and not caught)
            for _, handler in json_nodes(fields.get("exceptions", {})):
                self.statements(handler.get("action"), certain=False)
        else:
            self._inside(fields)

    def _inside(self, fields: Mapping[str, Any]) -> None:
        """Expressions, and the branches of IF, CASE and loops."""
        for key, value in fields.items():
            if key in ("then_body", "else_body", "else_stmts", "body", "stmts"):
                self.statements(value, certain=False)
            elif key in ("elsif_list", "case_when_list"):
                for _, branch in json_nodes(value):
                    self._inside(branch) if "parseMode" not in branch else None
            elif isinstance(value, dict) and "PLpgSQL_expr" in value:
                self.evaluate(cast("object", value))
            elif isinstance(value, list):
                for item in cast("list[object]", value):
                    self.evaluate(item)

    def evaluate(self, value: object) -> None:
        """An expression calls functions; a query of a loop may do more."""
        inner = cast("Any", value or {}).get("PLpgSQL_expr") if isinstance(value, dict) else None
        if inner is None:
            return
        if inner.get("parseMode", 0) == 0:
            self._static(cast("Mapping[str, Any]", value), certain=False)
        elif (node := expression(inner)) is not None:
            self.carry(self.session, ast.SelectStmt(targetList=(ast.ResTarget(val=node),)))
        else:
            self._refuse(f'is a DO block with "{str(inner.get("query"))[:60]}", which is not read')

    def _static(self, value: Mapping[str, Any], *, certain: bool) -> None:
        query = str(value["PLpgSQL_expr"].get("query", ""))
        try:
            found = [one.node for one in statements(query)]
        except UnreadableError:
            self._refuse(f'is a DO block with "{query[:60]}", which cannot be parsed')
            return
        for node in found:
            self.run(node, certain=certain)

    def run(self, node: Any, *, certain: bool) -> None:
        """A statement of the block, certain to happen or not."""
        if certain:
            self.carry(self.session, node)
        else:
            maybe(self.session, node, self.carry)

    def _refuse(self, reason: str) -> None:
        self.session.note("db-sql-decidable", reason)


def maybe(session: Session, node: Any, carry: Carry) -> None:
    """Carry out what a statement gives; what it takes away is left."""
    kind = type(node).__name__
    if kind in ("GrantStmt", "GrantRoleStmt") and not node.is_grant:
        return
    if kind == "AlterDefaultPrivilegesStmt" and not node.action.is_grant:
        return
    if kind == "VariableSetStmt" and (node.name or "").lower() not in _NAMES_A_SESSION:
        carry(session, node)
    elif kind in (*_DECISIVE, "VariableSetStmt") or _replaces(session, node):
        _undecided(session, f"is a {kind.removesuffix('Stmt')} that may or may not happen")
    elif kind in _TAKING:
        return
    elif kind == "AlterRoleStmt":
        kept = [one for one in node.options or () if getattr(one.arg, "boolval", True) is not False]
        _with(session, node, "options", tuple(kept), carry)
    elif kind == "AlterTableStmt":
        _alter_table(session, node, carry)
    elif kind == "DropStmt":
        _told(session, node, carry)
    elif kind == "RenameStmt":
        if node.renameType in (ObjectType.OBJECT_COLUMN, ObjectType.OBJECT_TABCONSTRAINT):
            carry(session, node)
        else:
            _undecided(session, "is a RENAME that may or may not happen")
    else:
        carry(session, node)


def _undecided(session: Session, reason: str) -> None:
    session.note("db-sql-decidable", f"has a branch of a DO block that {reason}")


def _replaces(session: Session, node: Any) -> bool:
    """Whether it is a function or trigger in the place of one that is there."""
    if isinstance(node, ast.CreateFunctionStmt):
        return session.function_name(node.funcname, node.parameters) in session.database.functions
    return False


def _with(session: Session, node: Any, key: str, value: tuple[Any, ...], carry: Carry) -> None:
    if not value:
        return
    whole = getattr(node, key)
    setattr(node, key, value)
    carry(session, node)
    setattr(node, key, whole)


def _alter_table(session: Session, node: Any, carry: Carry) -> None:
    kept = [one for one in node.cmds or () if one.subtype not in _ROW_SECURITY]
    owners = [one for one in kept if one.subtype == AlterTableType.AT_ChangeOwner]
    if owners and object_kind(node.objtype) is not Kind.OTHER:
        relation = session.relation(session.relation_name(node.relation))
        for one in owners:
            role = session.role_name(one.newowner)
            for privilege in all_privileges(relation.object):
                session.database.add(
                    Grant(role, privilege, relation.object, relation.owner, session.place, True)
                )
    _with(session, node, "cmds", tuple(one for one in kept if one not in owners), carry)


def _told(session: Session, node: Any, carry: Carry) -> None:
    """What it drops is told of, and stays."""
    whole = session.database
    session.database = whole.copied()
    carry(session, node)
    session.database = whole
