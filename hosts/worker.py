"""The first and the last program of a backup worker; what it works with comes out of the bucket.

`start` brings code, AWS's SDK and the PostgreSQL client, compares their SHA-256 with what the
launch template says, and becomes the worker. `finish` says how it ended and ends the host: after
success, failure, a kill and a time limit alike.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.parse
import zipfile
from pathlib import Path
from typing import Any

from hosts import metadata, signed_requests

_BLOCK_BYTES = 1024 * 1024
_TRIES = 12
_PAUSE_SECONDS = 5.0
REQUEST_FILE = "request.json"


def start() -> None:
    """Unpack what the worker needs, and become it."""
    state = Path(os.environ["STATE_DIRECTORY"])
    for name in ("CODE", "SDK", "CLIENT"):
        key, digest = os.environ[f"{name}_OBJECT"].split()
        _unpack(_fetch(key, digest, state / f"{name}.zip"), state / name.lower())
    environment = {
        **os.environ,
        "INSTANCE_ID": metadata.instance_id(),
        "INSTANCE_TYPE": metadata.get("meta-data/instance-type"),
        "REQUEST_FILE": str(Path(os.environ["RUNTIME_DIRECTORY"]) / REQUEST_FILE),
        "PYTHONPATH": f"{state / 'code'}:{state / 'sdk'}",
        "PGKEEP_POSTGRESQL_CLIENT": str(state / "client" / "pg"),
    }
    os.execve(  # noqa: S606
        sys.executable, [sys.executable, "-Bs", "-m", "operations.handover.worker"], environment
    )


def _fetch(key: str, digest: str, file: Path) -> Path:
    """The object, if it is the one that the launch template names."""
    found = ""
    for left in reversed(range(_TRIES)):
        try:
            found = _download(key, file)
            break
        except OSError as error:
            print(f"{key}: {error}", flush=True)
            if not left:
                raise
            time.sleep(_PAUSE_SECONDS)
    if found != digest:
        raise SystemExit(
            f"{key} refused: its SHA-256 is {found}, the launch template says {digest}"
        )
    return file


def _download(key: str, file: Path) -> str:
    found = hashlib.sha256()
    with _s3("GET", key) as answer, file.open("wb") as target:
        while block := answer.read(_BLOCK_BYTES):
            found.update(block)
            target.write(block)
    return found.hexdigest()


def _unpack(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            path = Path(packed.extract(entry, folder))
            if path.is_file():
                path.chmod(entry.external_attr >> 16 & 0o777 or 0o644)
    archive.unlink()


def finish() -> None:
    """Report a worker that could not report itself, and end this host."""
    if os.environ.get("SERVICE_RESULT", "success") != "success":
        reason = "{SERVICE_RESULT} ({EXIT_CODE} {EXIT_STATUS})".format_map(
            {"EXIT_CODE": "", "EXIT_STATUS": "", **os.environ}
        )
        # Whatever else fails, the host ends.
        with contextlib.suppress(Exception):
            _report(f"the backup worker was ended: {reason}")
    for _ in range(_TRIES):
        try:
            terminate()
            return
        except OSError as error:
            print(f"cannot leave the group: {error}", flush=True)
            time.sleep(_PAUSE_SECONDS)
    subprocess.run(["systemctl", "poweroff"], check=False)


def terminate() -> None:
    """Leave the group for good: it wants one host less from now on."""
    words = {
        "Action": "TerminateInstanceInAutoScalingGroup",
        "Version": "2011-01-01",
        "InstanceId": metadata.instance_id(),
        "ShouldDecrementDesiredCapacity": "true",
    }
    body = urllib.parse.urlencode(words).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    with _call("autoscaling", body, headers):
        print("the host ends", flush=True)


def _report(reason: str) -> None:
    """The result of the request that was at work, and its failure as an event with a metric."""
    file = Path(os.environ.get("RUNTIME_DIRECTORY", "/run")) / REQUEST_FILE
    request: dict[str, str] = json.loads(file.read_text()) if file.is_file() else {}
    if request:
        result = json.dumps({"status": "failed", "error": reason}).encode()
        headers = {
            # Else urllib calls it a form.
            "Content-Type": "application/json",
            "If-None-Match": "*",
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": os.environ["KMS_KEY_ARN"],
        }
        with contextlib.suppress(OSError):
            _s3("PUT", f"handover/{request['id']}/result.json", result, headers).close()
    database = {"Database": os.environ["DB_NAME"]}
    _log("backup_worker", database, "BackupWorkerSuccess", reason)
    if request:
        _log("backup_failed", {**database, "Class": request["class"]}, "BackupSuccess", reason)


def _log(event: str, dimensions: dict[str, str], metric: str, error: str) -> None:
    now = int(time.time() * 1000)
    directive = {
        "Namespace": "pgkeep",
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": metric, "Unit": "Count"}],
    }
    line = {
        "_aws": {"Timestamp": now, "CloudWatchMetrics": [directive]},
        "event": event,
        **dimensions,
        metric: 0,
        "error": error,
    }
    where = {"logGroupName": os.environ["LOG_GROUP"], "logStreamName": metadata.instance_id()}
    with contextlib.suppress(OSError):
        _logs("CreateLogStream", where)
    _logs("PutLogEvents", {**where, "logEvents": [{"timestamp": now, "message": json.dumps(line)}]})


def _logs(operation: str, request: dict[str, Any]) -> None:
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"Logs_20140328.{operation}",
    }
    _call("logs", json.dumps(request).encode(), headers).close()


def _call(service: str, body: bytes, headers: dict[str, str]) -> Any:
    region, suffix = os.environ["AWS_REGION"], os.environ["DNS_SUFFIX"]
    url = f"https://{service}.{region}.{suffix}/"
    return signed_requests.send(service, region, "POST", url, body=body, headers=headers)


def _s3(method: str, key: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Any:
    region, suffix = os.environ["AWS_REGION"], os.environ["DNS_SUFFIX"]
    bucket = os.environ["BACKUP_BUCKET"]
    url = f"https://{bucket}.s3.{region}.{suffix}/{urllib.parse.quote(key)}"
    return signed_requests.send("s3", region, method, url, body=body, headers=headers)


if __name__ == "__main__":
    {"start": start, "finish": finish}[sys.argv[1]]()
