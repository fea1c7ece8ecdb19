"""Privileges on the database, the schema and its objects: exactly the manifest's, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString, cast

from psycopg import sql

from operations.errors import OperationError
from operations.roles import row_security
from operations.roles.ledger import Ledger, names
from workloads.contract import Grant, ObjectType, Role, RoleSet

PUBLIC = "PUBLIC"
#: The migrations' own record; no role but the owner may touch it.
MIGRATIONS_TABLE = "pgkeep_migrations"

_NO_PREFIX = sql.SQL("")
_DEFAULT_ACL_TYPES: dict[str, ObjectType] = {"r": "table", "S": "sequence"}
# https://www.postgresql.org/docs/17/catalog-pg-default-acl.html
_DEFAULT_ACL_KINDS = {
    "r": "tables",
    "S": "sequences",
    "f": "functions",
    "T": "types",
    "n": "schemas",
}


@dataclass(frozen=True, order=True)
class _Held:
    """One privilege of one grantee."""

    grantee: str
    privilege: str


def reconcile_database(ledger: Ledger, roles: RoleSet) -> None:
    """CONNECT for the manifest's login roles; nothing for PUBLIC in any database of the master."""
    for database, held in _database_privileges(ledger, roles):
        wanted = (
            {_Held(role.name, "CONNECT") for role in roles.login_roles}
            if database == roles.database
            else set[_Held]()
        )
        target = sql.SQL("DATABASE {}").format(sql.Identifier(database))
        _reconcile(ledger, f"database {database}", target, wanted=wanted, present=held)


def reconcile_schema(ledger: Ledger, roles: RoleSet) -> None:
    """The workload's schema exists and is the owner's; PUBLIC has nothing in `public`."""
    schema, owner = roles.schema_name, roles.owner.name
    identifiers = sql.Identifier(schema), sql.Identifier(owner)
    present = ledger.value(
        "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = %s", schema
    )
    if present is None:
        ledger.change(
            f"create schema {schema}",
            sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(*identifiers),
        )
    elif present.strip('"') != owner:
        ledger.change(
            f"give schema {schema} to {owner}",
            sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(*identifiers),
        )
    public = ledger.rows(
        """SELECT a.privilege_type FROM pg_namespace n,
                  aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
            WHERE n.nspname = 'public' AND a.grantee = 0"""
    )
    held = {_Held(PUBLIC, row[0]) for row in public}
    _reconcile(ledger, "schema public", sql.SQL("SCHEMA public"), wanted=set(), present=held)


def reconcile_objects(ledger: Ledger, roles: RoleSet) -> list[str]:
    """Privileges on the schema and all in it; run as the owner. Returns what is not there yet.

    Named tables that no migration has made yet are returned as `table schema.name`: the migration
    that creates one calls this again in its own transaction.
    """
    schema = roles.schema_name
    _require_ownership(ledger, roles)
    target = sql.SQL("SCHEMA {}").format(sql.Identifier(schema))
    wanted = {
        _Held(role.name, privilege)
        for role, grant in _grants(roles, "schema")
        for privilege in grant.privileges
        if schema in grant.objects
    }
    held = _explode(
        ledger,
        """SELECT n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
             FROM pg_namespace n WHERE n.nspname = %s""",
        schema,
    )
    _reconcile(ledger, f"schema {schema}", target, wanted=wanted, present=held)
    missing = _reconcile_relations(ledger, roles, "table", "rvmpf")
    missing += _reconcile_relations(ledger, roles, "sequence", "S")
    _revoke_column_privileges(ledger, roles)
    _revoke_function_privileges(ledger, roles)
    row_security.reconcile(ledger, roles)
    return missing


def reconcile_defaults(ledger: Ledger, roles: RoleSet) -> None:
    """What objects that the owner creates later will grant; run as the owner."""
    schema = roles.schema_name
    for letter, object_type in _DEFAULT_ACL_TYPES.items():
        wanted = {
            _Held(role.name, privilege)
            for role, grant in _grants(roles, object_type)
            for privilege in grant.privileges
            if grant.covers_every_object
        }
        held = _explode(
            ledger,
            """SELECT d.defaclrole, d.defaclacl
                 FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace
                WHERE d.defaclrole = current_user::regrole AND n.nspname = %s
                  AND d.defaclobjtype = %s""",
            schema,
            letter,
        )
        prefix = sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} ").format(sql.Identifier(schema))
        _reconcile(
            ledger,
            f"future {object_type}s of schema {schema}",
            sql.SQL("TABLES" if object_type == "table" else "SEQUENCES"),
            wanted=wanted,
            present=held,
            prefix=prefix,
        )
    _revoke_other_defaults(ledger, schema)
    # PostgreSQL lets PUBLIC execute every new function; that default is not per schema.
    public_executes = ledger.value(
        """SELECT count(*) FROM
              aclexplode(coalesce(
                 (SELECT defaclacl FROM pg_default_acl
                   WHERE defaclrole = current_user::regrole AND defaclnamespace = 0
                     AND defaclobjtype = 'f'),
                 acldefault('f', current_user::regrole))) a
            WHERE a.grantee = 0"""
    )
    if public_executes:
        ledger.change(
            "revoke EXECUTE on future functions from PUBLIC",
            sql.SQL("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"),
        )


def _revoke_other_defaults(ledger: Ledger, schema: str) -> None:
    """Defaults that no manifest has: of all schemas at once, of others, of functions and types."""
    rows = ledger.rows(
        """SELECT d.defaclobjtype::text, n.nspname, d.defaclacl::text[]
             FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
            WHERE d.defaclrole = current_user::regrole
              AND (n.nspname IS DISTINCT FROM %s OR d.defaclobjtype <> ALL(%s))
            ORDER BY 1, 2""",
        schema,
        list(_DEFAULT_ACL_TYPES),
    )
    for letter, namespace, acl in rows:
        kind = _DEFAULT_ACL_KINDS[letter]
        held = _explode(ledger, "SELECT current_user::regrole::oid, %s::aclitem[]", acl)
        if kind == "types" and namespace is None:
            # PostgreSQL's own default, without which nobody else can have a column of the type.
            held.discard(_Held(PUBLIC, "USAGE"))
        where, prefix = "", sql.SQL("ALTER DEFAULT PRIVILEGES ")
        if namespace is not None:
            where = f" of schema {namespace}"
            prefix += sql.SQL("IN SCHEMA {} ").format(sql.Identifier(namespace))
        _reconcile(
            ledger,
            f"future {kind}{where}",
            _trusted(kind.upper()),
            wanted=set(),
            present=held,
            prefix=prefix,
        )


def _grants(roles: RoleSet, object_type: ObjectType) -> list[tuple[Role, Grant]]:
    return [
        (role, grant)
        for role in roles.roles
        for grant in role.grants
        if grant.object_type == object_type
    ]


def _reconcile_relations(
    ledger: Ledger, roles: RoleSet, object_type: ObjectType, kinds: str
) -> list[str]:
    schema = roles.schema_name
    default = "s" if object_type == "sequence" else "r"
    rows = ledger.rows(
        f"""SELECT c.relname, coalesce(c.relacl, acldefault('{default}', c.relowner))::text[]
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = %s AND c.relkind = ANY(%s) AND {_NO_EXTENSION.format("c")}
             ORDER BY c.relname""",  # noqa: S608 - only constants of this module are formatted in
        schema,
        list(kinds),
    )
    present = {row[0] for row in rows}
    missing: set[str] = set()
    wanted: dict[str, set[_Held]] = {name: set() for name in present}
    for role, grant in _grants(roles, object_type):
        objects = present - {MIGRATIONS_TABLE} if grant.covers_every_object else grant.objects
        for name in objects:
            if name not in present:
                missing.add(f"{object_type} {schema}.{name}")
                continue
            wanted[name] |= {_Held(role.name, privilege) for privilege in grant.privileges}
    keyword = sql.SQL("SEQUENCE" if object_type == "sequence" else "TABLE")
    for name, acl in rows:
        target = sql.SQL("{} {}").format(keyword, sql.Identifier(schema, name))
        held = _explode(ledger, "SELECT current_user::regrole::oid, %s::aclitem[]", acl)
        _reconcile(
            ledger,
            f"{object_type} {schema}.{name}",
            target,
            wanted=wanted[name],
            present=held,
        )
    return sorted(missing)


_NO_EXTENSION = "NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = {0}.oid AND x.deptype = 'e')"


def _require_ownership(ledger: Ledger, roles: RoleSet) -> None:
    rows = ledger.rows(
        f"""SELECT c.relname, r.rolname
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_roles r ON r.oid = c.relowner
             WHERE n.nspname = %s AND c.relkind IN ('r','v','m','p','f','S')
               AND r.rolname <> %s AND {_NO_EXTENSION.format("c")} ORDER BY 1 LIMIT 1""",  # noqa: S608
        roles.schema_name,
        roles.owner.name,
    )
    for name, owner in rows:
        relation = f"{roles.schema_name}.{name}"
        raise OperationError(
            f"{relation} belongs to {owner}, not to {roles.owner.name}, so its privileges "
            f"cannot be set; run as {owner}: ALTER TABLE {relation} OWNER TO {roles.owner.name}"
        )


def _revoke_column_privileges(ledger: Ledger, roles: RoleSet) -> None:
    schema = roles.schema_name
    rows = ledger.rows(
        """SELECT c.relname, t.attname, t.attacl::text[]
             FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = %s AND t.attacl IS NOT NULL AND NOT t.attisdropped""",
        schema,
    )
    for table, column, acl in rows:
        held = _explode(ledger, "SELECT current_user::regrole::oid, %s::aclitem[]", acl)
        for grantee in sorted({one.grantee for one in held}):
            ledger.change(
                f"revoke privileges on column {schema}.{table}.{column} from {grantee}",
                sql.SQL("REVOKE ALL ({}) ON {} FROM {} CASCADE").format(
                    sql.Identifier(column), sql.Identifier(schema, table), _grantee(grantee)
                ),
            )


def _revoke_function_privileges(ledger: Ledger, roles: RoleSet) -> None:
    schema = roles.schema_name
    rows = ledger.rows(
        f"""SELECT p.oid::regprocedure::text,
                   coalesce(p.proacl, acldefault('f', p.proowner))::text[]
              FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
             WHERE n.nspname = %s AND p.proowner = current_user::regrole
               AND {_NO_EXTENSION.format("p")}""",  # noqa: S608
        schema,
    )
    for signature, acl in rows:
        held = _explode(ledger, "SELECT current_user::regrole::oid, %s::aclitem[]", acl)
        # regprocedure's text is already quoted where needed.
        target = sql.SQL("ROUTINE {}").format(_trusted(signature))
        _reconcile(ledger, f"function {signature}", target, wanted=set(), present=held)


def _database_privileges(ledger: Ledger, roles: RoleSet) -> list[tuple[str, set[_Held]]]:
    """Databases that this user owns, with what PUBLIC and this workload's roles hold there."""
    rows = ledger.rows(
        """SELECT d.datname, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE r.rolname END,
                  a.privilege_type
             FROM pg_database d
             CROSS JOIN aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
             LEFT JOIN pg_roles r ON r.oid = a.grantee
            WHERE pg_has_role(current_user, d.datdba, 'USAGE') AND d.datallowconn
              AND (a.grantee = 0
                   OR shobj_description(a.grantee, 'pg_authid') = %s)""",
        f"pgkeep: role of workload {roles.workload}",
    )
    held: dict[str, set[_Held]] = {roles.database: set()}
    for database, grantee, privilege in rows:
        held.setdefault(database, set()).add(_Held(grantee, privilege))
    return sorted(held.items())


def _explode(ledger: Ledger, query: str, *parameters: Any) -> set[_Held]:
    """What others than the owner hold. `query` gives the owner's oid and an aclitem[].

    A privilege that its grantee may pass on is marked, so that it never equals a wanted one.
    """
    rows = ledger.rows(
        f"""SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE r.rolname END,
                   a.privilege_type
                   || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
              FROM ({query}) AS o(owner, acl) CROSS JOIN aclexplode(o.acl) a
              LEFT JOIN pg_roles r ON r.oid = a.grantee
             WHERE a.grantee <> o.owner""",  # noqa: S608 - queries of this module only
        *parameters,
    )
    return {_Held(grantee, privilege) for grantee, privilege in rows}


def _reconcile(
    ledger: Ledger,
    label: str,
    target: sql.Composable,
    *,
    wanted: set[_Held],
    present: set[_Held],
    prefix: sql.Composable = _NO_PREFIX,
) -> None:
    """Revoke what is present and not wanted, then grant what is wanted and not present."""
    for revoke, difference in ((True, present - wanted), (False, wanted - present)):
        for grantee in sorted({one.grantee for one in difference}):
            marked = [one.privilege for one in difference if one.grantee == grantee]
            privileges = sorted({privilege.split(" WITH ", 1)[0] for privilege in marked})
            listed = ", ".join(privileges)
            template = sql.SQL(
                "{}REVOKE {} ON {} FROM {} CASCADE" if revoke else "{}GRANT {} ON {} TO {}"
            )
            ledger.change(
                f"revoke {listed} on {label} from {grantee}"
                if revoke
                else f"grant {listed} on {label} to {grantee}",
                template.format(prefix, _trusted(listed), target, _grantee(grantee)),
            )


def _trusted(text: str) -> sql.SQL:
    """SQL text that PostgreSQL's catalogue or the contract's closed list of words gave."""
    return sql.SQL(cast(LiteralString, text))


def _grantee(name: str) -> sql.Composable:
    return sql.SQL(PUBLIC) if name == PUBLIC else names([name])
