"""Owner and grants of a restored database: those of the role manifest, and the proof of it.

A backup carries the grants of its day. Today's manifest decides what an application may do, so that
an old backup brings no old privilege back.
"""

from __future__ import annotations

import time

import psycopg

from operations.backup.session import Connect
from operations.errors import OperationError
from operations.restore.proof import Check, Proof
from operations.roles import privileges
from operations.roles.ledger import Ledger
from workloads.contract import RoleSet

NAME = "owner and grants"
_SHOWN = 5


def apply(roles: RoleSet, *, connect: Connect) -> float:
    """Make them the manifest's, in one transaction; returns the seconds that it took.

    Raises:
        OperationError: something in the schema belongs to somebody else.
    """
    started = time.monotonic()
    with connect() as connection:
        connection.autocommit = False
        _reconcile(Ledger(connection), roles)
        connection.commit()
    return round(time.monotonic() - started, 3)


def prove(proof: Proof, roles: RoleSet, *, connect: Connect, as_of_its_day: bool = False) -> None:
    """Add a check that applying the manifest would change nothing; nothing is changed here.

    With `as_of_its_day`, for an instance that shows a moment, what differs from today's manifest is
    no fault of the restore and only noted.
    """
    started = time.monotonic()
    examined, findings = _differences(roles, connect)
    if findings and as_of_its_day:
        shown = "; ".join(findings[:_SHOWN]) + ("; ..." if len(findings) > _SHOWN else "")
        proof.left_out.append(f"{NAME} are of that moment; today's manifest would {shown}")
        return
    seconds = round(time.monotonic() - started, 3)
    proof.checks.append(Check(NAME, examined, tuple(findings), seconds))


def _differences(roles: RoleSet, connect: Connect) -> tuple[int, list[str]]:
    with connect() as connection:
        connection.autocommit = False
        ledger = Ledger(connection)
        examined = int(
            ledger.value(
                """SELECT count(*) FROM pg_catalog.pg_class c
                     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')""",
                roles.schema_name,
            )
        )
        try:
            _reconcile(ledger, roles)
        except (OperationError, psycopg.Error) as error:
            return examined, [" ".join(str(error).split())]
        finally:
            connection.rollback()
    return examined, list(ledger.changes)


def _reconcile(ledger: Ledger, roles: RoleSet) -> None:
    """What the roles function does inside a database; roles themselves are the server's."""
    privileges.reconcile_schema(ledger, roles)
    with ledger.acting_as(roles.owner.name):
        privileges.reconcile_objects(ledger, roles)
        privileges.reconcile_defaults(ledger, roles)
