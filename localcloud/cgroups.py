"""Control groups of the local cloud: `<hierarchy>/<prefix>/<name>`, on cgroup v1 and v2.

Each host has a group of its own, because the systemd in it manages the tree below, and because a
group tells which processes are the host's when everything else about them was changed.
"""

import os
import time
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

_REMOVAL_TIMEOUT_SECONDS = 5.0


def hierarchies(mounts: Path = MOUNTS) -> list[Path]:
    """Mount points of all cgroup hierarchies of this machine, v1 controllers included."""
    found: list[Path] = []
    for line in mounts.read_text().splitlines():
        left, _, right = line.partition(" - ")
        if right.split()[0] in ("cgroup", "cgroup2"):
            found.append(Path(left.split()[4]))
    return found


def process_hierarchies(mounts: Path = MOUNTS) -> list[Path]:
    """Mount points of the hierarchies in which a systemd keeps its units.

    That is the unified one and, on cgroup v1 or hybrid machines, `name=systemd`.
    """
    found: list[Path] = []
    for line in mounts.read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, *_, options = right.split()
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            found.append(Path(left.split()[4]))
    return found


def create(prefix: str, name: str) -> list[Path]:
    """Make the group `<prefix>/<name>` where processes are managed and return its folders."""
    groups = [root / prefix / name for root in process_hierarchies()]
    for group in groups:
        group.mkdir(parents=True, exist_ok=True)
    return groups


def processes(prefix: str, name: str = "") -> set[int]:
    """Return the ids of the processes in the groups below `<prefix>/<name>`."""
    found: set[int] = set()
    for root in hierarchies():
        for group in _tree(root / prefix / name):
            try:
                found.update(int(line) for line in (group / "cgroup.procs").read_text().split())
            except OSError:  # the group ended while we looked
                continue
    return found


def remove(prefix: str, name: str = "") -> None:
    """Remove the empty groups `<prefix>/<name>` and below. Call after their processes ended."""
    deadline = time.monotonic() + _REMOVAL_TIMEOUT_SECONDS
    for root in hierarchies():
        top = root / prefix / name
        while top.is_dir():
            for group in reversed(_tree(top)):
                _remove_one(group)
            # A group stays busy for a moment after its last process was reaped.
            if not top.is_dir() or time.monotonic() > deadline:
                break
            time.sleep(0.05)


def _tree(top: Path) -> list[Path]:
    """Return a group and all below it, each before the ones in it; nothing if it is gone.

    The systemd of a host that is on its way down removes groups meanwhile: `Path.glob` raises
    FileNotFoundError then, `os.walk` passes over them.
    """
    return [Path(folder) for folder, _, _ in os.walk(top)]


def _remove_one(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:  # busy or gone: the caller looks again
        return
