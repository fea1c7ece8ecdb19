"""Statements about what a session, a role or the database is set to."""

from __future__ import annotations

from typing import Any, Final

from pglast import ast
from pglast.enums import DiscardMode, VariableSetKind

from ..database.model import ANY_NAME, LIMITS
from ..database.reach import is_application
from .session import Session, UndecidableError

_TIMEOUT: Final = LIMITS[2]
_IDENTITY: Final = ("role", "session_authorization")
# Settings that decide what a session runs, sees or leaves out; the others are about speed,
# formats, logs and limits. https://www.postgresql.org/docs/17/runtime-config.html
_DECISIVE: Final = frozenset(
    {
        *("role", "session_authorization", "session_preload_libraries", "search_path"),
        *("local_preload_libraries", "shared_preload_libraries", "dynamic_library_path"),
        *("jit_provider", "archive_command", "restore_command", "archive_library", "hba_file"),
        *("ident_file", "ssl", "ssl_ca_file", "ssl_cert_file", "ssl_key_file", "ssl_passphrase_"
          "command", "session_replication_role", "row_security", "fsync", "full_page_writes"),
        *("allow_system_table_mods", "listen_addresses", "primary_conninfo"),
        *("password_encryption", "createrole_self_grant", "event_triggers"),
    }
)  # fmt: skip


def set_variable(session: Session, node: Any) -> None:
    """SET and RESET of who acts and where names are looked up."""
    name = (node.name or "").lower()
    if node.kind == VariableSetKind.VAR_RESET_ALL:
        session.search_path = session.initial_path
        return
    values = [str(_plain(one)) for one in node.args or ()]
    default = node.kind != VariableSetKind.VAR_SET_VALUE
    assign(session, name, values, default=default, local=bool(node.is_local))


def assign(
    session: Session, name: str, values: list[str], *, default: bool = False, local: bool = False
) -> None:
    """What SET and set_config() come to; `default` for RESET and SET … TO DEFAULT."""
    if name == "session_replication_role" and values[:1] not in (["origin"], []):
        raise UndecidableError("switches triggers off (session_replication_role)")
    if name not in ("search_path", *_IDENTITY):
        return
    if ANY_NAME in values:
        raise UndecidableError(f"sets {name} to a name that is not known")
    if local and session.local is None:
        session.local = (session.role, session.search_path)
    if name == "search_path":
        path = tuple(one for one in values if one not in ("$user", ""))
        session.search_path = session.initial_path if default else path
        return
    # In the migrations' own session the login role is the runner, or may be it.
    back = default or values[:1] in (["none"], ["default"], [])
    session.role = session.runner if back else values[0]


def configured(session: Session, call: Any) -> bool:
    """Whether a call is set_config() with constants, which is then carried out as the SET it is."""
    if str(call.funcname[-1].sval) != "set_config" or len(call.args or ()) != 3:
        return False
    name, value = (_constant(one) for one in call.args[:2])
    if name is None or (value is None and name.lower() in ("search_path", *_IDENTITY)):
        return False
    local = getattr(getattr(call.args[2], "val", None), "boolval", False)
    values = [one.strip().strip('"') for one in (value or "").split(",")]
    assign(session, name.lower(), values, local=bool(local))
    return True


def _constant(node: Any) -> str | None:
    value = node.val if isinstance(node, ast.A_Const) else None
    return str(value.sval) if isinstance(value, ast.String) else None


def role_setting(session: Session, node: Any) -> None:
    """ALTER ROLE … SET: what every session of a role begins with."""
    name = session.role_name(node.role) if node.role is not None else ""
    limits = session.database.limits if not name else session.database.role(
        name, session.place
    ).limits  # fmt: skip
    _kept(session, node.setstmt, limits, "what every session of a role begins with", name)


def database_setting(session: Session, node: Any) -> None:
    """ALTER DATABASE … SET: what every session begins with."""
    _kept(session, node.setstmt, session.database.limits, "what every session begins with")


def system_setting(session: Session, node: Any) -> None:
    """ALTER SYSTEM SET: of the server."""
    _kept(session, node.setstmt, session.database.limits, "the server")


def _kept(session: Session, setting: Any, limits: set[str], where: str, role: str = "") -> None:
    name = (setting.name or "").lower()
    given = setting.kind == VariableSetKind.VAR_SET_VALUE
    values = [str(_plain(one)) for one in setting.args or ()] if given else []
    if name == _TIMEOUT:
        # 0 means without a limit; a value without a unit is in milliseconds.
        (limits.add if values and values[0].strip("0smind hu") else limits.discard)(_TIMEOUT)
    elif name == "search_path" and given:
        if ANY_NAME in values:
            raise UndecidableError(f"sets search_path of {where} to a name that is not known")
    elif name == "pgaudit.role" and given:
        session.database.audit_role = values[0]
    elif name == "role" and role and not is_application(session.database, role, frozenset()):
        return  # A migrator that begins as the owner.
    elif given and name in _DECISIVE:
        raise UndecidableError(f"sets {name}, {where}")


def _plain(node: Any) -> object:
    value = getattr(node, "val", node)
    return next(
        (
            item
            for key in ("sval", "ival", "fval")
            if (item := getattr(value, key, None)) is not None
        ),
        "",
    )


def discard(session: Session, node: Any) -> None:
    """DISCARD: ALL is a new session of the same login."""
    if node.target == DiscardMode.DISCARD_ALL:
        session.reset()
