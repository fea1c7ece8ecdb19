"""Runs in a client's network namespace: statements from stdin over one connection, answers as JSON.

Input: {"connection": libpq parameters, "statements": [SQL]}. Output: {"error": text or null (the
connection's), "results": [{"rows": [...]} or {"error": text, "sqlstate": code}]}; each statement is
its own transaction.
"""

import json
import sys

import psycopg

request = json.load(sys.stdin)
answer = {"error": None, "results": []}
try:
    with psycopg.connect(**request["connection"], autocommit=True) as connection:
        for statement in request["statements"]:
            try:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
                answer["results"].append({"rows": rows, "count": cursor.rowcount})
            except psycopg.Error as error:
                answer["results"].append({"error": str(error), "sqlstate": error.sqlstate})
except psycopg.OperationalError as error:
    answer["error"] = str(error)
json.dump(answer, sys.stdout, default=str)
