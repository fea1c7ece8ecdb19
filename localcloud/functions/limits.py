"""Memory of a sandbox: a cgroup (v1 or v2) of its own where there is one, else its address space.

The limit is on what the processes allocate. Files in /tmp are memory here (a tmpfs) but a disk on
AWS, so the kernel's limit leaves room for a full /tmp and the allocated part is watched.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_MIB = 1024 * 1024
_CGROUP_ROOT = Path("/sys/fs/cgroup")
# An address space also counts mapped libraries and reserved thread stacks; CPython with boto3
# maps about 300 MiB that it never touches (measured on Debian 13).
_ADDRESS_SPACE_SLACK_MIB = 512
_KILL_ATTEMPTS = 100
_KILL_PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class MemoryLimit:
    """The limit of one sandbox; `folder` is its cgroup, None where only RLIMIT_AS remains."""

    folder: Path | None
    unified: bool
    memory_mib: int

    @property
    def cgroup_procs(self) -> list[str]:
        """Files that a process writes 0 to in order to enter."""
        return [str(self.folder / "cgroup.procs")] if self.folder else []

    @property
    def address_space_bytes(self) -> int:
        """RLIMIT_AS in bytes, 0 for none."""
        return 0 if self.folder else (self.memory_mib + _ADDRESS_SPACE_SLACK_MIB) * _MIB

    def allocated_mib(self) -> int:
        """What the processes have allocated now, in MiB; 0 where it cannot be known."""
        if not self.folder:
            return 0
        wanted = "anon" if self.unified else "total_rss"
        with contextlib.suppress(OSError):
            for line in (self.folder / "memory.stat").read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == wanted:
                    return int(value) // _MIB
        return 0

    def exceeded(self) -> bool:
        """Whether the processes hold more than the function's memory size."""
        return self.allocated_mib() > self.memory_mib

    def release(self) -> None:
        """Kill what is left inside and remove the cgroup."""
        if not self.folder:
            return
        for _ in range(_KILL_ATTEMPTS):
            with contextlib.suppress(OSError):
                for pid in (self.folder / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
            try:
                self.folder.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(_KILL_PAUSE_SECONDS)


def create(prefix: str, name: str, memory_mib: int, tmp_mib: int) -> MemoryLimit:
    """Make the cgroup `<prefix>/<name>` with room for `memory_mib` and a full /tmp of `tmp_mib`."""
    for root, file, unified in (
        (_CGROUP_ROOT / "memory", "memory.limit_in_bytes", False),
        (_CGROUP_ROOT, "memory.max", True),
    ):
        parent = root / prefix
        folder = parent / name
        try:
            if not root.is_dir() or (unified and not _delegate_memory(root)):
                continue
            parent.mkdir(exist_ok=True)
            if unified:
                _delegate_memory(parent)
            folder.mkdir(exist_ok=True)
            (folder / file).write_text(str((memory_mib + tmp_mib) * _MIB))
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        return MemoryLimit(folder, unified, memory_mib)
    return MemoryLimit(None, False, memory_mib)


def remove_parent(prefix: str) -> None:
    """Remove the group that held the functions' groups, unless somebody else uses it."""
    for root in (_CGROUP_ROOT / "memory", _CGROUP_ROOT):
        with contextlib.suppress(OSError):
            (root / prefix).rmdir()


def _delegate_memory(folder: Path) -> bool:
    """Let the groups below limit their memory (cgroup v2)."""
    controllers = folder / "cgroup.subtree_control"
    try:
        if "memory" not in controllers.read_text().split():
            controllers.write_text("+memory")
        return "memory" in controllers.read_text().split()
    except OSError:
        return False
