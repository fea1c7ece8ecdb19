"""The way to the local cloud's API on a busy machine: slow uploads, cut ones, many at once."""

import logging
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from moto.core import model
from moto.core.responses import BaseResponse
from moto.core.utils import get_service_model

from localcloud.control.api import ApiServer
from localcloud.defects import errors, service_models
from localcloud.defects.concurrency import settled
from localcloud.home import Home
from localcloud.provider.aws import Aws, Settings
from tests.localcloud.planes import free_port

ARCHIVE = b"x" * (16 << 20)
ANSWER = b'{"FunctionName": "slow"}'


class BusyServer:
    """Takes a connection at once, as the kernel does, and reads the request only after a pause."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause_seconds = pause_seconds
        self._socket = socket.socket()
        # Small, so that the kernel does not take the archive in the program's place.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen()
        self.endpoint = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            self.requests += 1
            time.sleep(self._pause_seconds)
            with connection, connection.makefile("rb") as request:
                length = 0
                while (line := request.readline().lower()) not in (b"\r\n", b""):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                request.read(length)
                head = f"HTTP/1.1 201 CREATED\r\nContent-Length: {len(ANSWER)}\r\n"
                connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + ANSWER)


def test_a_large_archive_may_take_a_busy_server_long():
    # Longer than the 5 s that the whole upload once had.
    server = BusyServer(pause_seconds=6)
    aws = Aws(Settings(server.endpoint, offline=False))
    parameters: dict[str, Any] = {
        "FunctionName": "slow",
        "Role": "arn:aws:iam::123456789012:role/slow",
        "Runtime": "python3.13",
        "Handler": "main.handler",
        "Code": {"ZipFile": ARCHIVE},
    }
    made = aws.call("lambda", "CreateFunction", parameters, subject="Function slow")
    assert made["FunctionName"] == "slow"
    assert server.requests == 1


def test_the_log_names_a_request_that_got_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    home = Home(tmp_path, free_port())
    server = ApiServer(home)
    server.start()
    try:
        with caplog.at_level(logging.WARNING, "localcloud"):
            client = socket.create_connection(("127.0.0.1", home.port))
            client.sendall(
                b"POST /2015-03-31/functions?signature=secret HTTP/1.1\r\nHost: localhost\r\n"
                b"Authorization: AWS4-HMAC-SHA256 "
                b"Credential=local/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, "
                b"Signature=0\r\nContent-Length: 1000\r\n\r\n{"
            )
            # Ends as the kernel ends the connection of a killed client that has unread data.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            deadline = time.monotonic() + 60
            while "got no answer" not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.05)
    finally:
        server.stop()
    assert "POST /2015-03-31/functions got no answer: " in caplog.text
    assert "secret" not in caplog.text


def test_operations_are_described_to_many_threads_at_once(monkeypatch: pytest.MonkeyPatch):
    described = model.OperationModel
    monkeypatch.setattr(model.ServiceModel, "operation_model", model.ServiceModel.operation_model)
    service_models.install()
    service = get_service_model.__wrapped__("lambda")
    describing = threading.Event()

    def slowly(*arguments: Any) -> model.OperationModel:
        describing.set()
        time.sleep(0.3)
        return described(*arguments)

    monkeypatch.setattr(model, "OperationModel", slowly)
    first = threading.Thread(target=service.operation_model, args=("CreateFunction",))
    first.start()
    assert describing.wait(60)
    found = service.operation_model("CreateFunction")
    first.join()
    assert isinstance(found, described)


def test_a_request_whose_list_another_changes_looks_again(monkeypatch: pytest.MonkeyPatch):
    policies = {"one": 1, "two": 2}
    looks: list[str] = []

    def listed(_response: BaseResponse) -> list[str]:
        looks.append("look")
        seen: list[str] = []
        for name in policies:
            seen.append(name)
            if len(looks) < 3:
                policies[f"added by another request {len(looks)}"] = 3
        return seen

    monkeypatch.setattr(errors, "_moto_call", listed)
    assert errors.call_action(object.__new__(BaseResponse)) == [
        *("one", "two", "added by another request 1", "added by another request 2"),
    ]
    assert len(looks) == 3


def test_any_other_error_is_not_tried_again():
    looks: list[str] = []

    def broken() -> None:
        looks.append("look")
        raise RuntimeError("no such thing")

    with pytest.raises(RuntimeError, match="no such thing"):
        settled(broken)
    assert looks == ["look"]


def test_what_never_settles_is_an_error():
    def moving() -> None:
        raise RuntimeError("dictionary changed size during iteration")

    with pytest.raises(RuntimeError, match="changed size"):
        settled(moving)
