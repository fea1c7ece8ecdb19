"""One PostgreSQL server: its folder, its root, its processes.

Layout below `home/databases/<id>/`, seen by the server as `/rdsdbdata` (as on RDS):
`db` data directory, `config` configuration and certificate, `log/error` server logs, `wal_archive`
archived WAL, `socket` Unix sockets of the administrator.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg

from localcloud.databases.archive import copy_tree
from localcloud.databases.engine import Engine, bind, mount_memory, unmount_below
from localcloud.errors import LocalCloudError

ADMINISTRATOR = "rdsadmin"
REPLICATION_ADMINISTRATOR = "rdsrepladmin"

# Inside the server's root.
DATA = Path("/rdsdbdata/db")
CONFIGURATION = Path("/rdsdbdata/config")
PRIMARY = Path("/rdsprimary")
# What a restored server begins with, until it is open.
RESTORE = Path("/rdsdbdata/restore")
# New copies are not forced to disk as a whole: the control plane lives in memory, so a crash of the
# machine ends this cloud anyway. What the server itself commits is (fsync is on, as on RDS).
_NO_SYNC = "--no-sync"
_FOLDERS = ("db", "config", "log", "log/error", "wal_archive", "socket")

# The parameter group's limits are for the user's sessions, and what the administrator does (even
# a password's verifier) belongs in no log. It waits for no standby either: it may be what brings a
# dead one back, and works also where sessions begin read-only.
_SESSION_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "statement_timeout": 0,
        "lock_timeout": 0,
        "idle_in_transaction_session_timeout": 0,
        "log_statement": "none",
        "log_min_duration_statement": -1,
        "log_min_error_statement": "panic",
        "pgaudit.log": "none",
        "synchronous_commit": "local",
        "default_transaction_read_only": "off",
    }.items()
)

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
_SLOT_TIMEOUT_SECONDS = 10.0
_POLL_SECONDS = 0.02
# Room for parallel queries' dynamic shared memory; only what is used is taken.
_SHARED_MEMORY_MEBIBYTES = 512


class StartError(LocalCloudError):
    """PostgreSQL ended before it accepted connections; `reason` is what it logged last."""

    def __init__(self, identifier: str, reason: str) -> None:
        super().__init__(f"PostgreSQL of {identifier} did not start: {reason}")
        self.reason = reason


@dataclass
class Server:
    """The PostgreSQL server of one DB instance."""

    engine: Engine
    identifier: str
    folder: Path
    port: int
    namespace_path: Path | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def root(self) -> Path:
        """Root folder of the server's processes."""
        return self.engine.folder / "roots" / self.identifier

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "db"

    @property
    def configuration(self) -> Path:
        """Folder of postgresql.conf, pg_hba.conf and the certificate."""
        return self.folder / "config"

    @property
    def wal_archive(self) -> Path:
        """Folder of archived WAL segments."""
        return self.folder / "wal_archive"

    @property
    def restore(self) -> Path:
        """Folder of a base backup and WAL that the server is restored from."""
        return self.folder / RESTORE.name

    @property
    def logs(self) -> Path:
        """Folder of the log files that DescribeDBLogFiles lists, below `error/`."""
        return self.folder / "log"

    @property
    def running(self) -> bool:
        """Whether the postmaster lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """The postmaster's process id while it lives."""
        return self._process.pid if self._process is not None and self.running else None

    def prepare(self, primary: "Server | None" = None) -> None:
        """Make the folders and mount the root; a replica also sees its primary's socket.

        The stream of a replica runs over that socket, as RDS keeps replication off the customer's
        network: no security group of the user can cut it.
        """
        unmount_below(self.root)  # Left by a daemon that was killed.
        for name in _FOLDERS:
            self.make_folder(name)
        self.engine.mount(self.root)
        bind(self.folder, self.root / "rdsdbdata")
        mount_memory(self.root / "dev/shm", _SHARED_MEMORY_MEBIBYTES)
        mount_memory(self.root / "tmp", _SHARED_MEMORY_MEBIBYTES)
        if primary is not None:
            self.see_primary(primary)

    def make_folder(self, name: str) -> None:
        """Make a folder that the server sees below /rdsdbdata, its own."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chown(path, *self.engine.owner)

    def empty(self) -> None:
        """Remove the data of a stopped server."""
        shutil.rmtree(self.data)
        self.make_folder(self.data.name)

    def see_primary(self, primary: "Server") -> None:
        """Show the server the socket of the primary it follows, or another one from now on."""
        point = self.root / PRIMARY.relative_to("/")
        unmount_below(point)
        bind(primary.folder / "socket", point)

    def initialize(self, engine: Engine | None = None, data: Path = DATA) -> None:
        """Make a new cluster (initdb), by another engine than its own if one is given."""
        engine = engine or self.engine
        self.run_program(
            engine.program("initdb"),
            f"--pgdata={data}",
            f"--username={ADMINISTRATOR}",
            "--auth=peer",
            "--encoding=UTF8",
            f"--locale={engine.locale}",
            "--data-checksums",  # on in every RDS instance
            "--no-instructions",
            _NO_SYNC,
        )

    def copy_primary(self, primary: "Server", slot: str) -> None:
        """Copy the primary (pg_basebackup), leaving a new physical slot to follow it from."""
        self.run(
            "pg_basebackup",
            f"--host={PRIMARY}",
            f"--port={primary.port}",
            f"--username={REPLICATION_ADMINISTRATOR}",
            f"--pgdata={DATA}",
            "--checkpoint=fast",
            "--wal-method=stream",
            "--create-slot",
            f"--slot={slot}",
            _NO_SYNC,
        )
        (self.data / "standby.signal").touch()

    def back_up(self, target: Path) -> None:
        """Write a base backup that starts on its own (pg_basebackup with its WAL) to `target`.

        `target` appears only when the backup is complete.
        """
        name = f".backup-{uuid.uuid4().hex}"
        unfinished = self.folder / name
        unfinished.mkdir(mode=0o700)
        os.chown(unfinished, *self.engine.owner)
        try:
            self.run(
                "pg_basebackup",
                "--host=/rdsdbdata/socket",
                f"--port={self.port}",
                f"--username={REPLICATION_ADMINISTRATOR}",
                f"--pgdata=/rdsdbdata/{name}",
                "--checkpoint=fast",
                "--wal-method=stream",
                _NO_SYNC,
            )
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def write(self, name: str, content: str | bytes, *, secret: bool = False) -> None:
        """Replace one file in the configuration folder."""
        path = self.configuration / name
        temporary = path.with_name(path.name + ".new")
        temporary.unlink(missing_ok=True)
        mode = 0o600 if secret else 0o644
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chown(temporary, *self.engine.owner)
        temporary.rename(path)

    def take_over(self, backup: Path) -> None:
        """Begin with the data of a base backup instead of a new cluster."""
        copy_tree(backup, self.data)
        # Of a backup that was taken of a replica.
        (self.data / "standby.signal").unlink(missing_ok=True)

    def request_recovery(self) -> None:
        """Make the next start replay archived WAL, as the configuration says, and then open."""
        (self.data / "recovery.signal").touch()

    def start(
        self, timeout_seconds: float = START_TIMEOUT_SECONDS, *, hidden: bool = False
    ) -> None:
        """Start the server and wait until it accepts connections. Raises StartError.

        A `hidden` one replays WAL and accepts none.
        """
        if self.running:
            return
        pid_file = self.data / "postmaster.pid"
        output = self.logs / "error" / "postgres.log"
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", str(DATA), self._config_file()),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd="/",
                env=self._environment(),
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise StartError(self.identifier, self._last_error())
            if _is("standby" if hidden else "ready", pid_file, self._process.pid):
                return
            time.sleep(_POLL_SECONDS)
        self.stop(signal.SIGQUIT)
        raise StartError(
            self.identifier, f"not ready after {timeout_seconds:.0f} s: {self._last_error()}"
        )

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one."""
        if self._process is None:
            return
        for sent in (how, signal.SIGQUIT, signal.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_SECONDS)
                break
        self._process = None

    def reload(self) -> None:
        """Make the server read its configuration again."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGHUP)

    def remove(self) -> None:
        """Stop the server and remove all it had."""
        self.stop()
        self.unmount()
        shutil.rmtree(self.folder, ignore_errors=True)

    def unmount(self) -> None:
        """Unmount the root."""
        unmount_below(self.root)
        with contextlib.suppress(FileNotFoundError):
            self.root.rmdir()

    @contextlib.contextmanager
    def connect(self, database: str = "postgres") -> Generator[psycopg.Connection]:
        """Connect as the administrator over the Unix socket; each statement commits."""
        # A socket's path is at most 107 bytes (unix(7)); the descriptor's path always fits.
        descriptor = os.open(self.folder / "socket", os.O_PATH | os.O_DIRECTORY)
        try:
            with psycopg.connect(
                host=f"/proc/self/fd/{descriptor}",
                port=self.port,
                dbname=database,
                user=ADMINISTRATOR,
                autocommit=True,
                connect_timeout=10,
                options=_SESSION_OPTIONS,
            ) as connection:
                yield connection
        finally:
            os.close(descriptor)

    def query(self, statement: LiteralString, *values: object) -> list[tuple[object, ...]]:
        """Run one query as the administrator and return its rows."""
        with self.connect() as connection:
            return connection.execute(statement, values).fetchall()

    def drop_slot(self, slot: str) -> None:
        """Drop a replica's slot, so that WAL for it no longer gathers here."""
        deadline = time.monotonic() + _SLOT_TIMEOUT_SECONDS
        while self.running:
            try:
                self.query(
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                    "WHERE slot_name = %s",
                    slot,
                )
            except psycopg.errors.ObjectInUse:
                # The sender of a replica that has just stopped is still leaving.
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def last_checkpoint(self) -> str:
        """Where in the WAL the last checkpoint stands; of a stopped server, its very end."""
        said = self.run("pg_controldata", f"--pgdata={DATA}")
        lines = dict(line.split(":", 1) for line in said.splitlines() if ":" in line)
        return lines["Latest checkpoint location"].strip()

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs as postgres in the root, and return what it says.

        Raises LocalCloudError.
        """
        return self.run_program(self.engine.program(program), *arguments)

    def run_program(self, program: Path, *arguments: str) -> str:
        """Run a program of the root as postgres, and return what it says.

        Raises LocalCloudError.
        """
        completed = self.attempt(program, *arguments)
        if completed.returncode:
            raise LocalCloudError(
                f"{program.name} for {self.identifier} failed: {completed.stderr.strip()[-500:]}"
            )
        return completed.stdout

    def attempt(
        self, program: Path, *arguments: str, folder: str = "/"
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the root as postgres in a folder of it."""
        return subprocess.run(
            self._in_root("env", f"--chdir={folder}", str(program), *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self._environment(),
            cwd="/",
            check=False,
        )

    def _command(self, program: str, *arguments: str) -> Sequence[str]:
        enter = ["nsenter", f"--net={self.namespace_path}", "--"] if self.namespace_path else []
        return [*enter, *self._in_root(str(self.engine.program(program)), *arguments)]

    def _in_root(self, *command: str) -> Sequence[str]:
        user, group = self.engine.owner
        return [
            *("chroot", str(self.root), "setpriv"),
            *(f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs", "--"),
            *command,
        ]

    def _environment(self) -> dict[str, str]:
        usual = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"}
        return usual | self.engine.environment

    def _config_file(self) -> str:
        return f"--config-file={CONFIGURATION / 'postgresql.conf'}"

    def _last_error(self) -> str:
        """The last FATAL or PANIC line of the start, or the last line."""
        lines: list[str] = []
        for path in sorted((self.logs / "error").iterdir(), key=lambda p: p.stat().st_mtime):
            lines += path.read_text(errors="replace").splitlines()[-40:]
        marked = [line for line in lines if "FATAL:" in line or "PANIC:" in line]
        return (marked or lines or ["it logged nothing"])[-1].strip()


def _is(status: str, pid_file: Path, postmaster: int) -> bool:
    # postmaster.pid begins with the process id, its eighth line is the postmaster's state
    # (LOCK_FILE_LINE_PM_STATUS). A killed server leaves its file, which PostgreSQL itself judges:
    # it does not start while a process of the old server still lives.
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(postmaster) and lines[7].strip() == status
