"""What a machine must have for a local cloud, asked before anything is made."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from localcloud.errors import LocalCloudError

Report = Callable[[str], None]

# Base image 0.7 GB, databases with their WAL, and the bodies of S3 objects.
FREE_DISK_GIB = 3

# Program -> Debian package that has it.
PROGRAMS = {
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "systemd-nspawn": "systemd-container",
}


def require_linux_root() -> None:
    """Raise LocalCloudError where no local cloud can run."""
    if sys.platform != "linux":
        raise LocalCloudError(
            f"The local cloud needs Linux (this is {sys.platform}): it runs hosts in Linux "
            "namespaces. `make preview` and `make check` work here; use a Debian machine for "
            "`make up`."
        )
    if os.geteuid() != 0:
        raise LocalCloudError(
            f"The local cloud needs root (this is user id {os.geteuid()}): it makes network "
            "namespaces, mounts and hosts. Run it with sudo or in a machine of its own."
        )


def require_disk(folder: Path) -> None:
    """Raise LocalCloudError when the disk of the (future) folder has too little room."""
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < FREE_DISK_GIB * 2**30:
        raise LocalCloudError(
            f"Not enough disk space for the local cloud: {existing} has {free / 2**30:.1f} GiB "
            f"free, {FREE_DISK_GIB} GiB are needed (base image, databases, backups); free some, "
            "or set PGKEEP_LOCALCLOUD_HOME to a folder on a larger disk."
        )


def require_programs(report: Report) -> None:
    """Install missing programs with apt-get where there is one, and say so; else raise."""
    missing = missing_packages()
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if shutil.which("apt-get") is None:
        raise LocalCloudError(
            f"Programs are missing from these Debian packages: {', '.join(missing)}. This machine "
            "has no apt-get: install their equivalents and try again."
        )
    report(f"Installing what is missing: {' '.join(command)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update"], command):
        done = subprocess.run(step, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0 or missing_packages():
        complaint = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        raise LocalCloudError(
            f"Missing Debian packages could not be installed ({' '.join(complaint) or 'no reason'})"
            f"; run `{' '.join(command)}` and try again."
        )


def missing_packages() -> list[str]:
    """Debian packages of the programs that are not on PATH."""
    return sorted({package for name, package in PROGRAMS.items() if shutil.which(name) is None})
