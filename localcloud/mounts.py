"""Mount points below a folder, in the mount namespace of this process, and how they end."""

import subprocess
from pathlib import Path

from localcloud import cgroups


def below(folder: Path) -> list[Path]:
    """Mount points at or below `folder`, in the order in which they were made."""
    found: list[Path] = []
    for line in cgroups.MOUNTS.read_text().splitlines():
        # mountinfo writes space, tab, newline and backslash as octal escapes (proc(5)).
        point = Path(line.split()[4].encode().decode("unicode_escape"))
        if point.is_relative_to(folder):
            found.append(point)
    return found


def unmount(mount: Path) -> None:
    """End a mount; one that is in use goes with its last user."""
    if _run("umount", str(mount)) != 0:
        # Busy: a file is still open, also in another mount namespace. Detached, it goes with that.
        _run("umount", "--lazy", str(mount))


def _run(*command: str) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode
