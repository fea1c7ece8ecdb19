"""More migrations, as `sql_cases.py` has them: everyday ones, and what is wrong with others."""

from __future__ import annotations

from typing import Final

ORDERS: Final = "CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL);\n"

MORE_GOOD: Final[dict[str, str]] = {
    "supabase auth style": ORDERS
    + (
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON orders FOR SE"
        "LECT TO authenticated USING (auth.uid() = id);"
    ),
    "hasura": ORDERS
    + (
        "CREATE OR REPLACE FUNCTION set_current_timestamp() RETURNS TRIGGER AS $$\nDECLA"
        "RE\n  _new record;\nBEGIN\n  _new := NEW;\n  _new.updated_at = NOW();\n  RETURN _ne"
        "w;\nEND;\n$$ LANGUAGE plpgsql;\nCREATE TRIGGER t BEFORE UPDATE ON orders FOR EACH"
        " ROW EXECUTE PROCEDURE set_current_timestamp();"
    ),
    "knex style": (
        'create table "users" ("id" serial primary key, "email" varchar(255) not null);'
        'alter table "users" add constraint "users_email_unique" unique ("email")'
    ),
    "typeorm": (
        'CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA ext; CREATE TABLE "user" ("i'
        'd" uuid NOT NULL DEFAULT uuid_generate_v4(), CONSTRAINT "PK" PRIMARY KEY ("id"'
        "))"
    ),
    "timescale style/lock timeout": (
        "SET lock_timeout = '5s'; SET statement_timeout TO 0; CREATE TABLE orders (id b"
        "igint PRIMARY KEY, status text NOT NULL);\n ALTER TABLE orders ADD COLUMN IF NO"
        "T EXISTS x int; ALTER TABLE orders ADD CONSTRAINT c CHECK (x>0) NOT VALID; ALT"
        "ER TABLE orders VALIDATE CONSTRAINT c;"
    ),
    "revoke all then grant": ORDERS
    + (
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC; REVOKE ALL ON SCHEMA pu"
        "blic FROM PUBLIC; GRANT USAGE ON SCHEMA public TO app; GRANT SELECT, INSERT, U"
        "PDATE ON orders TO app;"
    ),
    "liquibase formatted": (
        "--liquibase formatted sql\n--changeset bob:1\nCREATE TABLE orders (id bigint PRI"
        "MARY KEY, status text NOT NULL);\n--rollback DROP TABLE orders;\n"
    ),
    "flyway baseline function": (
        "CREATE OR REPLACE FUNCTION add(a integer, b integer) RETURNS integer LANGUAGE "
        "SQL IMMUTABLE RETURNS NULL ON NULL INPUT RETURN a + b;"
    ),
    "procedural do with perform": (
        "DO $do$ BEGIN PERFORM 1 FROM pg_roles WHERE rolname='x'; IF NOT FOUND THEN CRE"
        "ATE ROLE x; END IF; END $do$;"
    ),
    "exists column": ORDERS
    + (
        "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM information_schema.columns WHERE tabl"
        "e_name='orders' AND column_name='n') THEN ALTER TABLE orders ADD COLUMN n int;"
        " END IF; END $$;"
    ),
    "exception create role": (
        "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN RAISE "
        "NOTICE 'exists'; END $$;"
    ),
    "enable rls by loop": ORDERS
    + (
        "DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['orders'] LOOP EXECUTE fo"
        "rmat('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t); EXECUTE format('CREATE PO"
        "LICY p ON %I USING (id = 1)', t); END LOOP; END $$;"
    ),
    "trigger by loop": ORDERS
    + (
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NE"
        "W; END $$; DO $$ DECLARE t text; BEGIN FOR t IN SELECT table_name FROM informa"
        "tion_schema.tables LOOP EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE ON "
        "%I FOR EACH ROW EXECUTE FUNCTION touch()', t); END LOOP; END $$;"
    ),
    "grant usage on types": (
        "CREATE TYPE mood AS ENUM ('a'); GRANT USAGE ON TYPE mood TO app; REVOKE ALL ON"
        " TYPE mood FROM PUBLIC; GRANT USAGE ON LANGUAGE plpgsql TO app;"
    ),
    "grant connect/temp": (
        "GRANT CONNECT, TEMPORARY ON DATABASE shop TO app; REVOKE CONNECT ON DATABASE s"
        "hop FROM PUBLIC;"
    ),
    "identity": (
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, g int GENERATED ALWAYS AS"
        " (1+1) STORED);"
    ),
    "matview": ORDERS
    + (
        "CREATE MATERIALIZED VIEW mv AS SELECT status, count(*) FROM orders GROUP BY 1 "
        "WITH NO DATA; CREATE UNIQUE INDEX ON mv(status); REFRESH MATERIALIZED VIEW CON"
        "CURRENTLY mv; GRANT SELECT ON mv TO app;"
    ),
    "partition": (
        "CREATE TABLE e (at timestamptz, id int) PARTITION BY RANGE (at); CREATE TABLE "
        "e_2026 PARTITION OF e FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); ALTER "
        "TABLE e DETACH PARTITION e_2026; ALTER TABLE e ATTACH PARTITION e_2026 FOR VAL"
        "UES FROM ('2026-01-01') TO ('2027-01-01'); GRANT SELECT, INSERT ON e TO app;"
    ),
    "update backfill": ORDERS
    + (
        "UPDATE orders SET status = 'x' WHERE status IS NULL; INSERT INTO orders SELECT"
        " * FROM orders ON CONFLICT (id) DO NOTHING;"
    ),
    "merge": ORDERS
    + (
        "MERGE INTO orders o USING (VALUES (1,'a')) v(id,s) ON o.id=v.id WHEN MATCHED T"
        "HEN UPDATE SET status=v.s WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.s);"
    ),
    "soft delete func": ORDERS
    + (
        "CREATE FUNCTION soft_delete(p bigint) RETURNS void LANGUAGE sql AS $$ UPDATE o"
        "rders SET status='deleted' WHERE id = p $$; GRANT EXECUTE ON FUNCTION soft_del"
        "ete(bigint) TO app;"
    ),
    "nologin group + member": (
        "CREATE ROLE app_rw NOLOGIN; CREATE ROLE web LOGIN; GRANT app_rw TO web;CREATE "
        "TABLE orders (id bigint PRIMARY KEY, status text NOT NULL);\nGRANT SELECT, INSE"
        "RT, UPDATE ON orders TO app_rw;"
    ),
    "migrator default privs": (
        "CREATE ROLE app_migrator LOGIN; ALTER DEFAULT PRIVILEGES FOR ROLE app_migrator"
        " IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO app; GRANT CREATE,"
        " USAGE ON SCHEMA public TO app_migrator;"
    ),
    "pg_cron-less comment": ("COMMENT ON DATABASE shop IS 'x'; COMMENT ON ROLE app IS 'y';"),
    "validuntil": (
        "CREATE ROLE app WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION N"
        "OBYPASSRLS CONNECTION LIMIT 50 VALID UNTIL '2026-12-31';"
    ),
    "password null": ("ALTER ROLE app PASSWORD NULL;"),
    "alter group": ("CREATE GROUP g; ALTER GROUP g ADD USER app;"),
    "security definer w auth check": ORDERS
    + (
        "CREATE FUNCTION place(p text) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path = public, pg_temp AS $$ DECLARE v bigint; BEGIN IF p IS NULL "
        "THEN RAISE EXCEPTION 'no'; END IF; INSERT INTO orders(id,status) VALUES (1,p) "
        "RETURNING id INTO v; RETURN v; END $$; REVOKE ALL ON FUNCTION place(text) FROM"
        " PUBLIC; GRANT EXECUTE ON FUNCTION place(text) TO app;"
    ),
    "definer jsonb": ORDERS
    + (
        "CREATE FUNCTION j() RETURNS jsonb LANGUAGE sql SECURITY DEFINER SET search_pat"
        "h='' AS $$ SELECT jsonb_agg(to_jsonb(o)) FROM public.orders o $$; REVOKE EXECU"
        "TE ON FUNCTION j() FROM PUBLIC;"
    ),
    "audit trigger definer": (
        "CREATE TABLE audit_log (at timestamptz default now(), row jsonb);CREATE TABLE "
        "orders (id bigint PRIMARY KEY, status text NOT NULL);\nCREATE FUNCTION audit() "
        "RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog"
        ", pg_temp AS $$ BEGIN INSERT INTO public.audit_log(row) VALUES (to_jsonb(NEW))"
        "; RETURN NEW; END $$; REVOKE ALL ON FUNCTION audit() FROM PUBLIC; CREATE TRIGG"
        "ER a AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION "
        "audit(); GRANT SELECT, INSERT, UPDATE ON orders TO app; GRANT SELECT ON audit_"
        "log TO auditor;"
    ),
    "pgaudit sets": (
        "ALTER DATABASE shop SET pgaudit.log = 'write, ddl'; ALTER ROLE app SET pgaudit"
        ".log = 'all';"
    ),
    "statistics/tablespace": ORDERS
    + (
        "CREATE STATISTICS s ON id, status FROM orders; ALTER TABLE orders ALTER COLUMN"
        " status SET STATISTICS 500; ALTER TABLE orders SET (fillfactor=90); ALTER TABL"
        "E orders CLUSTER ON orders_pkey; ALTER TABLE orders REPLICA IDENTITY FULL;"
    ),
    "advisory locks": (
        "SELECT pg_advisory_lock(1); CREATE TABLE orders (id bigint PRIMARY KEY, status"
        " text NOT NULL);\n SELECT pg_advisory_unlock(1);"
    ),
    "unlogged": ("CREATE UNLOGGED TABLE c (a int);"),
    "select into var with psql gset": (
        "SELECT 1 AS x \\gset\nCREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL);\n"
    ),
    "setval, nextval": (
        "CREATE SEQUENCE s; SELECT setval('s', 10); SELECT nextval('s'::regclass);"
    ),
    "reset": (
        "RESET ALL; RESET search_path; SET TIME ZONE 'UTC'; SET SESSION CHARACTERISTICS"
        " AS TRANSACTION ISOLATION LEVEL SERIALIZABLE; SHOW ALL;"
    ),
    "set role owner, none": (
        "SET ROLE shop_owner;CREATE TABLE orders (id bigint PRIMARY KEY, status text NO"
        "T NULL);\nRESET ROLE; GRANT SELECT ON orders TO app;"
    ),
    "lower()": ORDERS
    + (
        "CREATE INDEX ON orders (lower(status)); CREATE UNIQUE INDEX CONCURRENTLY IF NO"
        "T EXISTS i ON orders (id) WHERE status <> 'x';"
    ),
    "function dropped & recreated": (
        "DROP FUNCTION IF EXISTS f(int); CREATE FUNCTION f(int) RETURNS int LANGUAGE sq"
        "l AS 'SELECT $1'; DROP TRIGGER IF EXISTS t ON orders;"
    ),
    "comment w/ semicolons; unicode": ("/* ; ' */ SELECT 'ü;'; -- ' \n SELECT 1;"),
    "windows line ends": (
        "CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL);\r\n\r\nGRANT SE"
        "LECT ON orders\r\nTO app;\r\n"
    ),
    "bom": ("\ufeffCREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL);\n"),
}

MORE_BAD: Final[dict[str, tuple[str, str]]] = {
    "app owns database": ("db-app-cannot-delete", ("ALTER DATABASE shop OWNER TO app;")),
    "create table as app": (
        "db-app-cannot-delete",
        ("SET SESSION AUTHORIZATION app; CREATE TABLE t (a int);"),
    ),
    "bypassrls": ("db-no-elevated-roles", ("CREATE ROLE app LOGIN BYPASSRLS;")),
    "createrole via alter": (
        "db-no-elevated-roles",
        ("CREATE ROLE app LOGIN; ALTER ROLE app CREATEROLE;"),
    ),
    "via group superuser": (
        "db-app-cannot-delete",
        ("CREATE ROLE boss SUPERUSER; GRANT boss TO app;"),
    ),
    "grant option chain": (
        "db-app-cannot-delete",
        ORDERS
        + (
            "GRANT DELETE ON orders TO a WITH GRANT OPTION; SET ROLE a; GRANT DELETE ON ord"
            "ers TO b; RESET ROLE; REVOKE GRANT OPTION FOR DELETE ON orders FROM a CASCADE;"
        ),
    ),
    "admin option": ("db-no-grant-options", ("CREATE ROLE g; GRANT g TO app WITH ADMIN OPTION;")),
    "public all": ("db-no-public-grants", ("GRANT ALL ON SCHEMA public TO PUBLIC;")),
    "public create": ("db-no-public-grants", ("GRANT CREATE ON SCHEMA public TO PUBLIC;")),
    "public defaults": (
        "db-no-public-grants",
        ("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO PUBLIC;"),
    ),
    "all on sequences": (
        "db-grants-named",
        ("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;"),
    ),
    "all on db": ("db-grants-named", ("GRANT ALL PRIVILEGES ON DATABASE shop TO app;")),
    "rls true": (
        "db-row-security",
        (
            "CREATE TABLE d (tenant_id int); ALTER TABLE d ENABLE ROW LEVEL SECURITY; CREAT"
            "E POLICY p ON d USING (true);"
        ),
    ),
    "rls missing": (
        "db-row-security",
        ("CREATE TABLE d (id int, tenant_id uuid NOT NULL REFERENCES t(id));"),
    ),
    "rls no policies, disable": (
        "db-row-security",
        (
            "CREATE TABLE d (tenant_id int); ALTER TABLE d ENABLE ROW LEVEL SECURITY; ALTER"
            " TABLE d DISABLE ROW LEVEL SECURITY;"
        ),
    ),
    "truncate": ("db-migrations-keep-data", ORDERS + ("TRUNCATE orders RESTART IDENTITY CASCADE;")),
    "drop column": (
        "db-migrations-keep-data",
        ("ALTER TABLE orders DROP COLUMN IF EXISTS status;"),
    ),
    "delete in cte": (
        "db-migrations-keep-data",
        ("WITH d AS (DELETE FROM orders RETURNING *) INSERT INTO archive SELECT * FROM d;"),
    ),
    "definer delete via PL loop": (
        "db-app-cannot-delete",
        ORDERS
        + (
            "CREATE FUNCTION purge() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET sea"
            "rch_path = public, pg_temp AS $$ DECLARE r record; BEGIN FOR r IN SELECT id FR"
            "OM orders LOOP DELETE FROM orders WHERE id = r.id; END LOOP; END $$; REVOKE AL"
            "L ON FUNCTION purge() FROM PUBLIC; GRANT EXECUTE ON FUNCTION purge() TO app;"
        ),
    ),
    "definer + grant all functions": (
        "db-app-cannot-delete",
        ORDERS
        + (
            "CREATE FUNCTION purge() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_"
            "path = public, pg_temp AS 'DELETE FROM orders'; REVOKE ALL ON ALL FUNCTIONS IN"
            " SCHEMA public FROM PUBLIC; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO"
            " app;"
        ),
    ),
    "definer default privileges execute": (
        "db-app-cannot-delete",
        (
            "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; ALTER DEFAUL"
            "T PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO app;CREATE TABLE orders (id bigint "
            "PRIMARY KEY, status text NOT NULL);\nCREATE FUNCTION purge() RETURNS void LANGU"
            "AGE sql SECURITY DEFINER SET search_path = public, pg_temp AS 'DELETE FROM ord"
            "ers';"
        ),
    ),
    "plaintext pw": ("db-login-role-limits", ("ALTER USER app WITH PASSWORD 'changeme';")),
    "md5 pw": (
        "db-login-role-limits",
        ("ALTER USER app WITH PASSWORD 'md5aabbccddeeff00112233445566778899';"),
    ),
    "encrypted pw": ("db-login-role-limits", ("CREATE USER app ENCRYPTED PASSWORD 'changeme';")),
    "file_fdw": ("db-extensions-allowed", ("CREATE EXTENSION file_fdw;")),
    "plpython": ("db-extensions-allowed", ("CREATE EXTENSION plpython3u;")),
    "audit grant all": (
        "db-audit-append-only",
        ("CREATE TABLE audit_events (a int); GRANT ALL ON audit_events TO app;"),
    ),
    "audit delete public": (
        "db-audit-append-only",
        (
            "CREATE TABLE audit.x (a int); CREATE TABLE app_audit (a int); GRANT DELETE ON "
            "app_audit TO PUBLIC;"
        ),
    ),
    "grant pg_execute": ("db-app-cannot-delete", ("GRANT pg_execute_server_program TO app;")),
    "bom + delete": (
        "db-app-cannot-delete",
        (
            "\ufeffCREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL);\nGRANT DELE"
            "TE ON orders TO app;"
        ),
    ),
    "delete in schema audit": (
        "db-audit-append-only",
        (
            "CREATE SCHEMA audit; CREATE TABLE audit.events (a int); GRANT UPDATE ON audit."
            "events TO app;"
        ),
    ),
    "truncate trigger": ("db-app-cannot-delete", ORDERS + ("GRANT TRIGGER ON orders TO app;")),
    "references + cascade?": (
        "db-app-cannot-delete",
        ORDERS + ("GRANT SELECT,DELETE ON TABLE orders TO GROUP app;"),
    ),
    "copy from program in function": (
        "db-app-cannot-delete",
        (
            "CREATE FUNCTION x() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_"
            "path='' AS $$ BEGIN COPY t FROM PROGRAM 'x'; END $$; REVOKE ALL ON FUNCTION x("
            ") FROM PUBLIC; GRANT EXECUTE ON FUNCTION x() TO app;"
        ),
    ),
    "grant on future loop exec": (
        "db-app-cannot-delete",
        (
            "DO $$ DECLARE r record; BEGIN FOR r IN SELECT 'GRANT DELETE ON '||quote_ident("
            "tablename)||' TO app' AS q FROM pg_tables LOOP EXECUTE 'GRANT DELETE ON '||quo"
            "te_ident(r.q)||' TO app'; END LOOP; END $$"
        ),
    ),
    "owner by create schema auth": (
        "db-app-cannot-delete",
        ("CREATE SCHEMA IF NOT EXISTS AUTHORIZATION app;"),
    ),
    "inherits noinherit login in owner": (
        "db-app-cannot-delete",
        (
            "CREATE ROLE shop_owner NOLOGIN; CREATE ROLE app LOGIN NOINHERIT; GRANT shop_ow"
            "ner TO app;CREATE TABLE orders (id bigint PRIMARY KEY, status text NOT NULL);\n"
            "ALTER TABLE orders OWNER TO shop_owner;"
        ),
    ),
}
