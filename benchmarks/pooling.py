"""pgbench through the pooler against the database itself: short connections, and 400 clients.

The same role runs the same statement from the same machine; only the way differs. pgbench is the
base image's own, started with the image's libraries.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.results import Measurement
from tests.e2e.local_stack import LocalStack
from toolchain.steps import RefusedError, console

SECONDS = 15
SHORT_CONNECTION_CLIENTS = 8
MANY_CLIENTS = 400
# The role may have 100 connections (its contract), and the pools of both hosts hold some of them.
DIRECT_CLIENTS = 40
STATEMENT = "SELECT id, status FROM buyers WHERE license_id = 'NODE-' || :number;"


def measure(stack: LocalStack) -> list[Measurement]:
    """Transactions a second through the pooler and directly, on a running local stack."""
    script = stack.folder / "lookup.sql"
    script.write_text(f"\\set number random(1, 1000)\n{STATEMENT}\n")
    seeded = stack.query(
        "application_security_group_id",
        stack.through_pooler(),
        [
            "INSERT INTO buyers (license_id, wallet, tier, status) SELECT 'NODE-' || n, "
            "md5(n::text), 'gold', 'active' FROM generate_series(1, 1000) n"
        ],
    )
    if "error" in seeded["results"][0]:
        raise RefusedError(seeded["results"][0]["error"])
    short = [f"--client={SHORT_CONNECTION_CLIENTS}", "--connect"]
    pooled_short = _pgbench(stack, script, stack.through_pooler(), short)
    direct_short = _pgbench(stack, script, stack.direct("app"), short)
    pooled_many = _pgbench(stack, script, stack.through_pooler(), [f"--client={MANY_CLIENTS}"])
    direct_many = _pgbench(stack, script, stack.direct("app"), [f"--client={DIRECT_CLIENTS}"])
    too_many = _pgbench(stack, script, stack.direct("app"), [f"--client={MANY_CLIENTS}"])
    if pooled_short is None or direct_short is None or pooled_many is None or direct_many is None:
        raise RefusedError("pgbench did not report; see its output above.")
    refused = "refused" if too_many is None else f"{too_many:.0f} tps"
    return [
        Measurement("pgbench, a new connection each transaction, through the pooler", pooled_short,
                    "tps", "direct", direct_short, note=f"{SHORT_CONNECTION_CLIENTS} clients"),
        Measurement(f"pgbench, {MANY_CLIENTS} clients through the pooler", pooled_many, "tps",
                    f"{DIRECT_CLIENTS} clients direct", direct_many,
                    note=f"{MANY_CLIENTS} clients direct: {refused}"),
    ]  # fmt: skip


def _pgbench(
    stack: LocalStack, script: Path, connection: dict[str, Any], arguments: list[str]
) -> float | None:
    """Transactions a second, or None when pgbench could not connect all its clients."""
    group = "application" if connection["port"] == stack.outputs["pooler_port"] else "migration"
    image = _image(stack)
    libraries = image / "usr/lib/x86_64-linux-gnu"
    text = " ".join(f"{key}={value}" for key, value in connection.items() if key != "password")
    result = stack.in_group(
        f"{group}_security_group_id",
        [
            *(str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)),
            str(image / "usr/lib/postgresql/17/bin/pgbench"),
            *("--no-vacuum", f"--time={SECONDS}", "--jobs=2", f"--file={script}", *arguments),
            text,
        ],
        env={"PGPASSWORD": connection["password"]},
    )
    found = re.search(r"tps = ([\d.]+)", result.stdout)
    if result.returncode != 0 or not found:
        console.print(f"[dim]{_last_line(result)}")
        return None
    return float(found.group(1))


def _last_line(result: subprocess.CompletedProcess[str]) -> str:
    lines = result.stderr.strip().splitlines()
    return lines[-1] if lines else "pgbench said nothing"


def _image(stack: LocalStack) -> Path:
    """The base image's root, as the lower layer of a running host's mount says."""
    for line in Path("/proc/mounts").read_text().splitlines():
        if str(stack.home) in line and "lowerdir=" in line:
            return Path(line.split("lowerdir=", 1)[1].split(",", 1)[0].split(":")[-1])
    raise RefusedError("no host of the local stack is mounted, so its base image is unknown.")
