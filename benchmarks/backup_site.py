"""What the benchmark of backups runs on: PostgreSQL 17, a fast local S3, data, and a stopwatch."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from operations.certificates import issue
from tests.operations import postgres_server
from tests.operations.postgres_server import SUPERUSER, PostgresServer
from toolchain.steps import RefusedError

KEY, SECRET, REGION, BUCKET = "benchmark", "of-a-benchmark", "us-east-1", "bench-backups"
USER, PASSWORD = "stranger_bench", "of-a-benchmark"
_VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024 * 1024


@dataclass(frozen=True)
class Timing:
    """Of one command with all that it started. Processor seconds tell more on a loaded machine."""

    seconds: float
    client_cpu_seconds: float
    server_cpu_seconds: float
    s3_cpu_seconds: float
    peak_mib: float
    output: str


def together(first: Timing, second: Timing) -> Timing:
    """One after the other."""
    return Timing(
        first.seconds + second.seconds,
        first.client_cpu_seconds + second.client_cpu_seconds,
        first.server_cpu_seconds + second.server_cpu_seconds,
        first.s3_cpu_seconds + second.s3_cpu_seconds,
        max(first.peak_mib, second.peak_mib),
        second.output,
    )


@dataclass(frozen=True)
class BackupSite:
    """Servers that run; `endpoint_url` is the S3's."""

    server: PostgresServer
    s3_process: subprocess.Popen[bytes]
    endpoint_url: str
    s3_ca_bundle: Path
    scratch: Path

    def environment(self, database: str) -> dict[str, str]:
        """libpq's and AWS's variables for commands, TLS verified as pgkeep does."""
        endpoint = self.server.endpoint
        return {
            **os.environ,
            "PGHOST": endpoint.host,
            "PGPORT": str(endpoint.port),
            "PGDATABASE": database,
            "PGUSER": USER,
            "PGPASSWORD": PASSWORD,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(endpoint.ca_bundle),
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_CA_BUNDLE": str(self.s3_ca_bundle),
            "BENCHMARK_BUCKET": BUCKET,
        }

    def client(self) -> Any:
        """S3 as pgkeep calls it."""
        import boto3

        from operations import aws_clients

        return boto3.client(
            "s3", endpoint_url=self.endpoint_url, region_name=REGION, aws_access_key_id=KEY,
            aws_secret_access_key=SECRET, verify=str(self.s3_ca_bundle),
            config=aws_clients.patient(),
        )  # fmt: skip

    def time(self, words: Sequence[str], environment: dict[str, str]) -> Timing:
        """Run a command to its end; `RefusedError` when it fails."""
        before = [cpu_seconds(self.server.process.pid), cpu_seconds(self.s3_process.pid)]
        usage, started = os.times(), time.monotonic()
        with (
            subprocess.Popen(
                words,
                env=dict(environment),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process,
            _peak(process.pid) as peak,
        ):
            output, _ = process.communicate()
        seconds, after = time.monotonic() - started, os.times()
        if process.returncode != 0:
            raise RefusedError(f"{words[0]} ended with {process.returncode}: {output[-2000:]}")
        client = (
            after.children_user + after.children_system
            - usage.children_user - usage.children_system
        )  # fmt: skip
        return Timing(
            seconds,
            client,
            cpu_seconds(self.server.process.pid) - before[0],
            cpu_seconds(self.s3_process.pid) - before[1],
            peak[0],
            output,
        )


@contextmanager
def site(image: Path, scratch: Path) -> Generator[BackupSite]:
    """Start both servers with their data in memory, and end them."""
    server = postgres_server.start(image, scratch / "postgresql")
    try:
        with server.superuser() as connection:
            for setting in ("log_statement = 'none'", "max_wal_size = '16GB'"):
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
        with _s3(scratch) as (process, url, ca_bundle):
            started = BackupSite(server, process, url, ca_bundle, scratch)
            started.client().create_bucket(Bucket=BUCKET)
            yield started
    finally:
        server.stop()


def vacuumdb(on: BackupSite, database: str, jobs: int) -> Timing:
    """ANALYZE as a user would run it after pg_restore; it leaves partitioned tables out.

    The client's layer does not have it: it is the server's own, over its socket.
    """
    server = on.server
    root = server.log_file.parent / "overlay" / "root"
    words = ["nsenter", "--target", str(server.process.pid), "--mount", "chroot", str(root)]
    words += ["/usr/lib/postgresql/17/bin/vacuumdb", "--analyze-only", "--jobs", str(jobs)]
    words += ["--host=/socket", f"--port={server.endpoint.port}", f"--username={SUPERUSER}"]
    return on.time([*words, "--quiet", database], dict(os.environ))


@contextmanager
def _s3(scratch: Path) -> Generator[tuple[subprocess.Popen[bytes], str, Path]]:
    """Over TLS, as S3 is: its process, address and CA."""
    folders = [scratch / "s3-data", scratch / "s3-meta"]
    for folder in folders:
        folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    now = datetime.now(UTC)
    authority = issue.authority("S3 of a benchmark", 2, now)
    server = issue.server(authority, ["localhost"], 1, now)
    ca_bundle, certificate, key = (scratch / f"s3-{name}.pem" for name in ("ca", "crt", "key"))
    ca_bundle.write_text(authority.certificate)
    certificate.write_text(server.certificate)
    key.write_text(server.private_key)
    words = [str(_versitygw()), "--port", f"127.0.0.1:{port}", "--quiet"]
    words += ["--cert", str(certificate), "--key", str(key), "posix"]
    process = subprocess.Popen(
        [*words, "--sidecar", str(folders[1]), str(folders[0])],
        env={**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_port(port)
        yield process, f"https://localhost:{port}", ca_bundle
    finally:
        process.kill()
        process.wait()


def _versitygw() -> Path:
    """Built once into the cache. An S3 that is not the bottleneck; the emulator's own is."""
    from toolchain.cache import cache_folder

    folder = cache_folder() / f"versitygw-{_VERSITYGW.partition('@')[2]}"
    binary = folder / "versitygw"
    if not binary.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(
                ["go", "install", _VERSITYGW],
                env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-mod=mod"},
                check=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise RefusedError(f"versitygw could not be built: {error}") from error
    return binary


def _wait_for_port(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RefusedError("versitygw does not answer")


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for one in found:
        try:
            children = Path(f"/proc/{one}/task").glob("*/children")
            found += [int(child) for file in children for child in file.read_text().split()]
        except OSError:
            continue
    return found


def cpu_seconds(pid: int) -> float:
    """Of a tree of processes, those included that have ended in it."""
    total = 0
    for one in tree(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(value) for value in fields[11:15])
    return total / _TICKS


def resident_mib(pid: int) -> float:
    """Of a tree; pages that several share count once (PSS)."""
    total = 0
    for one in tree(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total / _MIB


@contextmanager
def _peak(pid: int) -> Generator[list[float]]:
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            peak[0] = max(peak[0], resident_mib(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()
