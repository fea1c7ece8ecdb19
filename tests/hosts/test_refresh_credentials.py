"""The refresher with its own files folder, a small instance metadata service and moto's secrets."""

from __future__ import annotations

import http.server
import json
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hosts import metadata, pooler, refresh_credentials
from operations import scram
from operations.certificates import issue

USERS, CERTIFICATE, HEALTH = "pooler/users", "pooler/server-tls", "node_pass/health"
PAIR, OTHER_PAIR = (issue.authority(name, 30, datetime.now(UTC)) for name in ("a", "b"))
KEY_PEM, CERTIFICATE_PEM = PAIR.private_key.strip(), PAIR.certificate.strip()
NO_KEY_PEM = "-----BEGIN PRIVATE KEY-----\nTUlJ\n-----END PRIVATE KEY-----"


class _Metadata(http.server.BaseHTTPRequestHandler):
    address = "10.77.1.20"

    def do_PUT(self) -> None:
        self._answer(200, "a-token")

    def do_GET(self) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != "a-token":
            self._answer(401, "")
        elif self.path == "/latest/meta-data/local-ipv4":
            self._answer(200, self.address)
        else:
            self._answer(404, "")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The refresher's world; the value is its folder in place of /run/pgbouncer."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(metadata, "METADATA", f"http://127.0.0.1:{server.server_port}/latest")
    monkeypatch.setattr(refresh_credentials, "RUN_FOLDER", tmp_path)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "USERS_SECRET_ARN": USERS,
        "SERVER_TLS_SECRET_ARN": CERTIFICATE,
        "HEALTH_SECRET_ARN": HEALTH,
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield tmp_path
    server.shutdown()
    server.server_close()


@pytest.fixture
def reloads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []

    def reload() -> bool:
        calls.append(1)
        return True

    monkeypatch.setattr(refresh_credentials, "reload", reload)
    return calls


def put(name: str, document: Any) -> None:
    client = boto3.client("secretsmanager", region_name="eu-west-1")
    try:
        client.put_secret_value(SecretId=name, SecretString=json.dumps(document))
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=name, SecretString=json.dumps(document))


def put_both() -> None:
    put(USERS, {"users": {name: scram.verifier(name, "pw") for name in ("b_1", "a_1")}})
    put(CERTIFICATE, {"private_key": KEY_PEM, "certificate": CERTIFICATE_PEM})
    put(HEALTH, {"username": "node_pass_health_1", "password": "a:b\\c"})


def test_first_run_writes_its_files_for_the_service_alone(
    run_folder: Path, reloads: list[int]
) -> None:
    put_both()
    assert refresh_credentials.main() == 0
    assert {path.name: path.stat().st_mode & 0o777 for path in run_folder.iterdir()} == {
        "health.pgpass": 0o600,
        "listen.ini": 0o600,
        "server.pem": 0o600,
        "userlist.txt": 0o600,
    }
    assert (run_folder / "listen.ini").read_text() == "listen_addr = 10.77.1.20\n"
    assert (run_folder / "server.pem").read_text() == f"{KEY_PEM}\n{CERTIFICATE_PEM}\n"
    password = (run_folder / "health.pgpass").read_text()
    assert password == "*:*:pgkeep_health:node_pass_health_1:a\\:b\\\\c\n"
    lines = (run_folder / "userlist.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ['"a_1"', '"b_1"']
    assert len(reloads) == 1


def test_pgbouncer_is_reloaded_only_when_something_changed(
    run_folder: Path, reloads: list[int]
) -> None:
    put_both()
    refresh_credentials.main()
    refresh_credentials.main()
    assert len(reloads) == 1
    put(USERS, {"users": {"c_1": scram.verifier("c_1", "pw")}})
    refresh_credentials.main()
    assert len(reloads) == 2
    assert '"c_1"' in (run_folder / "userlist.txt").read_text()


@pytest.mark.parametrize(
    ("secret", "document", "message"),
    [
        (USERS, {"users": {"a_1": "a password"}}, "'a_1' has no SCRAM-SHA-256 verifier"),
        (USERS, {"users": {'a" "b': scram.verifier("a", "p")}}, "has no SCRAM-SHA-256 verifier"),
        (USERS, {"users": {}}, "lists no users yet"),
        (USERS, {"status": "waiting"}, "lists no users yet"),
        (USERS, ["a"], "holds no JSON object"),
        (CERTIFICATE, {"certificate": CERTIFICATE_PEM}, "holds no private_key and certificate"),
        (
            CERTIFICATE,
            {"private_key": OTHER_PAIR.private_key, "certificate": CERTIFICATE_PEM},
            "are no pair (KEY_VALUES_MISMATCH)",
        ),
        (
            CERTIFICATE,
            {"private_key": NO_KEY_PEM, "certificate": CERTIFICATE_PEM},
            "private_key and certificate are no pair",
        ),
        (HEALTH, {"username": "node_pass_health_1"}, "holds no username and password yet"),
        (HEALTH, {"username": "a", "password": "a\nb"}, "has a line break"),
    ],
)
def test_what_cannot_be_used_leaves_the_files_as_they_are(
    run_folder: Path,
    reloads: list[int],
    capsys: pytest.CaptureFixture[str],
    secret: str,
    document: Any,
    message: str,
) -> None:
    put_both()
    refresh_credentials.main()
    before = {path: path.read_bytes() for path in run_folder.iterdir()}
    put(secret, document)

    assert refresh_credentials.main() == 1

    assert {path: path.read_bytes() for path in run_folder.iterdir()} == before
    assert len(reloads) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert "a password" not in error


@pytest.mark.parametrize("damaged", [CERTIFICATE, HEALTH])
def test_a_damaged_secret_keeps_no_rotation_from_the_host(
    run_folder: Path, reloads: list[int], damaged: str
) -> None:
    put_both()
    refresh_credentials.main()
    put(damaged, {})
    put(USERS, {"users": {"new_1": scram.verifier("new_1", "pw")}})
    assert refresh_credentials.main() == 1
    assert (run_folder / "userlist.txt").read_text().startswith('"new_1" ')
    assert len(reloads) == 2


def test_a_damaged_list_of_users_keeps_no_certificate_from_the_host(
    run_folder: Path, reloads: list[int]
) -> None:
    put_both()
    refresh_credentials.main()
    put(USERS, {})
    put(
        CERTIFICATE,
        {"private_key": OTHER_PAIR.private_key, "certificate": OTHER_PAIR.certificate},
    )
    assert refresh_credentials.main() == 1
    assert OTHER_PAIR.certificate in (run_folder / "server.pem").read_text()
    assert len(reloads) == 2


def test_absent_secret_and_strange_metadata_are_one_line_each(
    run_folder: Path,
    reloads: list[int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert refresh_credentials.main() == 1
    assert "ResourceNotFoundException" in capsys.readouterr().err
    monkeypatch.setattr(_Metadata, "address", "<html>\n")
    assert refresh_credentials.main() == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in run_folder.iterdir()] == ["listen.ini"]


@pytest.mark.parametrize(("looks", "seconds"), [(0, 0.0), (3, 0.15), (1_000, 5.0)])
def test_a_reload_waits_for_logins_at_the_server_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, looks: int, seconds: float
) -> None:
    """PgBouncer 1.24.1 dies of a reload in the middle of a TLS handshake with the server."""
    did, answers = list[Any](), iter([[{"database": "a", "state": "new"}]] * looks)

    def console(command: str) -> list[dict[str, str]]:
        assert command == "SHOW SERVERS"
        return next(answers, [{"database": "a", "state": "active"}])

    monkeypatch.setattr(pooler, "process_id", lambda: 4711)
    monkeypatch.setattr(pooler, "console", console)
    monkeypatch.setattr(pooler.time, "sleep", did.append)
    monkeypatch.setattr(pooler.os, "kill", lambda *sent: did.append(sent))
    assert pooler.reload() is True
    assert did.pop() == (4711, signal.SIGHUP)
    assert sum(did) == pytest.approx(seconds)


def test_a_console_without_an_answer_keeps_no_reload_back(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = list[Any]()

    def silent(_: str) -> list[dict[str, str]]:
        raise pooler.PoolerError("no answer in 8 s to SHOW SERVERS")

    monkeypatch.setattr(pooler, "process_id", lambda: 4711)
    monkeypatch.setattr(pooler, "console", silent)
    monkeypatch.setattr(pooler.os, "kill", lambda *one: sent.append(one))
    assert pooler.reload() is True
    assert sent == [(4711, signal.SIGHUP)]


def test_a_stopped_pgbouncer_is_not_signalled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shown:
        stdout = "0\n"

    monkeypatch.setattr(pooler.subprocess, "run", lambda *_, **__: Shown())
    assert pooler.reload() is False
