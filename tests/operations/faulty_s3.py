"""moto's S3 and KMS over HTTP, with a way to make requests fail as S3 and networks do."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import boto3
import moto.backends
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from operations import aws_clients

BUCKET = "pgkeep-backups-of-a-fault"
REGION = "eu-west-1"

#: WSGI's environment, start_response, and moto's application to pass the request on to.
Fault = Callable[[dict[str, Any], Any, Any], Iterable[bytes]]


def answer(status: str, code: str) -> Fault:
    """S3 refuses with an error document."""

    def fault(environ: dict[str, Any], start: Any, _: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{code}</Code><Message>{code} of a test</Message></Error>".encode()
        start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    return fault


def reset(environ: dict[str, Any], _: Any, __: Any) -> Iterable[bytes]:
    """The connection is cut in the middle of the request's body."""
    environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), 1024))
    _cut(environ)
    raise ConnectionResetError


def lose_answer(environ: dict[str, Any], start: Any, passed: Any) -> Iterable[bytes]:
    """S3 does what it was asked, and the connection is cut before its answer."""
    list(passed(environ, start))
    _cut(environ)
    raise ConnectionResetError


def hang(seconds: float) -> Fault:
    """S3 says nothing for a while, then answers."""

    def fault(environ: dict[str, Any], start: Any, passed: Any) -> Iterable[bytes]:
        environ["wsgi.input"] = _Read(environ)
        time.sleep(seconds)
        return passed(environ, start)

    return fault


class _Read:
    """A request's body, taken off the connection before its client gives up."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self._rest = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))

    def read(self, size: int = -1) -> bytes:
        size = len(self._rest) if size < 0 else size
        block, self._rest = self._rest[:size], self._rest[size:]
        return block


def _cut(environ: dict[str, Any]) -> None:
    connection: socket.socket = environ["werkzeug.socket"]
    # Closing without lingering sends RST in place of FIN.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RD)
    connection.close()


def operation(environ: dict[str, Any]) -> str:
    """What S3 calls the request."""
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    method = environ["REQUEST_METHOD"]
    names = {
        ("PUT", True): "UploadPart",
        ("POST", True): "CompleteMultipartUpload",
        ("DELETE", True): "AbortMultipartUpload",
        ("POST", False): "CreateMultipartUpload" if "uploads" in query else "DeleteObjects",
        ("GET", False): "ListMultipartUploads" if "uploads" in query else "GetObject",
        ("PUT", False): "PutObject",
    }
    if "list-type" in query:
        return "ListObjectsV2"
    return names.get((method, "uploadId" in query), method)


@dataclass
class FaultyS3:
    """A server; requests fail as `fail` says, and `when` runs something at a request."""

    port: int = 0
    _faults: dict[str, list[Fault]] = field(default_factory=dict[str, list[Fault]])
    _always: dict[str, Fault] = field(default_factory=dict[str, Fault])
    _calls: dict[str, list[tuple[int, Callable[[], None]]]] = field(
        default_factory=dict[str, list[tuple[int, Callable[[], None]]]]
    )
    seen: list[str] = field(default_factory=list[str])
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        moto = DomainDispatcherApplication(create_backend_app)

        def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
            with self._lock:
                self._running += 1
            try:
                fault = self._next(operation(environ))
                return fault(environ, start, moto) if fault else moto(environ, start)
            finally:
                with self._lock:
                    self._running -= 1

        self._server = make_server("127.0.0.1", 0, application, threaded=True)
        self._server.daemon_threads = True  # pyright: ignore[reportAttributeAccessIssue]
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()

    def reset(self) -> None:
        """An empty account, and no more faults."""
        with self._lock:
            self._faults.clear()
            self._always.clear()
            self._calls.clear()
            self.seen.clear()
        for service in ("s3", "kms"):
            moto.backends.get_backend(service).reset()

    def heal(self) -> None:
        """From now on all is well."""
        with self._lock:
            self._faults.clear()
            self._always.clear()
            self._calls.clear()

    def fail(self, operations: Iterable[str], *faults: Fault) -> None:
        """The next requests of each operation, one fault each."""
        with self._lock:
            for name in operations:
                self._faults.setdefault(name, []).extend(faults)

    def always_fail(self, operations: Iterable[str], fault: Fault) -> None:
        """All requests of these operations, from now on."""
        with self._lock:
            self._always.update(dict.fromkeys(operations, fault))

    def when(self, name: str, call: Callable[[], None], *, number: int = 1) -> None:
        """Run `call` before the `number`th request of the operation is served."""
        with self._lock:
            self._calls.setdefault(name, []).append((self.seen.count(name) + number, call))

    def idle(self) -> bool:
        """Whether no request is being served."""
        return self._running == 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: Any = "s3", **more: Any) -> Any:
        """As an operation's own client, with timeouts of a test."""
        config = aws_clients.patient(connect_timeout_seconds=2, read_timeout_seconds=2, **more)
        # moto cannot verify the trailing checksums of chunked bodies.
        config = config.merge(Config(request_checksum_calculation="when_required"))
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )

    def _next(self, name: str) -> Fault | None:
        with self._lock:
            self.seen.append(name)
            number = self.seen.count(name)
            calls = [call for wanted, call in self._calls.get(name, []) if wanted == number]
            queue = self._faults.get(name)
            fault = queue.pop(0) if queue else self._always.get(name)
        for call in calls:
            call()
        return fault
