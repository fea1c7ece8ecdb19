"""Owners of what stands in a schema of somebody else's, for whom a restore asks once more.

Who gives an object to a new owner and is no superuser, as the master of RDS, may do so only where
that owner has CREATE on the schema (PostgreSQL's manual, ALTER TABLE). pg_restore grants after it
has made and given away everything, and the right may have been taken away again since.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from operations.backup.session import Connect

_IDENTIFIER = r'"(?:[^"]|"")+"|[^\s".()]+'
# pg_restore says it first; the server's name of it.
_ENCODING = re.compile(rb"^SET client_encoding = '([A-Za-z0-9_]+)';$", re.MULTILINE)
_OF_SCHEMA = re.compile(
    rf"^ALTER SCHEMA ({_IDENTIFIER}) OWNER TO ({_IDENTIFIER});$".encode(), re.MULTILINE
)
_OF_OBJECT = re.compile(
    rf"^ALTER [A-Z ]+ ({_IDENTIFIER})\..* OWNER TO ({_IDENTIFIER});$".encode(), re.MULTILINE
)


@dataclass(frozen=True, order=True)
class Guest:
    """A schema and a role that owns something in it, but not the schema itself.

    Names are bytes in `encoding`, which is that of the database that was backed up.
    """

    schema: bytes
    role: bytes
    encoding: str


def guests(definitions: bytes) -> list[Guest]:
    """Those of pg_restore's own text. What a function's body says may be among them."""
    said = _ENCODING.search(definitions)
    encoding = said[1].decode() if said else "UTF8"
    owners = {_name(schema): _name(role) for schema, role in _OF_SCHEMA.findall(definitions)}
    found = {
        Guest(_name(schema), _name(role), encoding)
        for schema, role in _OF_OBJECT.findall(definitions)
    }
    return sorted(one for one in found if owners.get(one.schema) != one.role)


@contextmanager
def admitted(connect: Connect, wanted: Sequence[Guest]) -> Generator[None]:
    """Grants CREATE to those who lack it, for as long as the block runs and no longer."""
    if not wanted:
        yield
        return
    with _speaking(connect, wanted[0].encoding) as connection:
        lacking = _lacking(connection, wanted)
        for schema, role in lacking:
            connection.execute(_statement("GRANT CREATE ON SCHEMA {} TO {}", schema, role))
    yield
    # Not after a failure: the database is dropped then.
    with _speaking(connect, wanted[0].encoding) as connection:
        for schema, role in lacking:
            connection.execute(_statement("REVOKE CREATE ON SCHEMA {} FROM {}", schema, role))


@contextmanager
def _speaking(connect: Connect, encoding: str) -> Generator[psycopg.Connection[Any]]:
    """A session in an encoding that has all letters of the names."""
    with connect() as connection:
        connection.autocommit = True
        statement = sql.SQL("SET client_encoding = {}").format(sql.Literal(encoding))
        connection.execute(statement)
        yield connection


def _lacking(connection: psycopg.Connection[Any], wanted: Sequence[Guest]) -> list[tuple[str, str]]:
    codec = connection.info.encoding
    rows = connection.execute(
        """SELECT n.nspname, r.rolname
             FROM unnest(%s::text[], %s::text[]) w(schema, role)
             JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
             JOIN pg_catalog.pg_roles r ON r.rolname = w.role
            WHERE NOT pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')""",
        ([one.schema.decode(codec) for one in wanted], [one.role.decode(codec) for one in wanted]),
    ).fetchall()
    return [(str(schema), str(role)) for schema, role in rows]


def _statement(words: LiteralString, schema: str, role: str) -> sql.Composed:
    return sql.SQL(words).format(sql.Identifier(schema), sql.Identifier(role))


def _name(quoted: bytes) -> bytes:
    # No encoding of a server has the quote within another letter.
    return quoted[1:-1].replace(b'""', b'"') if quoted.startswith(b'"') else quoted
