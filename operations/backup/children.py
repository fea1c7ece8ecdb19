"""pg_dump, pg_restore and psql as children whose every end is noticed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import resource
import subprocess
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from operations.backup import table_changes
from operations.backup.catalog import Made
from operations.backup.conversation import Conversation
from operations.database import ALIVE, Endpoint
from operations.errors import OperationError
from operations.postgresql_client import command

# The most that an unprivileged process may ask for; fewer turns between the programs.
_PIPE_BYTES = 1024 * 1024
_ERROR_BYTES = 64 * 1024
_LOOK_SECONDS = 0.2
_STOPPED = "the run was stopped"


# What the programs and libpq say when they get no memory; the server's own is an "ERROR: ...".
_NO_MEMORY = re.compile(r"out of memory|cannot allocate memory|failed to map segment", re.I)
_OF_THE_SERVER = re.compile(r"\b(ERROR|FATAL|PANIC): ")
# What ends a wait for a lock: `lock_timeout` in psql's session, `--lock-wait-timeout` in pg_dump's,
# whose only statement with a timeout locks its tables.
_LOCK_WAIT = re.compile(r"canceling statement due to (lock|statement) timeout")


class OutOfMemoryError(OperationError):
    """A program needed more memory than this run gives to one."""


class WaitedError(OperationError):
    """A program gave up waiting for a table; `by` are the sessions that it waited for."""

    def __init__(self, program: str, made: Made, by: list[str] | None = None) -> None:
        """Say whom it waited for, and what to do."""
        whom = table_changes.named(by or [])
        super().__init__(
            f"{program} waited too long for a table: somebody changes its definition, or waits to "
            f"change it, and all who use the table wait behind that{whom}; no {made} was made, so "
            f"that they can go on. Start the {made} again when no migration is running, and give "
            "migrations a lock_timeout"
        )
        self.program = program
        self.made: Made = made

    def naming(self, by: list[str]) -> WaitedError:
        """The same with the sessions, which a program cannot name."""
        return WaitedError(self.program, self.made, by)


@dataclass(frozen=True)
class Login:
    """Where the children log in, and as whom."""

    endpoint: Endpoint
    user: str
    password: str

    @property
    def option(self) -> str:
        """The database for the program's words; libpq has no variables for what else it says."""
        quoted = self.endpoint.database.replace("\\", r"\\").replace("'", r"\'")
        return f"--dbname=dbname='{quoted}' {ALIVE}"

    def environment(self, **more: str) -> dict[str, str]:
        """libpq's variables. The password is in the child's environment only, never in words."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "PGHOST": self.endpoint.host,
            "PGHOSTADDR": self.endpoint.address or "",
            "PGPORT": str(self.endpoint.port),
            "PGDATABASE": self.endpoint.database,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.endpoint.ca_bundle),
            "PGAPPNAME": "pgkeep backup",
            "PGCONNECT_TIMEOUT": "10",
            **more,
        }


@dataclass
class Children:
    """All children of one run, so that one failure stops the others at once."""

    login: Login
    #: The most address space of one program; None: as much as there is.
    memory_bytes: int | None = None
    #: What the run makes, in what it says.
    made: Made = "backup"
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set[subprocess.Popen[bytes]])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    @contextmanager
    def output(
        self, program: str, arguments: Sequence[str], *, server_options: str = ""
    ) -> Generator[IO[bytes]]:
        """The program's standard output.

        Args:
            program: pg_dump or psql.
            arguments: its words but for the database.
            server_options: of its session, as libpq's PGOPTIONS has them (`-c NAME=VALUE`).

        Raises:
            OutOfMemoryError: the program needed more than `memory_bytes`.
            OperationError: on leaving the block, unless the program ended with 0; or when the
                run was stopped.
        """
        with self._run(program, arguments, subprocess.DEVNULL, server_options) as process:
            yield _pipe(process.stdout)

    @contextmanager
    def conversation(self, program: str, arguments: Sequence[str]) -> Generator[Conversation]:
        """What a program is told on its standard input, and what it answers.

        On leaving the block the program is told that nothing more comes. Raises as `output`.
        """
        with (
            self._run(program, arguments, subprocess.PIPE, "") as process,
            _pipe(process.stdin) as entrance,
        ):
            yield Conversation(entrance.fileno(), _pipe(process.stdout).fileno())

    @contextmanager
    def _run(
        self, program: str, arguments: Sequence[str], entrance: int, server_options: str
    ) -> Generator[subprocess.Popen[bytes]]:
        # A file: a full pipe that nobody reads would stop the program.
        with tempfile.TemporaryFile() as errors:
            process = self._start(program, arguments, errors, entrance, server_options)
            output = _pipe(process.stdout)
            ended = threading.Event()
            watcher = threading.Thread(target=_end_without_memory, args=(process, errors, ended))
            if self.memory_bytes is not None:
                watcher.start()
            try:
                with contextlib.suppress(OSError):
                    fcntl.fcntl(output, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
                yield process
                output.close()
                status = process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
            finally:
                ended.set()
                if self.memory_bytes is not None:
                    watcher.join()
                with self._lock:
                    self._running.discard(process)
            if status != 0:
                raise self._failure(program, status, errors)

    def stop(self) -> None:
        """Kill all children; whoever reads from one gets an `OperationError`."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.kill()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def _start(
        self,
        program: str,
        arguments: Sequence[str],
        errors: IO[bytes],
        entrance: int,
        server_options: str,
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise OperationError(_STOPPED)
            process = subprocess.Popen(
                [*command(program), *arguments, self.login.option],
                env=self.login.environment(PGOPTIONS=server_options),
                stdin=entrance,
                stdout=subprocess.PIPE,
                stderr=errors,
                bufsize=0,
            )
            self._running.add(process)
            if self.memory_bytes is not None:
                # The kernel would end this whole function with it, and nobody could say why; as it
                # does where the limit cannot be set. A program may also be gone already.
                limit = (self.memory_bytes, self.memory_bytes)
                with contextlib.suppress(OSError):
                    resource.prlimit(process.pid, resource.RLIMIT_AS, limit)
            return process

    def _failure(self, program: str, status: int, errors: IO[bytes]) -> OperationError:
        if self._stopped:
            return OperationError(_STOPPED)
        errors.seek(0)
        lines = errors.read(_ERROR_BYTES).decode(errors="replace").strip().splitlines()
        # Details and hints follow the line that says what went wrong.
        last = lines[-1] if lines else "no message"
        reason = next((line for line in lines if "error:" in line.lower()), last)
        if _LOCK_WAIT.search(reason):
            return WaitedError(program, self.made)
        end = f"was killed by signal {-status}" if status < 0 else f"ended with {status}"
        # The line of a script that nobody will see.
        reason = re.sub(r"^psql:<stdin>:\d+: ", "", reason)
        # A buffer that cannot grow costs libpq the connection, which is then what it says first.
        own = [line for line in lines if _NO_MEMORY.search(line)]
        if self.memory_bytes is not None and own and not _OF_THE_SERVER.search(own[0]):
            said = re.sub(r"^(psql:<stdin>:\d+: )?(.*error: )?", "", own[0])
            return OutOfMemoryError(f"{program}: {said}")
        return OperationError(f"{program} {end}: {reason}; no {self.made} was made")


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise AssertionError("it was started with a pipe")
    return end


def _end_without_memory(
    process: subprocess.Popen[bytes], errors: IO[bytes], ended: threading.Event
) -> None:
    """psql that gets no memory for a row says so and then tries for ever to go on.

    `errors` is read at a position: the program writes at the one that both share.
    """
    while not ended.wait(_LOOK_SECONDS):
        said = os.pread(errors.fileno(), _ERROR_BYTES, 0).decode(errors="replace")
        if _NO_MEMORY.search(said) and not _OF_THE_SERVER.search(said):
            process.kill()
            return
