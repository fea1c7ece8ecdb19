"""Clients wait while the database behind them is replaced: PgBouncer's PAUSE, for a restore.

A restore leaves its wish in a secret that this host reads, and reads this host's answers in the
log group that it writes to: nobody gets a way in. However the restore ends, the pause does too: it
has a deadline of this host's own.

A wish is {"id", "state", "until"}: `ready` makes the host look every second, `pause` holds the
clients, anything else lets them go on; `until` (Unix time) is when it is over in any case.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from hosts import pooler, telemetry
from hosts.health import Health

# One look costs a call of Secrets Manager; who wants a pause waits for the answers.
LOOK_SECONDS = 10
_WATCHING_SECONDS = 1
# PgBouncer refuses clients that have waited for 120 s (its query_wait_timeout).
LONGEST_SECONDS = 100


class Pause:
    """What this host holds back now, and for how long."""

    def __init__(
        self,
        database: str,
        health: Health,
        tell: Callable[[dict[str, Any]], None],
        min_pool_size: int,
    ) -> None:
        """`tell` takes each answer; the health check's own pool is a session in the database.

        `min_pool_size` is what pgbouncer.ini says.
        """
        self._names = (database, pooler.HEALTH_DATABASE)
        self._read_only = f"{database}_readonly"
        self._health, self._tell = health, tell
        self._min_pool_size = min_pool_size
        self._answered: tuple[str, str] | None = None
        self._deadline: float | None = None

    def follow(self, wish: dict[str, Any] | None) -> float:
        """Do what the wish asks now; None: it is not known. Seconds until the next look."""
        left = _until(wish) - time.time() if wish else 0.0
        state = str(wish.get("state")) if wish and left > 0 else ""
        name = str(wish.get("id")) if wish else ""
        if self._deadline is not None:
            if time.monotonic() > self._deadline or (wish is not None and state != "pause"):
                self._let_go(name)
                state = "" if state == "pause" else state
            else:
                self._hold(name)
        elif state == "pause" and self._answered == (name, "ready"):
            self._deadline = time.monotonic() + min(left, LONGEST_SECONDS)
            self._hold(name)
        elif state == "ready":
            self._answer(name, "ready")
        watching = self._deadline is not None or state == "ready"
        return _WATCHING_SECONDS if watching else LOOK_SECONDS

    def begin(self) -> None:
        """A pause that an agent before this one did not end."""
        if self._paused():
            self._deadline = 0.0
            self.follow(None)

    def _hold(self, name: str) -> None:
        self._health.holding = True
        # In a paused database too PgBouncer fills pools up to it, and closes each login at once. It
        # counts that as failed and, when clients may go on, refuses them until one has worked.
        pooler.console("SET min_pool_size = 0")
        paused = self._paused()
        for database in (name for name in self._names if name not in paused):
            # PAUSE would break off a login that is under way, which then counts as failed.
            pooler.await_logins(database)
            try:
                # Answers when the last transaction has ended; the pause holds without that.
                pooler.console(f"PAUSE {database}", _WATCHING_SECONDS)
            except pooler.PoolerError as error:
                print(f"pause: {error}", file=sys.stderr)
        if self._paused() >= set(self._names):
            servers = pooler.console("SHOW SERVERS")
            busy = sum(row["database"] in self._names for row in servers)
            self._answer(name, "paused" if busy else "drained")

    def _let_go(self, name: str) -> None:
        known = {row["name"] for row in pooler.console("SHOW DATABASES")}
        commands = [f"RESUME {database}" for database in self._names if database in self._paused()]
        if self._read_only in known:
            # The replicas' sessions are still in the database that was renamed.
            commands.insert(0, f"RECONNECT {self._read_only}")
        # Before RESUME it would do its harm. Not RELOAD: PgBouncer 1.24.1 dies of one in the middle
        # of a TLS handshake with the server, and now there are many (docs/pooler.md).
        commands.append(f"SET min_pool_size = {self._min_pool_size}")
        for command in commands:
            try:
                pooler.console(command)
            except pooler.PoolerError as error:
                print(f"pause: {error}", file=sys.stderr)
        if not self._paused():
            self._deadline = None
            self._health.holding = False
            self._answer(name, "resumed")

    def _paused(self) -> set[str]:
        rows = pooler.console("SHOW DATABASES")
        return {row["name"] for row in rows if row["paused"] == "1" and row["name"] in self._names}

    def _answer(self, name: str, state: str) -> None:
        if self._answered != (name, state):
            print(f"pause {name}: {state}", file=sys.stderr)
            self._tell({"id": name, "state": state})
            self._answered = (name, state)


def follow_for_ever(health: Health, secrets: Any, logs: Any, instance_id: str) -> None:
    """Look for a wish as long as the host lives."""
    stream = telemetry.LogStream(logs, os.environ["LOG_GROUP"], f"{instance_id}/pause")

    def tell(answer: dict[str, Any]) -> None:
        stream.write([{"timestamp": telemetry.now_ms(), "message": json.dumps(answer)}])

    min_pool_size = int(os.environ["MIN_POOL_SIZE"])
    pause = Pause(os.environ["DATABASE_NAME"], health, tell, min_pool_size)
    begun, complaint = False, ""
    while True:
        seconds: float = LOOK_SECONDS
        problem = ""
        try:
            if not begun:
                pause.begin()
                begun = True
            seconds = pause.follow(wish_in(secrets))
        except Exception as error:  # one line for whatever went wrong; the next look tries again
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
            seconds = _WATCHING_SECONDS if health.holding else LOOK_SECONDS
        if problem and problem != complaint:
            print(f"pause: {problem}", file=sys.stderr)
        complaint = problem
        time.sleep(seconds)


def wish_in(secrets: Any) -> dict[str, Any] | None:
    """The newest wish; empty when there is none in the secret, None when it cannot be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        text = secrets.get_secret_value(SecretId=os.environ["PAUSE_SECRET_ARN"])["SecretString"]
    except ClientError as error:
        missing = error.response.get("Error", {}).get("Code") == "ResourceNotFoundException"
        return {} if missing else None
    except BotoCoreError:
        return None
    except KeyError:
        return {}
    try:
        wish = json.loads(text)
    except ValueError:
        return {}
    # Whatever else somebody wrote: clients do not wait for it to be mended.
    return wish if isinstance(wish, dict) else {}


def _until(wish: dict[str, Any]) -> float:
    try:
        return float(wish.get("until", 0))
    except (TypeError, ValueError):
        return 0.0
