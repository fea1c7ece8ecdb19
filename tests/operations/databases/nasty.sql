-- A database with everything that has ever broken a dump, small enough for every run.
CREATE EXTENSION citext;
CREATE EXTENSION pgcrypto;
CREATE SCHEMA "Odd ""Schema"" with 'quotes' and ünïcode";
CREATE SCHEMA plain;
COMMENT ON SCHEMA plain IS E'line one\nline two \\ ''quoted''';

CREATE TYPE plain.mood AS ENUM ('sad', 'ok', 'happy; DROP TABLE x');
CREATE DOMAIN plain.positive AS numeric CHECK (VALUE > 0);
CREATE TYPE plain.pair AS (left_part int, right_part text);
CREATE COLLATION plain.anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE TABLE plain.extremes (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 5 INCREMENT BY 7) PRIMARY KEY,
    small smallint, whole int, big bigint, exact numeric, price numeric(12, 2), r real, d double precision,
    flag boolean, t text, v varchar(20), c char(10), n name, ch "char", ci citext, nd text COLLATE plain.anycase,
    b bytea, u uuid, dt date, ti time, tz timetz, ts timestamp, tstz timestamptz, iv interval,
    j json, jb jsonb, x xml, ar int[], ar2 text[][], rg int4range, mr datemultirange, tr tstzrange,
    ip inet, net cidr, mac macaddr, pt point, pg polygon, bits bit(8), vb bit varying, tv tsvector, tq tsquery,
    m plain.mood, p plain.positive, pr plain.pair, prs plain.pair[], o oid, rc regclass, mo money, lsn pg_lsn,
    doubled numeric GENERATED ALWAYS AS (exact * 2) STORED
);
INSERT INTO plain.extremes (small, whole, big, exact, price, r, d, flag, t, v, c, n, ch, ci, nd, b, u, dt, ti, tz, ts, tstz, iv,
    j, jb, x, ar, ar2, rg, mr, tr, ip, net, mac, pt, pg, bits, vb, tv, tq, m, p, pr, prs, o, rc, mo, lsn) VALUES
(-32768, -2147483648, -9223372036854775808, 'NaN', -9999999999.99, '-Infinity', '-0', false, '', '', '', '', '', '', '', '',
 '00000000-0000-0000-0000-000000000000', '4713-01-01 BC', '00:00', '00:00+15:59', '-infinity', 'infinity', '-178000000 years',
 '{"a" : 1, "a": 2}', '{"b": 1.00, "a": null}', '<a>&lt;</a>', '{}', '{}', 'empty', '{}', '(,)', '::1', '::/0', '00:00:00:00:00:00',
 '(NaN,Infinity)', '((0,0))', '00000000', '', '', '', 'sad', 0.0000000000000000000000001, '(,)', '{}', 0, 'plain.extremes', '-92233720368547758.08', '0/0'),
(32767, 2147483647, 9223372036854775807, 1e200, 9999999999.99, 1e-37, 1.7976931348623157e308, true,
 E'tab\tnewline\ncarriage\rbackslash\\ \\. quote'' "double" \x01 \x08\x0b\x0c\x0b0123456789abcdef0123456789abcdef 1 2\n \u20ac \U0001F418', E'\\N', 'padded', 'x', 'c', 'CaSe', 'CASE', '\x00ff0a5c2e0d',
 'ffffffff-ffff-ffff-ffff-ffffffffffff', '5874897-12-31', '24:00', '23:59:59.999999-15:59', '294276-12-31 23:59:59.999999',
 '2026-03-29 01:30:00+00', '1 mon -1 day 00:00:00.000001', '[1, {"k": "v"}]', '{"deep": {"er": ["\u0001", 1e10]}}', '<?xml version="1.0"?><r/>',
 '[2:4]={1,NULL,3}', '{{a,"b,c"},{"d\"e",NULL}}', '[1,10)', '{[2020-01-01,2021-01-01),[2022-01-01,)}', '["2026-01-01 00:00+00",infinity)',
 '192.168.1.1/24', '10.0.0.0/8', 'ff:ff:ff:ff:ff:ff', '(1.5,-2.5)', '((0,0),(1,1),(2,0))', '10101010', '101', 'a:1A b:2', 'a & !b',
 'happy; DROP TABLE x', 42.5, '(1,"a ""quoted"" (text)")', '{"(1,a)","(2,)"}', 4294967295, 'pg_class', '92233720368547758.07', 'FFFFFFFF/FFFFFFFF'),
(NULL, NULL, NULL, NULL, NULL, 'NaN', 'NaN', NULL, repeat('long ', 100000), NULL, NULL, NULL, NULL, NULL, NULL, decode(repeat('00ff', 50000), 'hex'),
 NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE "Odd ""Schema"" with 'quotes' and ünïcode"."Tab.le; --" (
    "select" serial PRIMARY KEY, "Col""umn' \ %s %(x)s {}" text, "таблица" int);
INSERT INTO "Odd ""Schema"" with 'quotes' and ünïcode"."Tab.le; --" ("Col""umn' \ %s %(x)s {}", "таблица") SELECT 'row ' || i, i FROM generate_series(1, 100) i;

CREATE TABLE plain.measured (at date NOT NULL, region text NOT NULL, value float8, PRIMARY KEY (at, region)) PARTITION BY RANGE (at);
CREATE TABLE plain.measured_2025 PARTITION OF plain.measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (region);
CREATE TABLE plain.measured_2025_eu PARTITION OF plain.measured_2025 FOR VALUES IN ('eu');
CREATE TABLE plain.measured_2025_rest PARTITION OF plain.measured_2025 DEFAULT;
CREATE TABLE plain.measured_rest PARTITION OF plain.measured DEFAULT;
INSERT INTO plain.measured SELECT '2025-06-01'::date + i, CASE i % 3 WHEN 0 THEN 'eu' ELSE 'r' || i END, i / 7.0 FROM generate_series(1, 400) i;

CREATE TABLE plain.animal (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE plain.dog (barks boolean DEFAULT true) INHERITS (plain.animal);
INSERT INTO plain.animal VALUES (1, 'cat');
INSERT INTO plain.dog VALUES (2, 'rex', true);

CREATE TABLE plain.parent (a int, b text, PRIMARY KEY (a, b));
CREATE TABLE plain.child (id int PRIMARY KEY, a int, b text, up int REFERENCES plain.child DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (a, b) REFERENCES plain.parent MATCH FULL ON DELETE CASCADE, EXCLUDE USING gist (int4range(id, id, '[]') WITH &&));
INSERT INTO plain.parent VALUES (1, 'x'), (2, 'y');
INSERT INTO plain.child VALUES (1, 1, 'x', 2), (2, NULL, NULL, 1), (3, 2, 'y', NULL);

CREATE TABLE plain.nothing ();
INSERT INTO plain.nothing DEFAULT VALUES;
INSERT INTO plain.nothing DEFAULT VALUES;
CREATE TABLE plain.only_generated (a int GENERATED ALWAYS AS (1) STORED);
CREATE TABLE plain.dropped (a int, b int, c int);
ALTER TABLE plain.dropped DROP COLUMN b;
INSERT INTO plain.dropped VALUES (1, 3);
ALTER TABLE plain.dropped ADD COLUMN d text DEFAULT 'added later';
CREATE UNLOGGED TABLE plain.unlogged AS SELECT i FROM generate_series(1, 10) i;

CREATE SEQUENCE plain.lonely AS smallint INCREMENT BY -3 MINVALUE -300 MAXVALUE 100 START 100 CYCLE;
SELECT nextval('plain.lonely'), nextval('plain.lonely');
CREATE SEQUENCE plain.never_called START 77;

CREATE VIEW plain.seen AS SELECT id, t FROM plain.extremes WHERE flag WITH CHECK OPTION;
CREATE MATERIALIZED VIEW plain.kept AS SELECT region, count(*) FROM plain.measured GROUP BY region;
CREATE UNIQUE INDEX ON plain.kept (region);
CREATE INDEX expression ON plain.extremes USING btree (lower(t) text_pattern_ops) WHERE t <> '' AND length(t) < 100;
CREATE INDEX ON plain.extremes USING gin (jb jsonb_path_ops);
CREATE STATISTICS plain.correlated ON region, at FROM plain.measured_2025_rest;

CREATE FUNCTION plain.stamp() RETURNS trigger LANGUAGE plpgsql AS $outer$
BEGIN NEW.t := coalesce(NEW.t, $inner$it's $inner$ || E'\\'); RETURN NEW; END $outer$;
CREATE TRIGGER stamped BEFORE INSERT OR UPDATE OF t ON plain.extremes FOR EACH ROW WHEN (NEW.whole > 0) EXECUTE FUNCTION plain.stamp();
CREATE FUNCTION plain.total(VARIADIC numbers int[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT sum(n) FROM unnest(numbers) n';
CREATE AGGREGATE plain.joined (text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE PROCEDURE plain.act() LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1';
CREATE FUNCTION plain.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
CREATE EVENT TRIGGER watched ON ddl_command_end WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION plain.watch();
CREATE RULE quiet AS ON DELETE TO plain.dropped DO INSTEAD NOTHING;

ALTER TABLE plain.animal ENABLE ROW LEVEL SECURITY;
ALTER TABLE plain.animal FORCE ROW LEVEL SECURITY;
CREATE POLICY only_cats ON plain.animal USING (name = 'cat') WITH CHECK (name <> '');

CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname 'x');
CREATE FOREIGN TABLE plain.far (a int) SERVER elsewhere;

SELECT lo_from_bytea(424242, '\x0001020304ff');
COMMENT ON LARGE OBJECT 424242 IS 'a large object';
SELECT lo_from_bytea(0, decode(repeat('ab', 100000), 'hex'));

COMMENT ON COLUMN plain.extremes.t IS 'text; with -- comment */ marks';
ALTER TABLE plain.dropped ALTER COLUMN a SET STATISTICS 500, ALTER COLUMN a SET (n_distinct = 5);
ALTER TABLE plain.dropped SET (fillfactor = 70, autovacuum_enabled = false);
CREATE PUBLICATION everything FOR TABLE plain.dropped (a, d) WHERE (a > 0);
