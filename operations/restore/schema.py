"""Definitions out of the backup's schema archive: before the rows, and after them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from operations.backup.children import Login
from operations.backup.manifest import Manifest
from operations.backup.object_reader import ObjectReader
from operations.errors import OperationError
from operations.postgresql_client import command

Section = Literal["pre-data", "post-data"]
_LONGEST_REASON = 2_000
# The type of an entry in pg_restore's list; owner and names follow it.
_EXIT_ON_ERROR = "--exit-on-error"
_UNKNOWN_PARAMETER = b'ERROR:  unrecognized configuration parameter "transaction_timeout"'
# Without the program's name: parallel sessions write it, and what follows it, between one another.
_ERROR = b"error: "
_IGNORED = b"pg_restore: warning: errors ignored on restore: "
_FOREIGN_KEY = b" FK CONSTRAINT "


@dataclass(frozen=True)
class SchemaArchive:
    """The archive as a local file: it holds no rows and is small."""

    path: Path
    login: Login
    workers: int
    no_owner: bool
    #: Some tables stay empty, so that foreign keys to them could not hold.
    without_foreign_keys: bool

    def restore(self, section: Section) -> None:
        """Run pg_restore for one section.

        Raises:
            OperationError: it failed; the message holds pg_restore's own.
        """
        words = [
            *command("pg_restore"),
            f"--section={section}",
            _EXIT_ON_ERROR,
            "--no-password",
            f"--dbname={self.login.endpoint.database}",
        ]
        if section == "post-data":
            words.append(f"--jobs={self.workers}")
        if self.no_owner:
            words += ["--no-owner", "--no-privileges"]
        with tempfile.NamedTemporaryFile(prefix="pgkeep-list-") as chosen:
            if self.without_foreign_keys:
                entries = self._run([*command("pg_restore"), "--list"], "the list")
                chosen.writelines(
                    line for line in entries.splitlines(keepends=True) if _FOREIGN_KEY not in line
                )
                chosen.flush()
                words.append(f"--use-list={chosen.name}")
            self._run(words, section)

    def _run(self, words: list[str], what: str) -> bytes:
        ended = self._start(words)
        if ended.returncode != 0 and _UNKNOWN_PARAMETER in ended.stderr:
            # It was the first thing that pg_restore said to the server: nothing is restored yet.
            ended = self._start([word for word in words if word != _EXIT_ON_ERROR])
        if ended.returncode != 0 and not only_unknown_parameter(ended.stderr):
            reason = " ".join(ended.stderr.decode(errors="replace").split())[:_LONGEST_REASON]
            raise OperationError(
                f"pg_restore of {what} ended with {ended.returncode}: {reason}; the target is "
                "incomplete"
            )
        return ended.stdout

    def _start(self, words: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*words, str(self.path)],
            env=self.login.environment(PGAPPNAME="pgkeep restore"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )


def only_unknown_parameter(errors: bytes) -> bool:
    """Whether pg_restore 17 ended with 1 only because the server is a 16.

    Each of its sessions sets `transaction_timeout`, which 17 brought; without `--exit-on-error` it
    goes on and says at its end that it ignored errors (it counts not all of those of parallel
    sessions).
    """
    passed_over = errors.count(_UNKNOWN_PARAMETER)
    return _IGNORED in errors and 0 < passed_over == errors.count(_ERROR)


@contextmanager
def fetched(
    backup: Manifest,
    reader: ObjectReader,
    login: Login,
    *,
    workers: int,
    no_owner: bool,
    without_foreign_keys: bool,
) -> Generator[SchemaArchive]:
    """The archive in a temporary file, gone afterwards."""
    stored = next(one for one in backup.objects if one.key == backup.schema_key)
    with tempfile.NamedTemporaryFile(prefix="pgkeep-schema-", suffix=".dump") as file:
        for block in reader.read(stored):
            file.write(block)
        file.flush()
        yield SchemaArchive(Path(file.name), login, workers, no_owner, without_foreign_keys)


def restore_large_objects(backup: Manifest, reader: ObjectReader, login: Login) -> None:
    """Stream the large objects into pg_restore; it reads no file.

    Raises:
        OperationError: pg_restore failed or the object is damaged.
    """
    if not backup.large_objects:
        return
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [
                *command("pg_restore"),
                "--section=data",
                "--no-password",
                f"--dbname={login.endpoint.database}",
            ],
            env=login.environment(PGAPPNAME="pgkeep restore"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        if process.stdin is None:
            raise AssertionError("stdin is a pipe")
        try:
            with process.stdin as entrance:
                for stored in backup.large_objects:
                    for block in reader.read(stored):
                        entrance.write(block)
            status = process.wait()
        except BrokenPipeError:
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        errors.seek(0)
        said = errors.read()
        if status != 0 and not only_unknown_parameter(said):
            reason = " ".join(said.decode(errors="replace").split())[:_LONGEST_REASON]
            raise OperationError(f"pg_restore of the large objects ended with {status}: {reason}")
