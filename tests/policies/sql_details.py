"""What the tests of the SQL model's details share: shortest schemas, and what is told of a text."""

from __future__ import annotations

from policies.database.model import Database
from policies.evaluation import Kind as Verdicts
from policies.evaluation import Verdict, evaluate
from policies.inventory import Stack
from policies.rules import Context
from policies.sql import migrations
from policies.sql.interpreter import SqlFile, run
from policies.sql.session import Session

T = "CREATE TABLE t (a int, b int);\n"
SAFE = "SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
PURGE = (
    f"CREATE FUNCTION purge() RETURNS void LANGUAGE sql {SAFE} AS 'DELETE FROM public.t';\n"
    "REVOKE ALL ON FUNCTION purge() FROM PUBLIC;\n"
)
ON_UPDATE = (
    f"CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql {SAFE} AS $$ BEGIN DELETE FROM "
    "public.t; RETURN NULL; END $$; REVOKE ALL ON FUNCTION gone() FROM PUBLIC;\n"
)
DOC = (
    "CREATE TABLE doc (id int, tenant_id int); ALTER TABLE doc ENABLE ROW LEVEL SECURITY;"
    "CREATE VIEW v AS SELECT * FROM doc;"
)
AUDIT = "CREATE TABLE audit_log (a int, b int);"


def judged(text: str) -> list[Verdict]:
    found = evaluate(Stack([migrations([("1.sql", text)])]), Context())
    return [one for one in found if one.kind is Verdicts.VIOLATION and one.blocks]


def found(text: str) -> list[str]:
    """Rules and findings, shortened: `rule: finding`."""
    return [f"{one.rule.id}: {_short(one.finding)}" for one in judged(text)]


def _short(finding: str) -> str:
    text = finding.partition('" ')[2].partition("; it must")[0]
    return text.removeprefix("lets an application delete: ")


def after(text: str) -> tuple[Database, Session]:
    session = Session(Database(), "(x)")
    run(session, [SqlFile("1.sql", text)], fresh_session_per_file=False)
    return session.database, session


DELETE = "db-app-cannot-delete: "
