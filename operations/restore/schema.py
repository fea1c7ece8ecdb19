"""Definitions out of the backup's schema archive: before the rows, and after them."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from operations.backup.children import Login
from operations.backup.manifest import Manifest
from operations.backup.object_reader import ObjectReader
from operations.backup.session import Connect
from operations.errors import OperationError
from operations.postgresql_client import command
from operations.restore import owners

Section = Literal["pre-data", "post-data"]
_LONGEST_REASON = 2_000
_EXIT_ON_ERROR = "--exit-on-error"
_UNKNOWN_PARAMETER = b'ERROR:  unrecognized configuration parameter "transaction_timeout"'
# Without the program's name: parallel sessions write it, and what follows it, between one another.
_ERROR = b"error: "
_IGNORED = b"pg_restore: warning: errors ignored on restore: "
# Types of entries in pg_restore's list; owner and names follow them.
_FOREIGN_KEY = re.compile(rb"^\d+; \d+ \d+ FK CONSTRAINT ")
_MATERIALIZED = re.compile(rb"^\d+; \d+ \d+ MATERIALIZED VIEW DATA ")
# With what is said of policies (COMMENT).
_ROW_SECURITY = re.compile(rb"^\d+; \d+ \d+ (POLICY|ROW SECURITY|COMMENT .*POLICY) ")
_NO_ROLE = re.compile(
    r'ERROR:  (role ".*" does not exist|policy ".*" for table ".*" does not exist)'
)
_SCHEMA = re.compile(rb"^\d+; \d+ \d+ (SCHEMA - |ACL - SCHEMA )")
_POPULATED = "SELECT count(*) FROM pg_catalog.pg_matviews WHERE ispopulated"


@dataclass(frozen=True)
class SchemaArchive:
    """The archive as a local file: it holds no rows and is small."""

    path: Path
    login: Login
    workers: int
    no_owner: bool
    #: Some tables stay empty, so that foreign keys to them could not hold.
    without_foreign_keys: bool
    #: What could not be restored here, and why, once the block of `around` ended.
    left_out: list[str] = field(default_factory=list[str])

    @contextmanager
    def around(self, connect: Connect) -> Generator[None]:
        """Definitions before the rows are there when the block begins; those after them when it
        ended.

        Raises:
            OperationError: pg_restore failed; the message holds its own.
        """
        text = [*command("pg_restore"), "--file=-", "--section=pre-data", "--section=post-data"]
        guests = [] if self.no_owner else owners.guests(self._run(text, "its text"))
        if guests:
            # With their grants, or what is granted below would be taken away too.
            self._restore("pre-data", self._chosen(lambda line: bool(_SCHEMA.match(line))))
        with owners.admitted(connect, guests):
            self._restore(
                "pre-data", self._chosen(lambda line: not (guests and _SCHEMA.match(line)))
            )
            yield
            self._restore(
                "post-data",
                self._chosen(
                    lambda line: not _MATERIALIZED.match(line) and not _ROW_SECURITY.match(line)
                ),
            )
            self._secure_rows()
            self._refresh(connect)

    @cached_property
    def _entries(self) -> list[bytes]:
        lines = self._run([*command("pg_restore"), "--list"], "the list").splitlines(keepends=True)
        entries = [line for line in lines if not line.startswith(b";")]
        if not self.without_foreign_keys:
            return entries
        kept = [line for line in entries if not _FOREIGN_KEY.match(line)]
        if without := len(entries) - len(kept):
            self.left_out.append(
                f"foreign keys ({without}): they are not here, and neither are the rows of the "
                "tables that were not chosen"
            )
        return kept

    def _chosen(self, wanted: Callable[[bytes], bool]) -> list[bytes]:
        return [line for line in self._entries if wanted(line)]

    def _restore(
        self, section: Section, entries: list[bytes], *more: str, to_the_end: bool = False
    ) -> str:
        """pg_restore of these entries; what it said, which is an error unless `to_the_end`."""
        words = [
            *command("pg_restore"),
            f"--section={section}",
            "--no-password",
            self.login.option,
            *more,
        ]
        if not to_the_end:
            words.append(_EXIT_ON_ERROR)
        if section == "post-data":
            words.append(f"--jobs={self.workers}")
        if self.no_owner:
            words += ["--no-owner", "--no-privileges"]
        with tempfile.NamedTemporaryFile(prefix="pgkeep-list-") as chosen:
            chosen.writelines(entries)
            chosen.flush()
            words.append(f"--use-list={chosen.name}")
            if to_the_end:
                return self._start(words).stderr.decode(errors="replace")
            self._run(words, section)
            return ""

    def _secure_rows(self) -> None:
        """Row-level security, after the foreign keys: they are checked by who owns the tables, whom
        a forced policy would hide rows from.
        """
        entries = self._chosen(lambda line: bool(_ROW_SECURITY.match(line)))
        if not entries:
            return
        if not self.no_owner:
            self._restore("post-data", entries)
            return
        said = self._restore("post-data", entries, to_the_end=True)
        missing = len(_NO_ROLE.findall(said))
        if missing < said.count(_ERROR.decode()):
            raise OperationError(
                f"pg_restore of row-level security failed: {_shortened(said)}; the target is "
                "incomplete"
            )
        if missing:
            self.left_out.append(
                f"{missing} policies and comments for roles that are not on this server: tables "
                "with row-level security show them nothing"
            )

    def _refresh(self, connect: Connect) -> None:
        """Materialized views, as often as one more of them comes.

        One that reads another through a function does not depend on it for PostgreSQL, and comes
        before it by name or by chance. Each is filled as its owner, with the rows that policies
        show them.
        """
        entries = self._chosen(lambda line: bool(_MATERIALIZED.match(line)))
        before = -1
        while entries:
            said = self._restore("post-data", entries, "--enable-row-security", to_the_end=True)
            with connect() as connection:
                row = connection.execute(_POPULATED).fetchone()
            populated = int(row[0]) if row else 0
            if populated >= len(entries):
                return
            if populated <= before:
                raise OperationError(
                    f"{len(entries) - populated} of {len(entries)} materialized views could not be "
                    f"filled: {_shortened(said)}; the target is incomplete"
                )
            before = populated

    def _run(self, words: list[str], what: str) -> bytes:
        ended = self._start(words)
        if ended.returncode != 0 and _UNKNOWN_PARAMETER in ended.stderr:
            # It was the first thing that pg_restore said to the server: nothing is restored yet.
            ended = self._start([word for word in words if word != _EXIT_ON_ERROR])
        if ended.returncode != 0 and not only_unknown_parameter(ended.stderr):
            raise OperationError(
                f"pg_restore of {what} ended with {ended.returncode}: {_reason(ended)}; the target "
                "is incomplete"
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


def _reason(ended: subprocess.CompletedProcess[bytes]) -> str:
    return _shortened(ended.stderr.decode(errors="replace"))


def _shortened(said: str) -> str:
    return " ".join(said.split())[:_LONGEST_REASON]


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
                login.option,
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
