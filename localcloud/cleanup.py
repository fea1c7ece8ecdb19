"""Takes away what a local cloud made, without its daemon's help: after `stop` and after a crash.

Nothing is looked up in a state file. Processes are known by their root folder, working folder,
control group or network namespace, everything else by the home's path or prefix.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from localcloud import cgroups, mounts
from localcloud.errors import LocalCloudError
from localcloud.home import Home

NAMESPACES = Path("/run/netns")
# systemd-nspawn keeps a folder a machine there, through which mounts come in.
PROPAGATION = Path("/run/systemd/nspawn/propagate")

_KILL_TIMEOUT_SECONDS = 20.0


def clean(home: Home) -> None:
    """End every process and remove every mount, namespace, interface, table, group and data file.

    The certificate authorities and the log stay. Raises LocalCloudError when something resists.
    """
    if os.geteuid() == 0:
        _kill_processes(home)
        for mount in sorted(mounts.below(home.path), reverse=True):
            mounts.unmount(mount)
        for namespace in namespaces(home):
            _run("ip", "netns", "delete", namespace.name)
        for interface in interfaces(home):
            _run("ip", "link", "delete", interface)
        for family, table in tables(home):
            _run("nft", "delete", "table", family, table)
        cgroups.remove(home.prefix)
        for folder in PROPAGATION.glob(f"{home.prefix}-*"):
            shutil.rmtree(folder, ignore_errors=True)
    remaining = leftovers(home)
    if remaining:
        raise LocalCloudError(
            f"The local cloud in {home.path} could not be removed completely, these remain: "
            f"{', '.join(remaining)}; end what uses them and run `make down` again."
        )
    for folder in home.data_folders:
        shutil.rmtree(folder, ignore_errors=True)
    home.control_socket.unlink(missing_ok=True)
    home.pid_file.unlink(missing_ok=True)


def leftovers(home: Home) -> list[str]:
    """Name what of this local cloud is still on the machine, apart from files."""
    return [
        *(f"process {pid}" for pid in sorted(processes(home))),
        *(f"mount {mount}" for mount in mounts.below(home.path)),
        *(f"network namespace {namespace.name}" for namespace in namespaces(home)),
        *(f"interface {interface}" for interface in interfaces(home)),
        *(f"nftables table {family} {table}" for family, table in tables(home)),
        *(
            f"control group {group}"
            for root in cgroups.hierarchies()
            if (group := root / home.prefix).is_dir()
        ),
    ]


def processes(home: Home) -> set[int]:
    """Find the processes of this local cloud, never this one or those that started it."""
    own = {(stat.st_dev, stat.st_ino) for ns in namespaces(home) if (stat := _stat(ns))}
    found = cgroups.processes(home.prefix)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _belongs(entry, home, own):
            found.add(int(entry.name))
    return found - set(_ancestors())


def namespaces(home: Home) -> list[Path]:
    """The network namespaces of this local cloud."""
    return sorted(NAMESPACES.glob(f"{home.prefix}-*"))


def interfaces(home: Home) -> list[str]:
    """The network interfaces of this local cloud in the machine's own namespace."""
    return [
        entry.name
        for entry in Path("/sys/class/net").iterdir()
        if entry.name.startswith(home.prefix)
    ]


def tables(home: Home) -> list[tuple[str, str]]:
    """The nftables tables (family, name) of this local cloud in the machine's own namespace."""
    if shutil.which("nft") is None or os.geteuid() != 0:
        return []
    listing = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False)
    rows = [line.split() for line in listing.stdout.splitlines()]
    return [(row[1], row[2]) for row in rows if len(row) == 3 and row[2].startswith(home.prefix)]


def _belongs(entry: Path, home: Home, own_namespaces: set[tuple[int, int]]) -> bool:
    try:
        if (entry / "root").readlink().is_relative_to(home.path):
            return True
        # A person's shell may stand in the folder: it has a terminal, nothing of ours has one.
        if (entry / "cwd").readlink().is_relative_to(home.path) and not _has_terminal(entry):
            return True
        # A process of this machine that only looks into a namespace has a terminal too, but it
        # would keep the namespace alive: it ends as well.
        stat = (entry / "ns" / "net").stat()
        return (stat.st_dev, stat.st_ino) in own_namespaces
    except OSError:  # the process ended, or is a kernel thread
        return False


def _has_terminal(entry: Path) -> bool:
    # Field 7 of proc_pid_stat(5), counted after the command's closing parenthesis.
    return (entry / "stat").read_text().rpartition(")")[2].split()[4] != "0"


def _ancestors() -> Iterator[int]:
    pid = os.getpid()
    while pid > 0:
        yield pid
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return


def _kill_processes(home: Home) -> None:
    deadline = time.monotonic() + _KILL_TIMEOUT_SECONDS
    while remaining := processes(home):
        for pid in remaining:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            return
        # The processes of a container end with its init; new ones may have been forked meanwhile.
        time.sleep(0.05)


def _run(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
