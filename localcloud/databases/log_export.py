"""EnableCloudwatchLogsExports: server and upgrade logs in `/aws/rds/instance/<id>/<type>`."""

import datetime
import re
from pathlib import Path
from typing import Any

from moto.logs.models import logs_backends

from localcloud.databases import pg_upgrade
from localcloud.databases.node import Node

# Each entry begins with log_line_prefix `%t`; other lines continue the entry before.
_BEGIN = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC:")
# Log type -> its files in the folder of log files.
_FILES = {"postgresql": "error/postgresql.log.*", "upgrade": f"{pg_upgrade.LOGS}/*.log"}
# CloudWatch Logs takes at most 1 MiB an event.
_LONGEST_EVENT_BYTES = 1024 * 1024
_READ_BYTES = 4 * 1024 * 1024


class Exporter:
    """Follows one instance's log files, from the first line on."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._positions: dict[Path, int] = {}

    def export(self) -> None:
        """Send what is new of the log types that the instance exports."""
        for log_type, files in _FILES.items():
            if log_type in self._node.instance.enabled_cloudwatch_logs_exports:
                self._export(log_type, files)

    def _export(self, log_type: str, files: str) -> None:
        instance = self._node.instance
        events: list[dict[str, Any]] = []
        for path in sorted(self._node.server.logs.glob(files)):
            events += self._read(path)
        if not events:
            return
        group = f"/aws/rds/instance/{instance.db_instance_identifier}/{log_type}"
        stream = f"{instance.db_instance_identifier}.0"
        backend: Any = logs_backends[instance.account_id][instance.region]
        # RDS makes the group if nobody has.
        backend.ensure_log_group(group)
        backend.ensure_log_stream(group, stream)
        backend.put_log_events(group, stream, events)

    def _read(self, path: Path) -> list[dict[str, Any]]:
        position = self._positions.get(path, 0)
        with path.open("rb") as file:
            file.seek(position)
            content = file.read(_READ_BYTES)
        # An unfinished last line waits for its end.
        content = content[: content.rfind(b"\n") + 1]
        self._positions[path] = position + len(content)
        entries: list[tuple[bytes, list[bytes]]] = []
        for line in content.splitlines():
            begin = _BEGIN.match(line)
            if begin is not None or not entries:
                entries.append((begin.group(1) if begin else b"", [line]))
            else:
                entries[-1][1].append(line)
        return [_event(moment, lines) for moment, lines in entries]


def _event(moment: bytes, lines: list[bytes]) -> dict[str, Any]:
    when = datetime.datetime.now(datetime.UTC)
    if moment:
        when = datetime.datetime.fromisoformat(moment.decode()).replace(tzinfo=datetime.UTC)
    message = b"\n".join(lines)[:_LONGEST_EVENT_BYTES].decode(errors="replace")
    return {"timestamp": int(when.timestamp() * 1000), "message": message}
