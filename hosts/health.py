"""What a host says about itself: to the load balancer, and to its own watchdog.

Two questions are kept apart. Whether a query works decides if the load balancer sends new
connections here. Whether PgBouncer itself answers decides if the host is replaced: an outage of the
database must never end the hosts.
"""

import json
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hosts import pooler

PATH = "/health"


class Health:
    """The newest results; times are of the monotonic clock."""

    def __init__(self, interval_seconds: float, now: float) -> None:
        """Nothing is proven yet."""
        # Two checks may be lost, and each may take its time.
        self.patience_seconds = 2 * interval_seconds + 2 * pooler.QUERY_TIMEOUT_SECONDS
        self.pooler_answered_at = now
        self.query_proven_at: float | None = None
        self.draining = False
        #: A pause holds every query back, the one of this check too.
        self.holding = False
        self.problem = "no query has been tried yet"

    def check(self) -> bool:
        """Try PgBouncer's console and a query; whether both worked. Says what changed."""
        problem = ""
        try:
            pooler.console("SHOW VERSION")
            self.pooler_answered_at = time.monotonic()
            if not self.holding:
                pooler.prove_query()
            self.query_proven_at = time.monotonic()
        except (pooler.PoolerError, OSError) as error:
            # A query that a pause has overtaken says nothing.
            if not self.holding:
                problem = str(error)
                self.query_proven_at = None
        if problem != self.problem:
            print(f"unhealthy: {problem}" if problem else "healthy", file=sys.stderr)
        self.problem = problem
        return not problem

    def passes(self, now: float) -> bool:
        """Whether the load balancer shall send new connections."""
        proven = self.query_proven_at
        return not self.draining and proven is not None and now - proven <= self.patience_seconds

    def silent_seconds(self, now: float) -> float:
        """How long PgBouncer itself has not answered."""
        return now - self.pooler_answered_at

    def document(self, now: float) -> dict[str, object]:
        """What the endpoint answers: no names, no addresses, no errors of the database."""
        return {
            "query": self.query_proven_at is not None,
            "pooler": self.silent_seconds(now) <= self.patience_seconds,
            "draining": self.draining,
        }


class _Handler(BaseHTTPRequestHandler):
    health: Health
    server_version = "pgkeep"
    sys_version = ""
    timeout = 5

    def do_GET(self) -> None:
        if self.path != PATH:
            self._answer(HTTPStatus.NOT_FOUND, {})
            return
        now = time.monotonic()
        passes = self.health.passes(now)
        status = HTTPStatus.OK if passes else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, self.health.document(now))

    def _answer(self, status: HTTPStatus, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: the load balancer asks all the time."""
        del format, args


def serve(health: Health, address: str, port: int) -> ThreadingHTTPServer:
    """Answer GET /health from now on, in a thread."""
    handler = type("Handler", (_Handler,), {"health": health})
    server = ThreadingHTTPServer((address, port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
