"""What a restore makes on the server: kept with its report once it is finished, else dropped."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape

from operations.database import Endpoint
from operations.restore import databases, report
from operations.restore.preconditions import UnfitTargetError
from operations.restore.report import Report
from pgkeep.backup.access import progress_console
from pgkeep.deployed import DeployedStack, connector

_MAINTENANCE_DATABASE = "postgres"


def keep(stack: DeployedStack, made: Report) -> None:
    """Write the report beside the backups; what is proven does not go for want of it."""
    try:
        report.write(made, s3=stack.client("s3"), bucket=stack.bucket)
    except (BotoCoreError, ClientError) as error:
        reason = " ".join(str(error).split())
        progress_console.print(
            f"[yellow]The report could not be kept in {stack.bucket} ({escape(reason)}), so that "
            "`pgkeep backup list` does not call the backup proven.[/yellow]",
            soft_wrap=True,
        )


@contextmanager
def finished_or_dropped(connection: psycopg.Connection[Any], name: str) -> Generator[bool]:
    """Drops the database when the block does not come to its end, unless it was there before.

    Gives whether the block has to make it.
    """
    is_new = not databases.exists(connection, name)
    try:
        yield is_new
    except BaseException as error:
        if is_new:
            drop_incomplete(connection, name)
        elif not isinstance(error, UnfitTargetError):
            progress_console.print(
                f"[yellow]Database {escape(name)} was there before and is incomplete: nothing can "
                "be restored into it until it is dropped or empty.[/yellow]",
                soft_wrap=True,
            )
        raise


def drop_incomplete(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop what a restore made and could not finish; `connection` may be what broke."""
    try:
        with databases.lasting(connection) as usable:
            databases.drop(usable, name)
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        progress_console.print(
            f"[yellow]Database {escape(name)} is incomplete and could not be dropped "
            f"({escape(reason)}): drop it.[/yellow]",
            soft_wrap=True,
        )
    else:
        progress_console.print(
            f"Database {escape(name)} was incomplete and is dropped again.", soft_wrap=True
        )


def server_roles(connection: psycopg.Connection[Any]) -> list[str]:
    """All roles but PostgreSQL's and RDS's own."""
    rows = connection.execute(
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname !~ '^(pg_|rds)'"
    ).fetchall()
    return [name for (name,) in rows]


@contextmanager
def maintenance(stack: DeployedStack, endpoint: Endpoint) -> Generator[psycopg.Connection[Any]]:
    """A session of the master beside the databases that it makes and renames."""
    with beside(endpoint, stack.login("master")) as connection:
        yield connection


@contextmanager
def beside(endpoint: Endpoint, login: tuple[str, str]) -> Generator[psycopg.Connection[Any]]:
    """A session in autocommit in a database that every server has."""
    elsewhere = replace(endpoint, database=_MAINTENANCE_DATABASE)
    with connector(elsewhere, login, "pgkeep restore")() as connection:
        connection.autocommit = True
        yield connection
