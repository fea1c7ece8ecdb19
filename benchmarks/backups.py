"""Backups and restores beside pg_dump with the AWS command line: same data, same S3, one run.

Every comparison has wall time and processor seconds (client and server together): on a machine that
does other things too, the second one can be trusted.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.backup_site import BUCKET, BackupSite, Timing, site, together, vacuumdb
from benchmarks.outside_programs import installed
from benchmarks.pgbackrest import PgBackRest
from benchmarks.results import Measurement
from operations import postgresql_client
from toolchain.functions import client_programs

_WORKERS = 2
# In turn, and the median of each: whoever comes first reads what PostgreSQL has not in memory yet.
_ROUNDS = 3
# What takes longer is measured once: no cold memory changes it by much.
_SHORT_SECONDS = 20
_MIB = 1024 * 1024


def aws_s3() -> str:
    """`aws s3`, by its own path."""
    return f"{shlex.quote(installed('awscli', 'aws'))} s3"


def measure(scale: int = 100, small_tables: int = 2_000) -> list[Measurement]:
    """All measurements; `scale` as pgbench's (1.5 GB at 100)."""
    from localcloud.image import base_image

    client_programs()
    with (
        TemporaryDirectory(prefix="pgkeep-bench-") as folder,
        site(base_image(print), Path(folder)) as started,
    ):
        found: list[Measurement] = []
        physical = PgBackRest(started, _WORKERS)
        for database, statements in (
            ("accounts", _accounts(scale)),
            ("tables", _tables(small_tables)),
        ):
            with started.server.superuser() as connection:
                connection.execute(f"CREATE DATABASE {database}".encode())
            with started.server.superuser(database) as connection:
                for statement in statements:
                    connection.execute(statement.encode())
                connection.execute("VACUUM ANALYZE")
                connection.execute("CHECKPOINT")
            found += _compare(started, database, physical)
            # pgBackRest backs up all databases of a server.
            with started.server.superuser() as connection:
                for name in (database, f"{database}_ours", f"{database}_theirs"):
                    connection.execute(f"DROP DATABASE {name}".encode())
        return found


def _median(timings: list[Timing]) -> Timing:
    return sorted(timings, key=lambda one: one.seconds)[len(timings) // 2]


def _accounts(scale: int) -> Iterator[str]:
    """pgbench's tables in partitions; its filler is blanks, which would compress to nothing."""
    yield (
        "CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84)) "
        "PARTITION BY HASH (aid)"
    )
    for number in range(8):
        yield (
            f"CREATE TABLE pgbench_accounts_{number + 1} PARTITION OF pgbench_accounts "
            f"FOR VALUES WITH (MODULUS 8, REMAINDER {number})"
        )
    rows = f"generate_series(1, {scale * 100_000}) i"
    filler = "md5(i::text) || md5((-i)::text) || left(md5((i * 7)::text), 20)"
    yield f"INSERT INTO pgbench_accounts SELECT i, i / 100000, 0, {filler} FROM {rows}"  # noqa: S608
    yield "ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)"


def _tables(count: int) -> Iterator[str]:
    """Many small tables with an index each."""
    # One transaction would need a lock for each.
    for first in range(0, count, 500):
        make = "CREATE TABLE t%1$s AS SELECT i AS id, md5(i::text) AS word"
        make += " FROM generate_series(1, 100) i; ALTER TABLE t%1$s ADD PRIMARY KEY (id)"
        numbers = f"{first}..{min(first + 500, count) - 1}"
        yield f"DO $$ BEGIN FOR n IN {numbers} LOOP EXECUTE format('{make}', n); END LOOP; END $$"


def _compare(on: BackupSite, database: str, physical: PgBackRest) -> list[Measurement]:
    environment = on.environment(database)
    files = on.scratch / f"dump-{database}"
    dump = shlex.join(postgresql_client.command("pg_dump"))
    load = shlex.join(postgresql_client.command("pg_restore"))
    ours = [sys.executable, "-m", "benchmarks.backup_worker"]

    def shell(line: str, target: str = database) -> Timing:
        words = ["bash", "-euo", "pipefail", "-c", line]
        return on.time(words, on.environment(target))

    aws = aws_s3()
    # Its bytecode is written before it is measured.
    shell(f"{aws} ls s3://{BUCKET} > /dev/null")
    backups: list[Timing] = []
    folders: list[Timing] = []
    pipes: list[Timing] = []
    for _ in range(_ROUNDS):
        backups.append(on.time([*ours, "backup", database, str(_WORKERS)], environment))
        folders.append(
            shell(
                f"rm -rf {files}; {dump} -Fd -j{_WORKERS} -Z zstd -f {files} && "
                f"{aws} cp --recursive --no-progress {files} s3://{BUCKET}/{database}.d/ "
                "> /dev/null"
            )
        )
        if not pipes or pipes[0].seconds < _SHORT_SECONDS:
            pipe = f"{dump} -Fc | {aws} cp --no-progress - s3://{BUCKET}/{database}.dump"
            pipes.append(shell(pipe))
    backup, folder, piped = _median(backups), _median(folders), _median(pipes)
    files_backup, files_restore = physical.backup(), physical.restore()
    identifier = json.loads(backup.output.splitlines()[-1])["id"]
    for name in (f"{database}_ours", f"{database}_theirs"):
        with on.server.superuser() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    restored = on.time(
        [*ours, "restore", f"{database}_ours", str(_WORKERS), identifier],
        on.environment(f"{database}_ours"),
    )
    theirs = shell(
        f"{aws} cp --recursive --no-progress s3://{BUCKET}/{database}.d/ {files}-back > /dev/null "
        f"&& {load} -j{_WORKERS} -d {database}_theirs {files}-back",
        f"{database}_theirs",
    )
    analyzed = together(theirs, vacuumdb(on, f"{database}_theirs", _WORKERS))
    proven = on.time(
        [*ours, "prove", f"{database}_ours", str(_WORKERS), identifier],
        on.environment(f"{database}_ours"),
    )
    statistics = json.loads(restored.output.splitlines()[-1])["steps"]["statistics"]
    usable = replace(restored, seconds=restored.seconds - statistics)
    pg_restore, with_analyze = "down, then pg_restore -j2", "the same, then vacuumdb -Z -j2"
    return [
        *_rows(f"backup of {database}", backup, "pg_dump -Fc piped to aws s3 cp", piped, "<= 0.5"),
        *_rows(f"backup of {database}", backup, "pg_dump -Fd -j2 -Z zstd, then up", folder, "<= 1"),
        *_rows(f"backup of {database}", backup, "pgBackRest (the server's files)", files_backup),
        _rows(f"restore of {database}, data usable", usable, pg_restore, theirs, "<= 1")[0],
        *_rows(f"restore of {database}, ANALYZE", restored, with_analyze, analyzed, "<= 1"),
        *_rows(
            f"restore of {database}, ANALYZE and proof",
            together(restored, proven),
            f"{with_analyze}: no proof",
            analyzed,
        ),
        *_rows(f"restore of {database}", restored, "pgBackRest (no server started)", files_restore),
        Measurement(f"memory of the backup of {database}", backup.peak_mib, "MiB", aim="< 256"),
        Measurement(f"memory of the restore of {database}", restored.peak_mib, "MiB"),
    ]


def _rows(
    name: str, one: Timing, other_name: str, other: Timing, aim: str = ""
) -> list[Measurement]:
    def processor(timing: Timing) -> float:
        return timing.client_cpu_seconds + timing.server_cpu_seconds

    note = (
        f"client {one.client_cpu_seconds:.1f}, PostgreSQL {one.server_cpu_seconds:.1f}, "
        f"S3 {one.s3_cpu_seconds:.1f} s of processor"
    )
    return [
        Measurement(name, one.seconds, "s", other_name, other.seconds, aim, note),
        Measurement(f"{name}, processor", processor(one), "s", other_name, processor(other)),
    ]
