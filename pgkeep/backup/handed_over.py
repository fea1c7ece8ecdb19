"""Follows a backup that the stack's function has handed over to a worker."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from rich.progress import Progress as Bar

from operations.handover.requests import PREFIX
from pgkeep.backup.access import progress_console
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError, ExitCode

_PAUSE_SECONDS = 3.0
# Between the wish for a host and its first word: EC2, boot and 27 MB from S3.
_START_SECONDS = 900.0
# A worker that is gone has said how it ended, or never will.
_SILENT_SECONDS = 60.0


@dataclass
class Follower:
    """One request at a worker, by its objects in the bucket and the worker's log."""

    stack: DeployedStack
    request: str
    group: str
    _since: float = field(default_factory=time.monotonic)
    _gone_since: float | None = None

    def wait(self) -> dict[str, Any]:
        """Until the backup is there, with progress; the worker's summary of it.

        Raises:
            CommandError: it failed, or the worker ended without a word.
        """
        s3, logs = self.stack.client("s3"), self.stack.client("logs")
        with Bar(console=progress_console) as bar:
            task = bar.add_task("Waiting for the backup worker", total=None)
            while (result := self._read(s3, "result.json")) is None:
                attempt = self._read(s3, "attempt-2.json") or self._read(s3, "attempt-1.json")
                if attempt is not None:
                    bar.update(
                        task,
                        description=f"Worker {attempt['worker']} backs up {self.stack.database}",
                        **_progress(logs, attempt, self.request),
                    )
                self._check_worker(attempt is not None)
                time.sleep(_PAUSE_SECONDS)
        if result["status"] != "done":
            reason = str(result["error"]).removeprefix("no backup was made: ")
            raise CommandError(f"no backup was made by the worker: {reason}", ExitCode.REFUSED)
        return {name: value for name, value in result.items() if name != "status"}

    def _check_worker(self, taken: bool) -> None:
        """Raises when no worker is there any more, or none came."""
        found = self.stack.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[self.group]
        )["AutoScalingGroups"]
        there = bool(found) and (found[0]["Instances"] or found[0]["DesiredCapacity"] > 0)
        now = time.monotonic()
        if there:
            self._gone_since = None
        elif self._gone_since is None:
            self._gone_since = now
        gone = self._gone_since is not None and now - self._gone_since > _SILENT_SECONDS
        if gone or (not taken and now - self._since > _START_SECONDS):
            raise CommandError(
                f"no backup was made: the worker of {self.group} "
                + ("ended without a word" if gone else "did not begin")
                + f"; see its log group and the activity of {self.group}.",
                ExitCode.REFUSED,
            )

    def _read(self, s3: Any, name: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            answer = s3.get_object(Bucket=self.stack.bucket, Key=f"{PREFIX}{self.request}/{name}")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                return None
            raise
        return json.loads(answer["Body"].read())


def _progress(logs: Any, attempt: dict[str, str], request: str) -> dict[str, Any]:
    """How far the worker is, by the newest lines of its log; nothing without the right to read."""
    from botocore.exceptions import ClientError

    try:
        events = logs.get_log_events(
            logGroupName=attempt["log_group"],
            logStreamName=attempt["log_stream"],
            startFromHead=False,
            limit=50,
        )["events"]
    except ClientError:
        return {}
    for event in reversed(events):
        try:
            line = json.loads(event["message"])
        except ValueError:
            continue
        if line.get("event") == "backup_progress" and line.get("request") == request:
            return {"completed": line["done_bytes"], "total": line["total_bytes"]}
    return {}
