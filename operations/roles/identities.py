"""The roles themselves: existence, attributes, settings and memberships."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from operations.errors import OperationError
from operations.roles.ledger import Ledger
from workloads.contract import Role, RoleManifest


@dataclass(frozen=True)
class _Membership:
    """`member` belongs to `group`; the options are those of PostgreSQL 16 and later."""

    group: str
    member: str
    inherit: bool
    set_role: bool


def reconcile(ledger: Ledger, manifest: RoleManifest) -> None:
    """Create what is missing, correct what differs, and retire roles that left the manifest."""
    for role in manifest.roles:
        _reconcile_role(ledger, manifest, role.name, login=False, connection_limit=-1)
        _reconcile_settings(ledger, role.name, {})
        if role.login:
            for user in role.users:
                limit = role.connection_limit
                _reconcile_role(ledger, manifest, user, login=True, connection_limit=limit)
                _reconcile_settings(ledger, user, _settings(manifest, role))
    _retire(ledger, manifest)
    _reconcile_memberships(ledger, manifest)
    _let_master_act_as_owner(ledger, manifest.owner.name)
    _let_master_inherit_nothing(ledger, manifest)


def managed_names(manifest: RoleManifest) -> list[str]:
    """Every role that the manifest stands for: groups and their login users."""
    groups = [role.name for role in manifest.roles]
    return groups + [user for role in manifest.login_roles for user in role.users]


def _mark(manifest: RoleManifest) -> str:
    return f"pgkeep: role of workload {manifest.workload}"


def _reconcile_role(
    ledger: Ledger, manifest: RoleManifest, name: str, *, login: bool, connection_limit: int
) -> None:
    rows = ledger.rows(
        """SELECT rolcanlogin, rolinherit, rolconnlimit, rolcreatedb, rolcreaterole,
                  coalesce(rolvaliduntil, 'infinity') = 'infinity',
                  rolsuper, rolreplication, rolbypassrls, shobj_description(oid, 'pg_authid')
             FROM pg_roles WHERE rolname = %s""",
        name,
    )
    wanted = sql.SQL("{} {} INHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT {}").format(
        sql.Identifier(name),
        sql.SQL("LOGIN" if login else "NOLOGIN"),
        sql.Literal(connection_limit),
    )
    comment = None
    if not rows:
        ledger.change(f"create role {name}", sql.SQL("CREATE ROLE {}").format(wanted))
    else:
        attributes, powers, comment = rows[0][:6], rows[0][6:9], rows[0][9]
        if any(powers):
            raise OperationError(
                f"role {name} has SUPERUSER, REPLICATION or BYPASSRLS, which a workload's role "
                "must not have and RDS does not let the master take away; drop it and run again"
            )
        if attributes != (login, True, connection_limit, False, False, True):
            # A password past its end is refused like a wrong one.
            ledger.change(
                f"alter role {name}",
                sql.SQL("ALTER ROLE {} VALID UNTIL 'infinity'").format(wanted),
            )
    if comment != _mark(manifest):
        ledger.change(
            f"comment on role {name}",
            sql.SQL("COMMENT ON ROLE {} IS {}").format(
                sql.Identifier(name), sql.Literal(_mark(manifest))
            ),
        )


def _settings(manifest: RoleManifest, role: Role) -> dict[str, str]:
    settings = {
        "search_path": manifest.schema_name,
        "statement_timeout": f"{role.statement_timeout_seconds}s",
        "lock_timeout": f"{role.lock_timeout_seconds}s",
        "idle_in_transaction_session_timeout": (
            f"{role.idle_in_transaction_session_timeout_seconds}s"
        ),
    }
    if role.kind == "migrator":
        # Whatever a migration tool creates belongs to the owner, also when it knows nothing of it.
        settings["role"] = manifest.owner.name
    return settings


def _reconcile_settings(ledger: Ledger, name: str, wanted: dict[str, str]) -> None:
    rows = ledger.rows(
        """SELECT d.datname, s.setconfig
             FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
             LEFT JOIN pg_database d ON d.oid = s.setdatabase
            WHERE r.rolname = %s""",
        name,
    )
    role = sql.Identifier(name)
    present: dict[str, str] = {}
    for database, settings in rows:
        if database is None:
            present = dict(setting.split("=", 1) for setting in settings)
            # PostgreSQL quotes names in lists where they are its own key words.
            present = {one: value.strip('"') for one, value in present.items()}
        else:
            ledger.change(
                f"reset settings of role {name} in database {database}",
                sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(
                    role, sql.Identifier(database)
                ),
            )
    for setting in sorted(present.keys() - wanted.keys()):
        ledger.change(
            f"reset {setting} of role {name}",
            sql.SQL("ALTER ROLE {} RESET {}").format(role, sql.Identifier(setting)),
        )
    for setting, value in wanted.items():
        if present.get(setting) != value:
            ledger.change(
                f"set {setting} of role {name} to {value}",
                sql.SQL("ALTER ROLE {} SET {} = {}").format(
                    role, sql.Identifier(setting), sql.Literal(value)
                ),
            )


def _wanted_memberships(manifest: RoleManifest) -> set[_Membership]:
    wanted: set[_Membership] = set()
    for role in manifest.roles:
        acts_as_owner = role.kind == "migrator"
        for parent in role.member_of:
            # The migrator becomes the owner only by SET ROLE; a predefined role is only inherited.
            is_owner = parent == manifest.owner.name
            wanted.add(_Membership(parent, role.name, inherit=not is_owner, set_role=is_owner))
        if role.login:
            # SET ROLE walks a chain in which every link allows it.
            wanted |= {
                _Membership(role.name, user, inherit=True, set_role=acts_as_owner)
                for user in role.users
            }
    return wanted


def _reconcile_memberships(ledger: Ledger, manifest: RoleManifest) -> None:
    managed = managed_names(manifest)
    rows = ledger.rows(
        """SELECT g.rolname, m.rolname, a.inherit_option, a.set_option, a.admin_option, b.rolname
             FROM pg_auth_members a
             JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
             JOIN pg_roles b ON b.oid = a.grantor
            WHERE (g.rolname = ANY(%s) OR m.rolname = ANY(%s)) AND m.rolname <> current_user""",
        managed,
        managed,
    )
    wanted = _wanted_memberships(manifest)
    present: set[_Membership] = set()
    for group, member, inherit, set_role, admin, grantor in rows:
        membership = _Membership(group, member, inherit, set_role)
        if membership in wanted and not admin:
            present.add(membership)
            continue
        ledger.change(
            f"revoke membership of {member} in {group}",
            sql.SQL("REVOKE {} FROM {} GRANTED BY {} CASCADE").format(
                sql.Identifier(group), sql.Identifier(member), sql.Identifier(grantor)
            ),
        )
    for membership in sorted(wanted - present, key=lambda item: (item.group, item.member)):
        ledger.change(
            f"grant membership of {membership.member} in {membership.group}",
            sql.SQL("GRANT {} TO {} WITH INHERIT {}, SET {}, ADMIN FALSE").format(
                sql.Identifier(membership.group),
                sql.Identifier(membership.member),
                sql.SQL("TRUE" if membership.inherit else "FALSE"),
                sql.SQL("TRUE" if membership.set_role else "FALSE"),
            ),
        )


def _let_master_act_as_owner(ledger: Ledger, owner: str) -> None:
    """The RDS master is no superuser: it needs SET on the owner to grant in the owner's name."""
    if not ledger.value("SELECT pg_has_role(current_user, %s, 'SET')", owner):
        ledger.change(
            f"let the master user act as {owner}",
            sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE").format(
                sql.Identifier(owner)
            ),
        )


def _let_master_inherit_nothing(ledger: Ledger, manifest: RoleManifest) -> None:
    """A restore has the master inherit from the roles while it works, and a killed one for good."""
    rows = ledger.rows(
        """SELECT g.rolname
             FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid
            WHERE g.rolname = ANY(%s) AND a.inherit_option
              AND a.member = current_user::regrole AND a.grantor = a.member
              AND NOT EXISTS (SELECT FROM pg_stat_activity
                               WHERE application_name LIKE 'pgkeep restore%%')
            ORDER BY g.rolname""",
        managed_names(manifest),
    )
    for (name,) in rows:
        ledger.change(
            f"let the master user inherit nothing from {name}",
            sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE").format(sql.Identifier(name)),
        )


def _retire(ledger: Ledger, manifest: RoleManifest) -> None:
    """Roles of this workload that left its manifest can no longer log in or reach anything."""
    rows = ledger.rows(
        """SELECT r.rolname, r.rolcanlogin FROM pg_roles r
            WHERE shobj_description(r.oid, 'pg_authid') = %s AND r.rolname <> ALL(%s)
            ORDER BY r.rolname""",
        _mark(manifest),
        managed_names(manifest),
    )
    for name, can_login in rows:
        if can_login:
            ledger.change(
                f"retire role {name} (no login)",
                sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(name)),
            )
        for group, grantor in ledger.rows(
            """SELECT g.rolname, b.rolname
                 FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid
                 JOIN pg_roles m ON m.oid = a.member JOIN pg_roles b ON b.oid = a.grantor
                WHERE m.rolname = %s""",
            name,
        ):
            ledger.change(
                f"revoke membership of {name} in {group}",
                sql.SQL("REVOKE {} FROM {} GRANTED BY {} CASCADE").format(
                    sql.Identifier(group), sql.Identifier(name), sql.Identifier(grantor)
                ),
            )
