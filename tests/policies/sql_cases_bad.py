"""Migrations that a careful person refuses, and the rule that does."""

from __future__ import annotations

from typing import Final

from tests.policies.sql_cases import CLOSED, GOOD, PG_DUMP, SAFE, Case
from tests.policies.sql_cases_more import MORE_BAD, ORDERS

BAD: Final[dict[str, tuple[str, Case]]] = {
    **MORE_BAD,
    "pg_dump, with a DELETE": (
        "db-app-cannot-delete",
        PG_DUMP.replace("SELECT,INSERT,UPDATE ON", "SELECT,INSERT,DELETE,UPDATE ON"),
    ),
    "pg_dump, owned by the application": (
        "db-app-cannot-delete",
        PG_DUMP.replace("OWNER TO shop_owner", "OWNER TO shop_app"),
    ),
    "behind the data of a COPY": (
        "db-app-cannot-delete",
        ORDERS + "COPY orders FROM stdin;\n1\ta\n\\.\nGRANT DELETE ON orders TO web;\n",
    ),
    "COPY on the server": ("db-sql-decidable", ORDERS + "COPY orders FROM '/tmp/x';"),
    "COPY of a program": ("db-sql-decidable", ORDERS + "COPY orders TO PROGRAM 'curl x';"),
    "\\copy of a program": ("db-sql-decidable", ORDERS + "\\copy orders from program 'curl x'\n"),
    "\\i": ("db-sql-decidable", "\\i other.sql\n" + ORDERS),
    "\\gexec": ("db-sql-decidable", "SELECT 'GRANT DELETE ON orders TO web' \\gexec\n"),
    "\\if": ("db-sql-decidable", "\\if :prod\nSELECT 1;\n\\endif\n"),
    "\\!": ("db-sql-decidable", "\\! curl x | sh\n"),
    "\\o to a shell": ("db-sql-decidable", "\\o | sh\nSELECT 1;\n"),
    "\\set from a shell": ("db-sql-decidable", "\\set x `curl y`\nSELECT 1;\n"),
    "\\c as an application": ("db-app-cannot-delete", "\\c - web\n" + ORDERS),
    "a variable of psql": ("db-sql-decidable", "GRANT SELECT ON orders TO :app;"),
    "a placeholder of Flyway": ("db-sql-decidable", "GRANT SELECT ON orders TO ${app};"),
    "down gives it": (
        "db-app-cannot-delete",
        (
            ("1.down.sql", "GRANT DELETE ON orders TO web;"),
            ("1.up.sql", ORDERS + "REVOKE DELETE ON orders FROM web;"),
        ),
    ),
    "down, alone, drops": ("db-migrations-keep-data", (("1.down.sql", "DROP TABLE orders;"),)),
    "goose, up drops": (
        "db-migrations-keep-data",
        "-- +goose Up\nDROP TABLE orders;\n-- +goose Down\n" + ORDERS,
    ),
    "DO": ("db-app-cannot-delete", ORDERS + "DO $$ BEGIN GRANT DELETE ON orders TO web; END $$;"),
    "DO, in a branch": (
        "db-app-cannot-delete",
        ORDERS + "DO $$ BEGIN IF current_user = 'x' THEN GRANT DELETE ON orders TO web; END IF; "
        "END $$;",
    ),
    "DO, taken back in a branch": (
        "db-app-cannot-delete",
        ORDERS + "GRANT DELETE ON orders TO web; DO $$ BEGIN IF random() > 1 THEN REVOKE DELETE ON "
        "orders FROM web; END IF; END $$;",
    ),
    "DO, in a handler": (
        "db-app-cannot-delete",
        ORDERS + "DO $$ BEGIN NULL; EXCEPTION WHEN others THEN GRANT DELETE ON orders TO web; END "
        "$$;",
    ),
    "DO, in a loop, by format": (
        "db-app-cannot-delete",
        "DO $$ DECLARE t record; BEGIN FOR t IN SELECT tablename FROM pg_tables LOOP EXECUTE "
        "format('GRANT SELECT, DELETE ON %I TO web', t.tablename); END LOOP; END $$;",
    ),
    "DO, to whom is not known": (
        "db-app-cannot-delete",
        ORDERS + "DO $$ DECLARE r text; BEGIN SELECT rolname INTO r FROM pg_roles; EXECUTE "
        "format('GRANT TRUNCATE ON orders TO %I', r); END $$;",
    ),
    "DO, a group that is not known": (
        "db-app-cannot-delete",
        "DO $$ BEGIN EXECUTE format('GRANT %I TO web', current_setting('x.y')); END $$;",
    ),
    "DO, constant text": (
        "db-app-cannot-delete",
        ORDERS + "DO $$ DECLARE q text := 'GRANT DELETE ON orders'; BEGIN EXECUTE q || ' TO web'; "
        "END $$;",
    ),
    "DO, a text that is not known": (
        "db-sql-decidable",
        "DO $$ DECLARE q text; BEGIN SELECT body INTO q FROM scripts; EXECUTE q; END $$;",
    ),
    "DO, %s": (
        "db-sql-decidable",
        "DO $$ BEGIN EXECUTE format('GRANT SELECT ON t TO %s', current_setting('x.y')); END $$;",
    ),
    "DO, a variable that changes": (
        "db-sql-decidable",
        "DO $$ DECLARE q text := 'SELECT 1'; BEGIN IF true THEN q := current_setting('x.y'); END "
        "IF; EXECUTE q; END $$;",
    ),
    "DO, another language": ("db-sql-decidable", "DO LANGUAGE plpython3u 'import os';"),
    "DO, drops in a branch": (
        "db-migrations-keep-data",
        ORDERS + "DO $$ BEGIN IF EXISTS (SELECT 1) THEN DROP TABLE orders; END IF; END $$;",
    ),
    "DO, acts as another in a branch": (
        "db-sql-decidable",
        "DO $$ BEGIN IF true THEN SET ROLE web; END IF; END $$;" + ORDERS,
    ),
    "DO, gives away in a branch": (
        "db-app-cannot-delete",
        ORDERS + "DO $$ BEGIN IF true THEN ALTER TABLE orders OWNER TO web; END IF; END $$;",
    ),
    "DO, superuser in a branch": (
        "db-no-elevated-roles",
        "DO $$ BEGIN IF true THEN ALTER ROLE web SUPERUSER LOGIN; END IF; END $$;",
    ),
    "committed after a savepoint": (
        "db-app-cannot-delete",
        ORDERS + "BEGIN; GRANT DELETE ON orders TO web; SAVEPOINT a; ROLLBACK TO a; COMMIT;",
    ),
    "rolled back what took it away": (
        "db-app-cannot-delete",
        ORDERS + "GRANT DELETE ON orders TO web; BEGIN; REVOKE DELETE ON orders FROM web; ROLLBACK;",
    ),
    "member of an owner that nobody logs in as": (
        "db-app-cannot-delete",
        "CREATE ROLE shop NOLOGIN; CREATE ROLE web LOGIN IN ROLE shop;" + ORDERS
        + "ALTER TABLE orders OWNER TO shop;",
    ),
    "an owner that logs in": (
        "db-app-cannot-delete",
        "CREATE ROLE shop_owner LOGIN;" + ORDERS + "ALTER TABLE orders OWNER TO shop_owner;",
    ),
    "a group without login": (
        "db-app-cannot-delete",
        "CREATE ROLE readwrite NOLOGIN;" + ORDERS + "GRANT DELETE ON orders TO readwrite;",
    ),
    "member of pgaudit's role": (
        "db-app-cannot-delete",
        ORDERS + "CREATE ROLE rds_pgaudit; GRANT DELETE ON orders TO rds_pgaudit; GRANT rds_pgaudit "
        "TO web;",
    ),
    "pgaudit's role, left": (
        "db-audit-append-only", "CREATE ROLE rds_pgaudit; GRANT rds_pgaudit TO web;",
    ),
    "pgaudit's role logs in": (
        "db-app-cannot-delete",
        ORDERS + "CREATE ROLE rds_pgaudit LOGIN; GRANT DELETE ON orders TO rds_pgaudit;",
    ),
    "audit, by column": (
        "db-audit-append-only",
        "CREATE TABLE audit_log (a int); GRANT UPDATE (a) ON audit_log TO web;",
    ),
    "audit, guard off": (
        "db-audit-append-only", str(GOOD["audit table, guarded"]) + "DROP TRIGGER keep ON audit_log;",
    ),
    "audit, guard switched off": (
        "db-audit-append-only",
        str(GOOD["audit table, guarded"]) + "ALTER TABLE audit_log DISABLE TRIGGER ALL;",
    ),
    "columns that set off a definer": (
        "db-app-cannot-delete",
        ORDERS + f"CREATE FUNCTION purge() RETURNS trigger LANGUAGE plpgsql {SAFE} AS $$ BEGIN "
        "DELETE FROM orders; RETURN NULL; END $$;" + CLOSED + "CREATE TRIGGER p AFTER UPDATE ON "
        "orders EXECUTE FUNCTION purge(); GRANT UPDATE (status) ON orders TO web;",
    ),
    "a view that sets off a definer": (
        "db-app-cannot-delete",
        ORDERS + f"CREATE FUNCTION purge() RETURNS trigger LANGUAGE plpgsql {SAFE} AS $$ BEGIN "
        "DELETE FROM orders; RETURN NULL; END $$;" + CLOSED + "CREATE TRIGGER p AFTER UPDATE ON "
        "orders EXECUTE FUNCTION purge(); CREATE VIEW v AS SELECT * FROM orders;"
        "GRANT UPDATE ON v TO web;",
    ),
    "a rule of a view": (
        "db-app-cannot-delete",
        ORDERS + "CREATE VIEW v AS SELECT * FROM orders; CREATE RULE r AS ON INSERT TO v DO INSTEAD "
        "DELETE FROM orders; GRANT INSERT ON v TO web;",
    ),
    "DELETE on a view": (
        "db-app-cannot-delete",
        ORDERS + "CREATE VIEW v WITH (security_invoker) AS SELECT * FROM orders; GRANT DELETE ON v "
        "TO web;",
    ),
    "definer, text of its caller": (
        "db-app-cannot-delete",
        f"CREATE FUNCTION purge(q text) RETURNS void LANGUAGE plpgsql {SAFE} AS $$ BEGIN "
        "q := 'SELECT ' || q; EXECUTE q; END $$; REVOKE ALL ON FUNCTION purge(text) FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION purge(text) TO web;",
    ),
    "definer, table of its caller": (
        "db-app-cannot-delete",
        f"CREATE FUNCTION purge(t text) RETURNS void LANGUAGE plpgsql {SAFE} AS $$ BEGIN "
        "EXECUTE format('DELETE FROM %I', t); END $$; REVOKE ALL ON FUNCTION purge(text) FROM "
        "PUBLIC; GRANT EXECUTE ON FUNCTION purge(text) TO web;",
    ),
    "definer, update of any table": (
        "db-app-cannot-delete",
        f"CREATE FUNCTION purge(t regclass) RETURNS void LANGUAGE plpgsql {SAFE} AS $$ BEGIN "
        "EXECUTE format('UPDATE %s SET a = 1', t); END $$; REVOKE ALL ON FUNCTION purge(regclass) "
        "FROM PUBLIC; GRANT EXECUTE ON FUNCTION purge(regclass) TO web;",
    ),
    "definer procedure": (
        "db-app-cannot-delete",
        ORDERS + f"CREATE PROCEDURE purge() LANGUAGE sql {SAFE} AS 'TRUNCATE orders CASCADE';"
        "REVOKE ALL ON PROCEDURE purge() FROM PUBLIC; GRANT EXECUTE ON PROCEDURE purge() TO web;",
    ),
    "definer without a search_path": (
        "db-definer-functions-closed",
        "CREATE FUNCTION purge() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1;" + CLOSED,
    ),
    "definer, search_path taken away": (
        "db-definer-functions-closed",
        f"CREATE FUNCTION purge() RETURNS int LANGUAGE sql {SAFE} RETURN 1;" + CLOSED
        + "ALTER FUNCTION purge() RESET search_path;",
    ),
    "definer, open to all": (
        "db-definer-functions-closed",
        f"CREATE FUNCTION purge() RETURNS int LANGUAGE sql {SAFE} RETURN 1;",
    ),
    "definer, one text for the path": (
        "db-definer-functions-closed",
        "CREATE FUNCTION purge() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = "
        "'shop, pg_temp' RETURN 1;" + CLOSED,
    ),
    "ALL TABLES": (
        "db-app-cannot-delete",
        ORDERS + "GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA public TO web;",
    ),
    "default privileges of a role": (
        "db-app-cannot-delete",
        "ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner, other IN SCHEMA a, b GRANT DELETE ON TABLES "
        "TO web;",
    ),
    "default privileges, then a schema": (
        "db-app-cannot-delete",
        "ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO web; CREATE SCHEMA s CREATE TABLE t (a "
        "int);",
    ),
    "GRANT with SET only": (
        "db-app-cannot-delete",
        "CREATE ROLE g;" + ORDERS + "ALTER TABLE orders OWNER TO g; GRANT g TO web WITH INHERIT "
        "FALSE, SET TRUE;",
    ),
    "GRANTED BY": (
        "db-app-cannot-delete",
        "CREATE ROLE g; CREATE ROLE a; GRANT g TO a WITH ADMIN OPTION; GRANT g TO web GRANTED BY a;"
        + ORDERS + "GRANT DELETE ON orders TO g; REVOKE g FROM web;",
    ),
    "REVOKE that fails": (
        "db-sql-decidable",
        "CREATE ROLE g; CREATE ROLE a; GRANT g TO a WITH ADMIN OPTION; GRANT g TO web GRANTED BY a;"
        "REVOKE g FROM a;",
    ),
    "REASSIGN OWNED": (
        "db-app-cannot-delete",
        "CREATE ROLE g;" + ORDERS + "ALTER TABLE orders OWNER TO g; REASSIGN OWNED BY g TO web;",
    ),
    "names again": (
        "db-app-cannot-delete",
        "CREATE ROLE x; " + ORDERS + "GRANT DELETE ON orders TO x; ALTER ROLE x RENAME TO y; CREATE "
        "SCHEMA a; ALTER TABLE orders SET SCHEMA a; ALTER SCHEMA a RENAME TO b;",
    ),
    "trigger function under another name": (
        "db-app-cannot-delete",
        ORDERS + f"CREATE FUNCTION purge() RETURNS trigger LANGUAGE plpgsql {SAFE} AS $$ BEGIN "
        "DELETE FROM orders; RETURN NULL; END $$;" + CLOSED + "CREATE TRIGGER p AFTER UPDATE ON "
        "orders EXECUTE FUNCTION purge(); ALTER FUNCTION purge() RENAME TO x; GRANT UPDATE ON "
        "orders TO web;",
    ),
    "set_config is a SET": (
        "db-app-cannot-delete", "SELECT set_config('role', 'web', false);" + ORDERS,
    ),
    "event trigger of a definer": (
        "db-sql-decidable",
        "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
        "NULL; END $$; CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION e();",
    ),
    "event trigger that deletes": (
        "db-sql-decidable",
        ORDERS + "CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM "
        "orders; END $$; CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION e();",
    ),
    "cast by a definer": (
        "db-sql-decidable",
        f"CREATE FUNCTION purge(text) RETURNS int LANGUAGE sql {SAFE} RETURN 1;"
        "CREATE CAST (text AS int) WITH FUNCTION purge(text);",
    ),
    "triggers switched off": ("db-sql-decidable", "SET session_replication_role = replica;"),
    "search_path of nobody knows whom": (
        "db-sql-decidable", "SELECT set_config('search_path', current_setting('x.y'), false);",
    ),
    "view past row level security": (
        "db-row-security",
        str(GOOD["view of the invoker"]).replace("security_invoker = true, ", ""),
    ),
    "view made the owner's again": (
        "db-row-security",
        str(GOOD["view of the invoker"]) + "ALTER VIEW d RESET (security_invoker);",
    ),
    "policy for everybody": (
        "db-row-security",
        str(GOOD["row level security"]).replace("TO shop_retention", "TO shop_app"),
    ),
    "policy that says nothing": (
        "db-row-security",
        str(GOOD["row level security"]) + "CREATE POLICY x ON doc USING (1 = 1);",
    ),
    "row level security off again": (
        "db-row-security",
        str(GOOD["row level security"]) + "ALTER TABLE doc DISABLE ROW LEVEL SECURITY;",
    ),
    "a table like a tenant's": (
        "db-row-security",
        str(GOOD["row level security"]) + "CREATE TABLE d2 (LIKE doc INCLUDING ALL);",
    ),
    "PUBLIC, by column": (
        "db-no-public-grants", ORDERS + "GRANT SELECT (id) ON orders TO PUBLIC;",
    ),
    "option, by column": (
        "db-no-grant-options", ORDERS + "GRANT SELECT (id) ON orders TO web WITH GRANT OPTION;",
    ),
    "replication of RDS": ("db-no-elevated-roles", "GRANT rds_replication TO web;"),
    "rds_superuser": ("db-no-elevated-roles", "CREATE ROLE web LOGIN IN ROLE rds_superuser;"),
    "rds_password": ("db-app-cannot-delete", "GRANT rds_password TO web;"),
    "pg_write_all_data": ("db-app-cannot-delete", "GRANT pg_write_all_data TO web;"),
    "password": ("db-login-role-limits", "CREATE USER web WITH PASSWORD 'hunter2hunter2';"),
    "password in DO": (
        "db-login-role-limits",
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles) THEN CREATE ROLE web LOGIN PASSWORD "
        "'hunter2'; END IF; END $$;",
    ),
    "extension in public": ("db-extensions-allowed", "CREATE EXTENSION pgcrypto;"),
    "extension that reaches out": ("db-extensions-allowed", "CREATE EXTENSION dblink SCHEMA x;"),
    "type and its columns": ("db-migrations-keep-data", "DROP TYPE mood CASCADE;"),
    "temporary, and not": (
        "db-migrations-keep-data", ORDERS + "CREATE TEMP TABLE t (a int); DROP TABLE t, orders;",
    ),
    "explained and done": (
        "db-migrations-keep-data", ORDERS + "EXPLAIN (ANALYZE) DELETE FROM orders;",
    ),
    "quoted": (
        "db-app-cannot-delete",
        'CREATE TABLE "Orders" (a int); GRANT DELETE ON "Orders" TO "Web-App";',
    ),
    "escaped": (
        "db-app-cannot-delete",
        'CREATE TABLE U&"d\\0061t\\+000061" (a int); GRANT DELETE ON U&"d\\0061t\\+000061" TO web;',
    ),
    "in a nested comment": (
        "db-app-cannot-delete",
        ORDERS + "/* /* */ GRANT SELECT */ GRANT DELETE ON orders TO web; -- \\i x\n",
    ),
    "on a partition": (
        "db-app-cannot-delete",
        "CREATE TABLE e (a int) PARTITION BY LIST (a); CREATE TABLE e1 PARTITION OF e FOR VALUES IN "
        "(1); GRANT TRUNCATE ON e1 TO web;",
    ),
}  # fmt: skip
