"""The backup worker's host: its user data, its signatures, and that it ends whatever happens."""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import json
import os
import sys
import urllib.error
import urllib.parse
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from hosts import metadata, signed_requests, worker
from hosts.worker_cloud_init import MODULES, WorkerConfig, cloud_config, render

BUNDLE = Path("stacks/rds_ca/eu-west-1.pem").read_text()
CONFIG = WorkerConfig(
    region="eu-west-1",
    dns_suffix="amazonaws.com",
    bucket="backups",
    kms_key_arn="arn:aws:kms:eu-west-1:123456789012:key/0",
    manifest_key_arn="arn:aws:kms:eu-west-1:123456789012:key/1",
    secret_arn="arn:aws:secretsmanager:eu-west-1:123456789012:secret:backup",
    log_group="/pgkeep/pgkeep-prod/backup-worker",
    rds_ca_bundle_pem=BUNDLE,
    database_host="db.example",
    database_port=5432,
    database_name="node_pass",
    retention_days={"daily": 30},
    largest_hashed_table_bytes=None,
    most_seconds=21_600,
    code=("worker/functions.zip", "a" * 64),
    sdk=("worker/aws-sdk.zip", "b" * 64),
    client=("worker/postgresql-client.zip", "c" * 64),
)


def files() -> dict[str, str]:
    document = yaml.safe_load(cloud_config(CONFIG))
    return {one["path"]: one["content"] for one in document["write_files"]}


def test_user_data_fits_and_is_the_same_every_time() -> None:
    assert len(render(CONFIG)) < 16 * 1024
    assert render(CONFIG) == render(CONFIG)
    assert gzip.decompress(render(CONFIG)).decode() == cloud_config(CONFIG)


def test_the_limit_is_armed_before_the_worker_starts() -> None:
    document = yaml.safe_load(cloud_config(CONFIG))
    assert document["runcmd"] == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "start", "pgkeep-worker-limit.timer"],
        ["systemctl", "start", "--no-block", "pgkeep-worker.service"],
    ]
    units = files()
    assert "OnActiveSec=22500\n" in units["/etc/systemd/system/pgkeep-worker-limit.timer"]
    service = units["/etc/systemd/system/pgkeep-worker.service"]
    assert "RuntimeMaxSec=21720\n" in service
    assert "ExecStopPost=+/usr/bin/python3 -EBs -m hosts.worker finish\n" in service


def test_the_programs_need_the_standard_library_alone() -> None:
    shipped = files()
    for module in MODULES:
        tree = ast.parse(shipped[f"/usr/local/lib/pgkeep/hosts/{module}.py"])
        for node in ast.walk(tree):
            names = (
                [one.name for one in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )  # fmt: skip
            for name in names:
                first = name.partition(".")[0]
                assert first == "hosts" or first in sys.stdlib_module_names, name


def test_the_environment_has_what_the_worker_reads() -> None:
    said = dict(
        line.split("=", 1) for line in files()["/etc/pgkeep/worker.env"].strip().splitlines()
    )
    assert said["RETENTION_DAYS"] == "'{\"daily\": 30}'"
    # Nothing: all tables are hashed.
    assert said["LARGEST_HASHED_TABLE_BYTES"] == ""
    assert said["CODE_OBJECT"] == f'"worker/functions.zip {"a" * 64}"'
    assert said["MAX_SECONDS"] == "21600"
    assert "PASSWORD" not in "".join(said).upper()


@pytest.mark.parametrize(
    ("method", "url", "body", "headers"),
    [
        ("GET", "https://backups.s3.eu-west-1.amazonaws.com/worker/aws%20sdk.zip", b"", {}),
        ("PUT", "https://backups.s3.eu-west-1.amazonaws.com/handover/1/result.json", b"{}",
         {"If-None-Match": "*", "x-amz-server-side-encryption": "aws:kms"}),
    ],
)  # fmt: skip
def test_signatures_are_botocore_s(
    method: str, url: str, body: bytes, headers: dict[str, str]
) -> None:
    now = datetime.now(UTC)
    own = signed_requests.signed_headers(
        signed_requests.Credentials("AKIA", "secret", "token"), now,
        service="s3", region="eu-west-1", method=method, url=url, body=body, headers=headers,
    )  # fmt: skip
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    request.context["timestamp"] = own["x-amz-date"]
    request.context["payload_signing_enabled"] = True
    signer = S3SigV4Auth(Credentials("AKIA", "secret", "token"), "s3", "eu-west-1")
    request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
    request.headers["X-Amz-Date"] = own["x-amz-date"]
    request.headers["X-Amz-Security-Token"] = "token"
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert own["authorization"].endswith(f"Signature={signature}")


class Cloud:
    """S3, Auto Scaling and CloudWatch Logs as the host calls them."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects
        self.sent: list[tuple[str, str, bytes]] = []
        self.failures = 0

    def send(
        self, service: str, region: str, method: str, url: str, *, body: bytes = b"",
        headers: Any = None,
    ) -> Any:  # fmt: skip
        assert region == "eu-west-1"
        if self.failures:
            self.failures -= 1
            raise OSError("no route to host")
        # urllib would call a body without a type a form.
        assert not body or "Content-Type" in headers
        self.sent.append((service, url, body))
        key = url.rpartition("/")[2]
        return io.BytesIO(self.objects.get(key, b"") if method == "GET" else b"")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cloud:
    found = Cloud()
    monkeypatch.setattr(signed_requests, "send", found.send)
    monkeypatch.setattr(metadata, "instance_id", lambda: "i-1")
    monkeypatch.setattr(metadata, "get", lambda path: "c6g.large")
    monkeypatch.setattr(worker.time, "sleep", lambda _seconds: None)
    for name, value in {
        "AWS_REGION": "eu-west-1", "DNS_SUFFIX": "amazonaws.com", "BACKUP_BUCKET": "backups",
        "KMS_KEY_ARN": "key", "DB_NAME": "node_pass", "LOG_GROUP": "/log",
        "STATE_DIRECTORY": str(tmp_path / "state"), "RUNTIME_DIRECTORY": str(tmp_path),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (tmp_path / "state").mkdir()
    return found


def archive(**members: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        for name, text in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16
            packed.writestr(entry, text)
    return data.getvalue()


def name_objects(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> None:
    for name in ("code", "sdk", "client"):
        content = archive(**{f"{name}.txt": name})
        cloud.objects[f"{name}.zip"] = content
        digest = hashlib.sha256(content).hexdigest()
        monkeypatch.setenv(f"{name.upper()}_OBJECT", f"worker/{name}.zip {digest}")


def test_it_becomes_the_worker_with_what_it_fetched(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name_objects(monkeypatch, cloud)
    cloud.failures = 2
    became: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *words: became.append(words))
    worker.start()
    state = tmp_path / "state"
    ((_, words, environment),) = became
    assert words[1:] == ["-Bs", "-m", "operations.handover.worker"]
    assert environment["PYTHONPATH"] == f"{state}/code:{state}/sdk"
    assert environment["PGKEEP_POSTGRESQL_CLIENT"] == f"{state}/client/pg"
    assert (environment["INSTANCE_ID"], environment["INSTANCE_TYPE"]) == ("i-1", "c6g.large")
    program = state / "client" / "client.txt"
    assert (program.read_text(), program.stat().st_mode & 0o777) == ("client", 0o755)


def test_what_is_not_what_the_template_names_is_not_run(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name_objects(monkeypatch, cloud)
    cloud.objects["sdk.zip"] = archive(evil="1")
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("it was run"))
    with pytest.raises(SystemExit, match=r"worker/sdk.zip refused: its SHA-256 is"):
        worker.start()
    assert not (tmp_path / "state" / "sdk").exists()


def test_after_success_it_leaves_its_group_for_good(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_RESULT", "success")
    cloud.failures = 3
    worker.finish()
    ((service, url, body),) = cloud.sent
    assert (service, url) == ("autoscaling", "https://autoscaling.eu-west-1.amazonaws.com/")
    assert dict(urllib.parse.parse_qsl(body.decode())) == {
        "Action": "TerminateInstanceInAutoScalingGroup",
        "Version": "2011-01-01",
        "InstanceId": "i-1",
        "ShouldDecrementDesiredCapacity": "true",
    }


def test_a_worker_that_was_killed_is_reported_in_its_place(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "request.json").write_text('{"id": "7", "class": "daily"}')
    monkeypatch.setenv("SERVICE_RESULT", "oom-kill")
    monkeypatch.setenv("EXIT_CODE", "killed")
    monkeypatch.setenv("EXIT_STATUS", "KILL")
    worker.finish()
    services = [service for service, _, _ in cloud.sent]
    assert services == ["s3", "logs", "logs", "logs", "logs", "autoscaling"]
    reason = "the backup worker was ended: oom-kill (killed KILL)"
    _, url, body = cloud.sent[0]
    assert url == "https://backups.s3.eu-west-1.amazonaws.com/handover/7/result.json"
    assert json.loads(body) == {"status": "failed", "error": reason}
    lines = [
        json.loads(event["message"])
        for _, _, body in cloud.sent
        if b"logEvents" in body
        for event in json.loads(body)["logEvents"]
    ]
    assert [(one["event"], one["error"]) for one in lines] == [
        ("backup_worker", reason), ("backup_failed", reason),
    ]  # fmt: skip
    assert (lines[0]["BackupWorkerSuccess"], lines[1]["BackupSuccess"]) == (0, 0)
    assert lines[1]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Database", "Class"]]


def test_a_host_that_cannot_leave_its_group_powers_off(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr(worker.subprocess, "run", lambda words, **_: ran.append(words))
    monkeypatch.setenv("SERVICE_RESULT", "timeout")
    cloud.failures = 10_000
    worker.finish()
    assert ran == [["systemctl", "poweroff"]]


def test_what_aws_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise urllib.error.HTTPError("u", 403, "", {}, io.BytesIO(b"<Code>AccessDenied</Code>"))

    monkeypatch.setattr(
        signed_requests, "own_credentials", lambda: signed_requests.Credentials("a", "b", "c")
    )
    monkeypatch.setattr(signed_requests.urllib.request, "urlopen", refuse)
    with pytest.raises(OSError, match="s3 answered 403: <Code>AccessDenied"):
        signed_requests.send("s3", "eu-west-1", "GET", "https://s3.example/x")
