"""Migrations as other tools and people write them: what a careful person lets pass.

A case is one file, or several with their names; it is judged without a manifest. `sql_cases_bad.py`
has what is refused.
"""

from __future__ import annotations

from typing import Final

from tests.policies.sql_cases_more import MORE_GOOD, ORDERS

Case = str | tuple[tuple[str, str], ...]

CLOSED: Final = "REVOKE ALL ON FUNCTION purge() FROM PUBLIC;\n"
SAFE: Final = "SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"

PG_DUMP: Final = """--
-- PostgreSQL database dump
--

\\restrict 8aVvJ0Q3xTq0uS3C3mZsAq

-- Dumped from database version 17.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE SCHEMA shop;
ALTER SCHEMA shop OWNER TO shop_owner;
COMMENT ON SCHEMA shop IS 'the shop; it''s \\ fine';

CREATE TYPE shop.state AS ENUM (
    'new',
    'paid'
);
ALTER TYPE shop.state OWNER TO shop_owner;

CREATE FUNCTION shop.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.changed := now();
  RETURN NEW;
END
$$;
ALTER FUNCTION shop.touch() OWNER TO shop_owner;

SET default_tablespace = '';
SET default_table_access_method = heap;

CREATE TABLE shop.orders (
    id bigint NOT NULL,
    state shop.state DEFAULT 'new'::shop.state NOT NULL,
    changed timestamp with time zone
);
ALTER TABLE shop.orders OWNER TO shop_owner;
ALTER TABLE shop.orders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME shop.orders_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

COPY shop.orders (id, state, changed) FROM stdin;
1\tnew\t\\N
2\tpaid\t2026-01-01 00:00:00+00
3\tdelete from shop.orders; 'quote\t\\N
\\.

SELECT pg_catalog.setval('shop.orders_id_seq', 3, true);

ALTER TABLE ONLY shop.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
CREATE INDEX orders_state ON shop.orders USING btree (state);
CREATE TRIGGER touch BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE PUBLICATION feed FOR TABLE ONLY shop.orders WITH (publish = 'insert, update');

GRANT USAGE ON SCHEMA shop TO shop_app;
GRANT SELECT,INSERT,UPDATE ON TABLE shop.orders TO shop_app;
GRANT SELECT,USAGE ON SEQUENCE shop.orders_id_seq TO shop_app;
ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop GRANT SELECT ON TABLES TO shop_reader;

\\unrestrict 8aVvJ0Q3xTq0uS3C3mZsAq
"""

GOOD: Final[dict[str, Case]] = {
    **MORE_GOOD,
    "pg_dump": PG_DUMP,
    "pg_dump of a whole cluster": (
        "CREATE ROLE shop_owner;\nALTER ROLE shop_owner WITH NOSUPERUSER INHERIT NOCREATEROLE "
        "NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS;\n"
        "CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C';\n"
        "ALTER DATABASE shop OWNER TO postgres;\n\\connect shop\n" + ORDERS
    ),
    "Flyway": (
        ("db/V1__orders.sql", ORDERS),
        ("db/V2__grants.sql", "GRANT SELECT, INSERT, UPDATE ON orders TO shop_app;"),
        ("db/U2__grants.sql", "REVOKE SELECT, INSERT, UPDATE ON orders FROM shop_app;"),
        ("db/U1__orders.sql", "DROP TABLE orders;"),
    ),
    "golang-migrate": (
        ("m/000001_orders.down.sql", "DROP TABLE IF EXISTS orders;"),
        ("m/000001_orders.up.sql", "BEGIN;\n" + ORDERS + "COMMIT;"),
        ("m/000002_grant.down.sql", "REVOKE SELECT ON orders FROM shop_app;"),
        ("m/000002_grant.up.sql", "GRANT SELECT ON orders TO shop_app;"),
    ),
    "goose": (
        "-- +goose Up\n-- +goose StatementBegin\n" + ORDERS + "-- +goose StatementEnd\n"
        "-- +goose Down\nDROP TABLE orders;\n"
    ),
    "dbmate": "-- migrate:up\n"
    + ORDERS
    + "\n-- migrate:down transaction:false\nDROP TABLE orders;",
    "sql-migrate": "-- +migrate Up\n" + ORDERS + "\n-- +migrate Down\nDROP TABLE orders;\n",
    "Alembic, offline": (
        "BEGIN;\n\nCREATE TABLE alembic_version (\n    version_num VARCHAR(32) NOT NULL, \n"
        "    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)\n);\n\n"
        "-- Running upgrade  -> 1975ea83b712\n\nCREATE TABLE account (\n    id SERIAL NOT NULL, \n"
        "    name VARCHAR(50) NOT NULL, \n    PRIMARY KEY (id)\n);\n\n"
        "INSERT INTO alembic_version (version_num) VALUES ('1975ea83b712') RETURNING "
        "alembic_version.version_num;\n\n"
        "DELETE FROM alembic_version WHERE alembic_version.version_num = 'ae1027a6acf';\n\nCOMMIT;"
    ),
    "Prisma": (
        "-- CreateEnum\nCREATE TYPE \"Role\" AS ENUM ('USER', 'ADMIN');\n\n-- CreateTable\n"
        'CREATE TABLE "User" (\n    "id" SERIAL NOT NULL,\n    "email" TEXT NOT NULL,\n'
        '    "role" "Role" NOT NULL DEFAULT \'USER\',\n\n'
        '    CONSTRAINT "User_pkey" PRIMARY KEY ("id")\n);\n\n-- CreateTable\n'
        'CREATE TABLE "Post" ("id" SERIAL NOT NULL, "authorId" INTEGER NOT NULL);\n'
        '-- CreateIndex\nCREATE UNIQUE INDEX "User_email_key" ON "User"("email");\n\n'
        '-- AddForeignKey\nALTER TABLE "Post" ADD CONSTRAINT "Post_authorId_fkey" FOREIGN KEY '
        '("authorId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;\n'
    ),
    "Drizzle": (
        'CREATE TABLE IF NOT EXISTS "users" ("id" serial PRIMARY KEY NOT NULL);\n'
        '--> statement-breakpoint\nDO $$ BEGIN\n CREATE TYPE "public"."mood" AS ENUM(\'sad\');\n'
        "EXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;\n--> statement-breakpoint\n"
        'DO $$ BEGIN\n ALTER TABLE "posts" ADD CONSTRAINT "posts_fk" FOREIGN KEY ("author") '
        'REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;\n'
        "EXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;\n"
    ),
    "Rails structure.sql": (
        "SET statement_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\n"
        "CREATE EXTENSION IF NOT EXISTS plpgsql WITH SCHEMA pg_catalog;\n"
        "COMMENT ON EXTENSION plpgsql IS 'PL/pgSQL procedural language';\n"
        "SET default_tablespace = '';\nCREATE TABLE public.ar_internal_metadata (key character "
        "varying NOT NULL, value character varying);\n"
        "CREATE TABLE public.schema_migrations (version character varying NOT NULL);\n"
        "CREATE SEQUENCE public.a_id_seq START WITH 1 INCREMENT BY 1 CACHE 1;\n"
        "ALTER SEQUENCE public.a_id_seq OWNED BY public.schema_migrations.version;\n"
        'SET search_path TO "$user", public;\n'
        "INSERT INTO \"schema_migrations\" (version) VALUES\n('20260101000000');\n"
    ),
    "Django sqlmigrate": (
        'BEGIN;\n--\n-- Create model Author\n--\nCREATE TABLE "app_author" ("id" bigint NOT '
        'NULL PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, "name" varchar(100) NOT NULL);\n'
        'ALTER TABLE "app_author" ADD COLUMN "age" integer DEFAULT 0 NOT NULL;\n'
        'ALTER TABLE "app_author" ALTER COLUMN "age" DROP DEFAULT;\n'
        "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;\n"
        'CREATE INDEX "app_author_name_like" ON "app_author" ("name" varchar_pattern_ops);\n'
        "COMMIT;"
    ),
    "psql": (
        "\\set ON_ERROR_STOP on\n\\echo 'creating; orders'\n\\timing\n"
        + ORDERS
        + "\\pset pager off\n\\d orders\n\\copy orders from 'orders.csv' csv header\n"
    ),
    "a role if there is none": (
        "DO $$\nBEGIN\n  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'shop_app')"
        " THEN\n    CREATE ROLE shop_app LOGIN;\n  END IF;\nEND\n$$;\n"
        + ORDERS
        + "GRANT SELECT, INSERT, UPDATE ON orders TO shop_app;"
    ),
    "DO, without an effect": "DO $$ BEGIN RAISE NOTICE 'hello %', current_user; END $$;",
    "DO, grants by format": (
        "DO $$ DECLARE s text; BEGIN\n  EXECUTE format('GRANT CONNECT ON DATABASE %I TO shop_app', "
        "current_database());\n  FOR s IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^t_' "
        "LOOP\n    EXECUTE format('GRANT USAGE ON SCHEMA %I TO shop_app', s);\n"
        "    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO shop_app', s);\n"
        "  END LOOP;\nEND $$;"
    ),
    "DO, partitions": (
        "CREATE TABLE event (at timestamptz) PARTITION BY RANGE (at);\nDO $$ DECLARE d date := "
        "'2026-01-01'; i int; BEGIN FOR i IN 0..11 LOOP\n EXECUTE format('CREATE TABLE IF NOT "
        "EXISTS %I PARTITION OF event FOR VALUES FROM (%L) TO (%L)', 'event_' || i, d, d + 31);\n"
        " EXECUTE 'CREATE INDEX ON event_' || i || ' (at)'; END LOOP; END $$;"
    ),
    "transaction rolled back": ORDERS + "BEGIN; GRANT DELETE ON orders TO shop_app; ROLLBACK;",
    "savepoint": (
        ORDERS + "BEGIN; SAVEPOINT a; GRANT DELETE ON orders TO shop_app; ROLLBACK TO SAVEPOINT a; "
        "GRANT SELECT ON orders TO shop_app; COMMIT;"
    ),
    "an owner that nobody logs in as": (
        "CREATE ROLE shop NOLOGIN; CREATE ROLE web LOGIN; CREATE SCHEMA s AUTHORIZATION shop;"
        "CREATE TABLE s.t (a int); ALTER TABLE s.t OWNER TO shop; GRANT USAGE ON SCHEMA s TO web;"
        "GRANT SELECT, INSERT ON s.t TO web;"
    ),
    "roles by their names": (
        "CREATE ROLE shop_owner NOLOGIN; CREATE ROLE shop_migrator LOGIN IN ROLE shop_owner;"
        "CREATE ROLE shop_retention LOGIN;" + ORDERS + "ALTER TABLE orders OWNER TO shop_owner;"
        "GRANT DELETE ON orders TO shop_retention; GRANT shop_owner TO shop_migrator WITH INHERIT "
        "FALSE, SET TRUE; ALTER ROLE shop_migrator SET role = 'shop_owner';"
    ),
    "settings of roles and databases": (
        "CREATE ROLE web LOGIN CONNECTION LIMIT 20 VALID UNTIL '2027-01-01';"
        "ALTER ROLE web SET statement_timeout = '30s'; ALTER ROLE web SET search_path = shop;"
        "ALTER DATABASE shop SET timezone = 'UTC'; ALTER ROLE web IN DATABASE shop SET lock_timeout"
        " = '5s'; ALTER ROLE web RESET statement_timeout;"
    ),
    "pgaudit's role": (
        ORDERS + "CREATE ROLE rds_pgaudit; GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO "
        "rds_pgaudit;"
    ),
    "audit table, guarded": (
        "CREATE TABLE audit_log (at timestamptz, what text);\n"
        "CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n"
        "  RAISE EXCEPTION 'audit_log is only added to';\nEND $$;\n"
        "CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION "
        "audit_is_kept();\nGRANT INSERT, SELECT ON audit_log TO shop_app;"
    ),
    "row level security": (
        "CREATE TABLE doc (id int, tenant_id uuid NOT NULL);\nALTER TABLE doc ENABLE ROW LEVEL "
        "SECURITY;\nALTER TABLE doc FORCE ROW LEVEL SECURITY;\nCREATE POLICY own ON doc FOR ALL TO "
        "shop_app USING (tenant_id = current_setting('app.tenant')::uuid) WITH CHECK (tenant_id = "
        "current_setting('app.tenant')::uuid);\nCREATE POLICY gone ON doc FOR DELETE TO "
        "shop_retention USING (true);\nGRANT SELECT, INSERT, UPDATE ON doc TO shop_app;\n"
    ),
    "view of the invoker": (
        "CREATE TABLE doc (id int, tenant_id uuid); ALTER TABLE doc ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY own ON doc USING (tenant_id = current_setting('app.tenant')::uuid);"
        "CREATE VIEW d WITH (security_invoker = true, security_barrier) AS SELECT * FROM doc;"
        "GRANT SELECT ON d TO shop_app;"
    ),
    "view, with a trigger": (
        ORDERS + "CREATE VIEW v AS SELECT id FROM orders; CREATE FUNCTION put() RETURNS trigger "
        "LANGUAGE plpgsql AS $$ BEGIN INSERT INTO orders VALUES (NEW.id, 'x'); RETURN NEW; END $$;"
        "CREATE TRIGGER put INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION put();"
        "GRANT INSERT, SELECT ON v TO shop_app;"
    ),
    "definer, closed": (
        ORDERS + f"CREATE FUNCTION purge() RETURNS void LANGUAGE sql {SAFE} AS "
        "'DELETE FROM public.orders WHERE status = ''gone''';"
        + CLOSED
        + "GRANT EXECUTE ON FUNCTION purge() TO shop_retention;"
    ),
    "definer that only reads": (
        ORDERS + f"CREATE FUNCTION purge() RETURNS bigint LANGUAGE plpgsql STABLE {SAFE} AS $$ "
        "DECLARE n bigint; BEGIN SELECT count(*) INTO n FROM orders; RETURN n; END $$;"
        + CLOSED
        + "GRANT EXECUTE ON FUNCTION purge() TO shop_app;"
    ),
    "definer with a setting of its own": (
        f"CREATE FUNCTION purge() RETURNS void LANGUAGE plpgsql {SAFE} AS $$ BEGIN "
        "PERFORM set_config('app.tenant', 'x', true); EXECUTE 'ANALYZE'; END $$;"
        + CLOSED
        + "GRANT EXECUTE ON FUNCTION purge() TO shop_app;"
    ),
    "procedure, closed": (
        "CREATE PROCEDURE purge() LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$ "
        "BEGIN NULL; END $$; REVOKE EXECUTE ON PROCEDURE purge() FROM PUBLIC;"
        "GRANT EXECUTE ON PROCEDURE purge() TO shop_app;"
    ),
    "definers of a schema, closed": (
        "CREATE SCHEMA s; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM PUBLIC;"
        "CREATE FUNCTION s.a() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' "
        "RETURN 1; ALTER FUNCTION s.a() SET search_path = pg_catalog, pg_temp;"
    ),
    "columns": ORDERS + "GRANT SELECT, INSERT (id), UPDATE (status) ON orders TO shop_app;",
    "all tables": (
        ORDERS + "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO shop_app;"
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO shop_app;"
        "ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE"
        " ON TABLES TO shop_app; REVOKE DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public FROM "
        "shop_app; REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
    ),
    "everything, then less": (
        ORDERS
        + "GRANT SELECT, DELETE ON orders TO shop_app; REVOKE DELETE ON orders FROM shop_app;"
    ),
    "roles of RDS": "GRANT rds_iam TO shop_app; GRANT pg_monitor TO watcher;",
    "predefined": "GRANT pg_read_all_data TO reports; GRANT pg_maintain TO keeper;",
    "quoted and not ASCII": (
        'CREATE TABLE "Aufträge; DELETE" ("Größe" int); GRANT SELECT ON "Aufträge; DELETE" TO "größe";'
        'COMMENT ON COLUMN "Aufträge; DELETE"."Größe" IS $q$GRANT DELETE \\ $q$;'
    ),
    "temporary": (
        "CREATE TEMP TABLE seen (a int); INSERT INTO seen VALUES (1); DELETE FROM seen;"
        "TRUNCATE seen; DROP TABLE seen;"
    ),
    "inside a schema": (
        "CREATE SCHEMA s AUTHORIZATION shop_owner CREATE TABLE t (a int) CREATE VIEW v AS SELECT a "
        "FROM t GRANT SELECT ON t TO shop_app;"
    ),
    "cascade that nobody sets off": (
        ORDERS + "CREATE TABLE line (o bigint REFERENCES orders ON DELETE CASCADE);"
        "GRANT SELECT, INSERT, UPDATE ON orders, line TO shop_app;"
    ),
    "aggregates, operators, casts": (
        "CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';"
        "CREATE AGGREGATE total (int) (SFUNC = plus, STYPE = int, INITCOND = '0');"
        "CREATE OPERATOR @+ (FUNCTION = plus, LEFTARG = int, RIGHTARG = int);"
        "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "CREATE CAST (text AS int) WITH INOUT; CREATE TEXT SEARCH CONFIGURATION de (COPY = german);"
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0); DROP AGGREGATE total (int);"
    ),
    "names again": (
        ORDERS + "ALTER TABLE orders RENAME TO sales; ALTER TABLE sales RENAME COLUMN status TO s;"
        "CREATE SCHEMA a; ALTER SCHEMA a RENAME TO b; ALTER TABLE sales SET SCHEMA b;"
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f() RENAME TO g;"
        "ALTER FUNCTION g() SET SCHEMA b; CREATE ROLE x; ALTER ROLE x RENAME TO y;"
        "ALTER TYPE t RENAME VALUE 'a' TO 'b'; ALTER INDEX i RENAME TO j;"
    ),
    "event trigger": (
        "CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE "
        "'%', tg_tag; END $$; CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION seen();"
    ),
    "extensions": (
        "CREATE SCHEMA IF NOT EXISTS extensions; CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA "
        'extensions; CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA extensions CASCADE;'
        "ALTER EXTENSION pgcrypto UPDATE;"
    ),
    "extension moved out of public": (
        "CREATE SCHEMA x; CREATE EXTENSION citext; ALTER EXTENSION citext SET SCHEMA x;"
    ),
    "explained": ORDERS + "EXPLAIN SELECT * FROM orders; EXPLAIN ANALYZE SELECT 1; DISCARD ALL;",
    "concurrently": ORDERS
    + "CREATE INDEX CONCURRENTLY i ON orders (status); REINDEX TABLE orders;",
    "reassigned": "CREATE ROLE a; REASSIGN OWNED BY a TO shop_owner; DROP ROLE a;",
    "a function that app could already do": (
        ORDERS + "CREATE FUNCTION purge() RETURNS void LANGUAGE sql AS 'DELETE FROM orders';"
    ),
    "grant of what deletes, to who may": (
        "GRANT EXECUTE ON FUNCTION purge_orders(int) TO shop_retention;"
    ),
    "password as a verifier": (
        "CREATE ROLE web LOGIN PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$a2V5:c2VydmVy';"
    ),
}
