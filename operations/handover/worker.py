"""The program of the backup worker: `python -m operations.handover.worker`.

It takes requests until there are none, one after the other, and ends; whoever started it ends the
host. Exit code 0: each has its result, be it a failure. Anything else is for who started it to
report (hosts/worker.py), for the request that REQUEST_FILE names.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# ruff: noqa: E402
from operations.garbage import search_rarely

search_rarely()

from operations import aws_clients, environment
from operations.backup import MOST_WORKERS, Options, Progress
from operations.handover.backup_site import BackupSite, summary
from operations.handover.log_stream import LogStream
from operations.handover.requests import MOST_ATTEMPTS, Request
from operations.structured_log import log, log_metrics

_PROGRESS_SECONDS = 5.0
# Aborting the uploads and telling why, before the host's own limit comes.
_CLEAN_UP_SECONDS = 60.0


@dataclass
class Worker:
    """One host at work until `deadline` of the monotonic clock."""

    site: BackupSite
    instance_id: str
    machine: str
    log_group: str
    deadline: float
    request_file: Path
    _told_at: float = 0.0

    def serve(self) -> None:
        """Take all requests."""
        self._take_all()
        self.site.desk.close(self.instance_id)
        # Who asked before that may rely on being heard.
        self._take_all()

    def _take_all(self) -> None:
        while open_requests := self._open():
            self._take(*open_requests[0])

    def _open(self) -> list[tuple[Request, int]]:
        """Without those that RDS answers by an export, from when the stack had no worker."""
        return [one for one in self.site.desk.open() if not one[0].snapshot]

    def _take(self, request: Request, attempts: int) -> None:
        desk = self.site.desk
        if attempts >= MOST_ATTEMPTS:
            self._failed(request, f"{attempts} workers ended without a word while they made it")
            return
        worker = {
            "worker": self.instance_id,
            "log_group": self.log_group,
            "log_stream": self.instance_id,
        }
        named = {"id": request.id, "class": request.backup_class}
        self.request_file.write_text(json.dumps(named), encoding="utf-8")
        desk.take(request, attempts + 1, worker)
        log("backup_taken", request=request.id, backup_class=request.backup_class)
        try:
            made = self.site.back_up(request.backup_class, self._options(request))
        except Exception as error:
            # The run itself has published its failure.
            self._failed(request, f"{type(error).__name__}: {error}")
        else:
            desk.end(request, {"status": "done", **summary(made)})
            self._publish(request, 1)
        self.request_file.unlink(missing_ok=True)

    def _options(self, request: Request) -> Options:
        processors = os.cpu_count() or 1
        return Options(
            workers=request.sessions or min(max(processors, 2), MOST_WORKERS),
            memory_bytes=_free_memory_bytes(),
            worker=f"worker, {self.machine}",
            time_limit_seconds=max(self.deadline - time.monotonic() - _CLEAN_UP_SECONDS, 1.0),
            progress=lambda done: self._progress(request, done),
        )

    def _progress(self, request: Request, done: Progress) -> None:
        if time.monotonic() - self._told_at < _PROGRESS_SECONDS:
            return
        self._told_at = time.monotonic()
        log(
            "backup_progress",
            request=request.id,
            done_bytes=done.done_bytes,
            total_bytes=done.total_bytes,
        )

    def _failed(self, request: Request, reason: str) -> None:
        self.site.desk.end(request, {"status": "failed", "error": reason})
        self._publish(request, 0, error=reason)

    def _publish(self, request: Request, success: int, **fields: Any) -> None:
        log_metrics(
            "backup_worker",
            dimensions={"Database": self.site.endpoint.database},
            metrics={"BackupWorkerSuccess": (success, "Count")},
            request=request.id,
            backup_class=request.backup_class,
            **fields,
        )


def _free_memory_bytes() -> int:
    """What programs can get without swapping (proc(5): MemAvailable)."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    (words,) = (line.split() for line in lines if line.startswith("MemAvailable:"))
    return int(words[1]) * 1024


def main() -> int:
    """Work with what the host's environment says."""
    import boto3

    aws_clients.make_quickly()
    instance_id = environment.required("INSTANCE_ID")
    log_group = environment.required("LOG_GROUP")
    deadline = time.monotonic() + environment.required_int("MAX_SECONDS")
    with (
        LogStream(boto3.client("logs"), log_group, instance_id, sys.stdout) as stream,
        contextlib.redirect_stdout(stream),
    ):
        try:
            site = BackupSite.from_environment()
            machine = environment.required("INSTANCE_TYPE")
            file = Path(environment.required("REQUEST_FILE"))
            Worker(site, instance_id, machine, log_group, deadline, file).serve()
            return 0
        except Exception as error:
            log("worker_failed", error=f"{type(error).__name__}: {error}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
