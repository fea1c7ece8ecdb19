"""Details of the model: what branches and expressions of a block do, and dynamic SQL."""

from __future__ import annotations

import pytest

from tests.policies.sql_details import (
    DELETE,
    T,
    found,
)

BLOCKS: dict[str, tuple[str, list[str]]] = {
    "ELSIF": ("IF a THEN NULL; ELSIF b THEN {}; END IF;", [DELETE]),
    "ELSE": ("IF a THEN NULL; ELSE {}; END IF;", [DELETE]),
    "CASE": ("CASE WHEN true THEN {}; END CASE;", [DELETE]),
    "CASE ELSE": ("CASE WHEN true THEN NULL; ELSE {}; END CASE;", [DELETE]),
    "LOOP": ("LOOP {}; EXIT; END LOOP;", [DELETE]),
    "WHILE": ("WHILE true LOOP {}; END LOOP;", [DELETE]),
    "FOR": ("FOR i IN 1..2 LOOP {}; END LOOP;", [DELETE]),
    "FOR SELECT": ("FOR r IN SELECT 1 LOOP {}; END LOOP;", [DELETE]),
    "FOR EXECUTE": ("FOR r IN EXECUTE 'SELECT 1' LOOP {}; END LOOP;", [DELETE]),
    "FOREACH": ("FOREACH i IN ARRAY ARRAY[1] LOOP {}; END LOOP;", [DELETE]),
    "block": ("BEGIN {}; END;", [DELETE]),
    "nested": ("IF a THEN IF b THEN {}; END IF; END IF;", [DELETE]),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_every_branch_of_a_block_is_read(name: str) -> None:
    body = BLOCKS[name][0].format("GRANT DELETE ON t TO web")
    declared = "DECLARE r record; i int; a bool; b bool;"
    assert found(f"{T}DO $$ {declared} BEGIN {body} END $$;") == [
        f"{DELETE}web → is granted DELETE on public.t"
    ]
    taking = BLOCKS[name][0].format("REVOKE DELETE ON t FROM web")
    text = f"{T}GRANT DELETE ON t TO web; DO $$ {declared} BEGIN {taking} END $$;"
    certain = name == "block"
    assert found(text) == ([] if certain else [f"{DELETE}web → is granted DELETE on public.t"])


CALLS = {
    "condition": "IF other.f() THEN NULL; END IF;",
    "ELSIF": "IF true THEN NULL; ELSIF other.f() THEN NULL; END IF;",
    "CASE": "CASE other.f() WHEN 1 THEN NULL; END CASE;",
    "WHEN": "CASE WHEN other.f() THEN NULL; END CASE;",
    "WHILE": "WHILE other.f() LOOP NULL; END LOOP;",
    "FOR": "FOR i IN other.f()..3 LOOP NULL; END LOOP;",
    "FOR SELECT": "FOR r IN SELECT other.f() LOOP NULL; END LOOP;",
    "FOREACH": "FOREACH i IN ARRAY other.f() LOOP NULL; END LOOP;",
    "assignment": "i := other.f();",
    "PERFORM": "PERFORM other.f();",
    "RAISE": "RAISE NOTICE '%', other.f();",
    "ASSERT": "ASSERT other.f();",
    "SELECT INTO": "SELECT other.f() INTO i;",
}


@pytest.mark.parametrize("name", CALLS)
def test_every_expression_of_a_block_is_read(name: str) -> None:
    declared = "DECLARE r record; i int;"
    expected = ["db-sql-decidable: calls other.f, which is not defined here"]
    assert found(f"DO $$ {declared} BEGIN {CALLS[name]} END $$;") == expected
    assert found("DO $$ DECLARE i int := other.f(); BEGIN NULL; END $$;") == expected


BRANCHES: dict[str, tuple[str, list[str]]] = {
    "a setting": ("SET LOCAL lock_timeout = '1s'", []),
    "a search_path": ("SET search_path = x", ["db-sql-decidable"]),
    "a rename": ("ALTER TABLE t RENAME TO u", ["db-sql-decidable"]),
    "a column renamed": ("ALTER TABLE t RENAME COLUMN a TO c", []),
    "a constraint renamed": ("ALTER TABLE t RENAME CONSTRAINT a TO c", []),
    "a new function": ("CREATE FUNCTION g() RETURNS int LANGUAGE sql RETURN 1", []),
    "a function replaced": ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1",
                            ["db-sql-decidable"]),
    "a view": ("CREATE VIEW v AS SELECT 1", []),
    "an owner of a schema": ("ALTER SCHEMA s OWNER TO x_owner", ["db-sql-decidable"]),
    "an owner of an index": ("ALTER INDEX i OWNER TO web", []),
    "an owner of a table": ("ALTER TABLE t OWNER TO x_owner", []),
    "a column": ("ALTER TABLE t ADD COLUMN tenant_id int", ["db-row-security"]),
    "a role dropped": ("DROP ROLE web", ["db-no-elevated-roles", "db-app-cannot-delete"]),
    "a role's attribute taken": ("ALTER ROLE web NOSUPERUSER",
                                 ["db-no-elevated-roles", "db-app-cannot-delete"]),
    "a default": ("ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO y", ["db-app-cannot-delete"]),
    "a default taken": ("ALTER DEFAULT PRIVILEGES REVOKE DELETE ON TABLES FROM x",
                        ["db-app-cannot-delete"]),
    "a membership taken": ("REVOKE shop_owner FROM z", ["db-app-cannot-delete"]),
    "a type": ("CREATE TYPE e AS ENUM ('a')", []),
    "an extension": ("CREATE EXTENSION dblink SCHEMA x", ["db-extensions-allowed"]),
    "a view dropped": ("DROP VIEW IF EXISTS owned", ["db-app-cannot-delete"]),
}  # fmt: skip
BEFORE = {
    "a role dropped": "CREATE ROLE web LOGIN SUPERUSER;",
    "a role's attribute taken": "CREATE ROLE web LOGIN SUPERUSER;",
    "a default taken": "ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO x;",
    "a membership taken": "CREATE ROLE shop_owner; GRANT shop_owner TO z; GRANT DELETE ON t TO "
    "shop_owner;",
    "a view dropped": "SET ROLE web; CREATE VIEW owned AS SELECT 1; RESET ROLE;",
}


@pytest.mark.parametrize("name", BRANCHES)
def test_what_a_branch_gives_counts_and_what_it_takes_does_not(name: str) -> None:
    statement, expected = BRANCHES[name]
    before = T + "CREATE SCHEMA s; CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1;"
    text = f"{before}{BEFORE.get(name, '')} DO $$ BEGIN IF true THEN {statement}; END IF; END $$;"
    assert {one.partition(": ")[0] for one in found(text)} == set(expected)


def test_a_row_security_that_a_branch_enables_is_not_counted() -> None:
    table = "CREATE TABLE d (tenant_id int);"
    branch = "DO $$ BEGIN IF true THEN {}; END IF; END $$;"
    text = table + branch.format("ALTER TABLE d ENABLE ROW LEVEL SECURITY, ADD COLUMN x int")
    assert len(found(text)) == 1
    on = table + "ALTER TABLE d ENABLE ROW LEVEL SECURITY;"
    assert found(on) == []
    assert len(found(on + branch.format("ALTER TABLE d DISABLE ROW LEVEL SECURITY"))) == 1


def test_inside_a_block_what_is_certain_takes_away() -> None:
    text = T + "GRANT DELETE ON t TO web; DO $$ BEGIN REVOKE DELETE ON t FROM web; END $$;"
    assert found(text) == []
    caught = text.replace("; END", "; EXCEPTION WHEN others THEN NULL; END")
    assert found(caught) == [f"{DELETE}web → is granted DELETE on public.t"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("DO $$ BEGIN ROLLBACK; END $$;", "is a DO block with a ROLLBACK"),
        ("DO $$ BEGIN COMMIT; END $$;", ""),
        ("DO $$ DECLARE c refcursor; BEGIN OPEN c FOR EXECUTE current_user; END $$;",
         "runs dynamic SQL"),
        ("DO $$ BEGIN oops; END $$;", "is a DO block"),
        ("DO $$ DECLARE q text := 'SELECT 1'; BEGIN EXECUTE q; END $$;", ""),
        ("DO $$ DECLARE q text := 'oops'; BEGIN EXECUTE q; END $$;", "runs dynamic SQL"),
        ("DO $$ DECLARE q text; BEGIN q := 'SELECT 1'; EXECUTE q; END $$;", ""),
        ("DO $$ DECLARE q text := 'a'; BEGIN q := 'SELECT 1'; EXECUTE q; END $$;",
         "runs dynamic SQL"),
        ("DO $$ DECLARE q text := 'SELECT 1'; BEGIN CALL p(q); EXECUTE q; END $$;",
         "runs dynamic SQL"),
        ("DO $$ DECLARE q text := 'SELECT 1'; BEGIN GET DIAGNOSTICS q = ROW_COUNT; EXECUTE q; END "
         "$$;", "runs dynamic SQL"),
        ("DO $$ DECLARE q text := 'SELECT 1'; BEGIN FOREACH q IN ARRAY ARRAY['a'] LOOP EXECUTE q; "
         "END LOOP; END $$;", "runs dynamic SQL"),
        ("DO $$ DECLARE a text := 'SELECT '; q text := a || '1'; BEGIN EXECUTE q; END $$;", ""),
        ("DO $$ BEGIN EXECUTE concat('SELECT ', '1'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('SELECT 1'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE upper('SELECT 1'); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format(VARIADIC ARRAY['SELECT 1']); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE concat('SELECT ', current_user); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %%, %1$L, %1$L', 1); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %1$L, %1$L, 5 %% 2', current_user); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('SELECT %2$L', 1); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %0$L', 1); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %-5s', 'a'); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %s', 'now()'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('SELECT %L', 'it''s'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('COMMENT ON TABLE %I IS %L', 'a\"b', 'x'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('ANALYZE %s', 'a'::regclass); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('ANALYZE t%s', to_char(now(), 'YYYY_MM')); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('ANALYZE t%s', to_char(now(), 'Day')); END $$;",
         "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE 'ANALYZE ' || quote_ident(current_user); END $$;", ""),
        ("DO $$ BEGIN EXECUTE 'SELECT ' || quote_literal(current_user); END $$;", ""),
        ("DO $$ BEGIN EXECUTE 'SELECT ' || quote_nullable('a'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE 'SELECT 1' || 2; END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE 'SELECT 1' + '2'; END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE 'ANALYZE t'::text; END $$;", ""),
        ("DO $$ BEGIN EXECUTE 5::int; END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SET ROLE %I', current_user); END $$;", "sets role to a name"),
        ("DO $$ BEGIN EXECUTE format('SET search_path = %I', current_user); END $$;",
         "sets search_path to a name"),
        ("DO $$ BEGIN EXECUTE format('ALTER ROLE x SET search_path = %I', current_user); END $$;",
         "sets search_path of"),
        ("DO $$ BEGIN EXECUTE format('ALTER TABLE %I RENAME TO b', current_user); END $$;",
         "renames what is not known"),
        ("DO $$ BEGIN EXECUTE format('ALTER ROLE %I RENAME TO b', current_user); END $$;",
         "renames what is not known"),
        ("DO $$ BEGIN EXECUTE format('CREATE RULE r AS ON UPDATE TO %I DO NOTHING', current_user); "
         "END $$;", "makes a rule for a table that is not known"),
        ("DO $$ BEGIN EXECUTE format('CREATE TRIGGER r AFTER UPDATE ON %I EXECUTE FUNCTION f()', "
         "current_user); END $$;", "makes a trigger with f on a table that is not known"),
    ],
)  # fmt: skip
def test_dynamic_sql_is_read_where_it_can_be(text: str, reason: str) -> None:
    told = [one for one in found(text) if one.startswith("db-sql-decidable")]
    assert bool(told) == bool(reason), told
    assert all(reason in one for one in told)
