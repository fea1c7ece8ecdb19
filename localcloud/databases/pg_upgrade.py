"""pg_upgrade over one server's data: its checks, its run, and its logs as RDS keeps them.

The data is copied, not linked: until the new copy stands in its place the old one can be started.
"""

import shutil
from pathlib import Path

from localcloud.databases.engine import Engine
from localcloud.databases.server import ADMINISTRATOR, CONFIGURATION, DATA, Server
from localcloud.errors import LocalCloudError

# pg_upgrade's working folder, with the new cluster in it.
_FOLDER = Path("/rdsdbdata/upgrade")
_NEW_DATA = _FOLDER / "db"
LOGS = "upgrade"  # below the folder of log files
PRECHECK_LOG = "pg_upgrade_precheck.log"
UPGRADE_LOG = "pg_upgrade_internal.log"
_ACCESS = f"-c hba_file={CONFIGURATION}/pg_hba.conf -c ident_file={CONFIGURATION}/pg_ident.conf"


class UpgradeError(LocalCloudError):
    """The data was not upgraded; the old cluster is as it was."""


def check(server: Server, engine: Engine) -> None:
    """Look for what an upgrade would fail on, while the server runs. Raises UpgradeError.

    Logical slots are RDS's own check (AWS, "How to perform a major version upgrade"); the rest is
    pg_upgrade's: prepared transactions, reg* columns, libraries that the new version lacks ...
    """
    slots = server.query(
        "SELECT slot_name::text FROM pg_replication_slots WHERE slot_type = 'logical' ORDER BY 1"
    )
    if slots:
        named = ", ".join(str(row[0]) for row in slots)
        said = (
            "The instance could not be upgraded because one or more databases have logical "
            f"replication slots ({named}). Drop all logical replication slots and try again."
        )
        _log(server, PRECHECK_LOG, said)
        raise UpgradeError(said)
    prepare(server, engine)
    try:
        _run(server, engine, PRECHECK_LOG, "--check")
    except BaseException:
        _discard(server)
        raise


def upgrade(server: Server, engine: Engine) -> None:
    """Put the upgraded data in the place of a stopped server's. Raises UpgradeError.

    What `prepare` or `check` made is used up. The server has the new engine from then on.
    """
    try:
        _run(server, engine, UPGRADE_LOG)
        made = server.folder / _NEW_DATA.relative_to(_FOLDER.parent)
        # What pg_upgrade said stands in the log; scripts to delete the old cluster are not needed.
        shutil.rmtree(made / "pg_upgrade_output.d", ignore_errors=True)
        shutil.rmtree(server.data)
        made.rename(server.data)
    finally:
        _discard(server)
    server.engine = engine


def prepare(server: Server, engine: Engine) -> None:
    """Make the new, empty cluster beside the old one."""
    _discard(server)
    server.make_folder(_FOLDER.name)
    server.initialize(engine, _NEW_DATA)


def _discard(server: Server) -> None:
    shutil.rmtree(server.folder / _FOLDER.name, ignore_errors=True)


def _run(server: Server, engine: Engine, log: str, *options: str) -> None:
    ended = server.attempt(
        engine.program("pg_upgrade"),
        f"--old-bindir={server.engine.program('postgres').parent}",
        f"--new-bindir={engine.program('postgres').parent}",
        f"--old-datadir={DATA}",
        f"--new-datadir={_NEW_DATA}",
        f"--username={ADMINISTRATOR}",
        # Over Unix sockets alone, as the administrator.
        f"--old-options={_ACCESS}",
        f"--new-options={_ACCESS}",
        "--socketdir=/tmp",
        "--no-sync",
        *options,
        folder=str(_FOLDER),
    )
    said = ended.stdout + ended.stderr + "".join(_reports(server))
    _log(server, log, said)
    if ended.returncode:
        raise UpgradeError(_reason(said))


def _reports(server: Server) -> list[str]:
    """The lists that pg_upgrade writes beside its messages: which databases, tables, libraries."""
    output = server.folder / _NEW_DATA.relative_to(_FOLDER.parent) / "pg_upgrade_output.d"
    return [f"\n{path.name}:\n{path.read_text()}" for path in sorted(output.glob("*/*.txt"))]


def _reason(said: str) -> str:
    """The check that failed and what is said about it, in one line."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    told = [line for line in lines if line and not line.endswith(" ok") and set(line) != {"-"}]
    return " ".join(line for line in told if not line.startswith("Performing "))[:1000]


def _log(server: Server, name: str, text: str) -> None:
    folder = server.logs / LOGS
    folder.mkdir(exist_ok=True, mode=0o700)
    with (folder / name).open("a") as file:
        file.write(text.rstrip("\n") + "\n")
