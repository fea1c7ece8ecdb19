"""What is in the base image. Changing anything here builds a new image at the next start."""

import hashlib
import json
from collections.abc import Mapping

SUITE = "trixie"

# Debian's public AMI is smaller: what hosts install from user data there is already here, because
# hosts of the local cloud have no way to the internet (`apt-get install` then has nothing to do).
PACKAGES = (
    "ca-certificates",
    "cloud-init",
    "curl",
    "dbus",
    "haproxy",  # network load balancers run from the image
    "iproute2",
    "iputils-ping",
    "netbase",
    "nftables",
    "openssh-server",
    "openssl",
    "pgbouncer",
    "postgresql-17",
    "postgresql-17-pgaudit",
    "procps",
    "python3",
    "python3-boto3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "unattended-upgrades",
)

# Runs before the packages are configured.
ESSENTIAL_HOOK = """\
set -e
# No example cluster: databases are made by the local RDS.
mkdir -p "$1/etc/postgresql-common"
echo 'create_main_cluster = false' > "$1/etc/postgresql-common/createcluster.conf"
"""

# Runs at the end. Each line is for boot time or for what a container has not.
CUSTOMIZE_HOOK = """\
set -e
# The balancer and the databases start these programs themselves.
chroot "$1" systemctl disable --quiet haproxy.service postgresql.service
# cloud-init makes the host keys; sshd-keygen would make an RSA key once more at every first boot.
chroot "$1" systemctl mask --quiet sshd-keygen.service
# No console to log in at, no disks, no firmware crash store, no huge pages.
chroot "$1" systemctl mask --quiet getty.target console-getty.service fstrim.timer \
    systemd-pstore.service dev-hugepages.mount
# Hosts have no way to a Debian mirror: without sources apt answers at once.
rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*
# Every host gets its own.
rm -f "$1"/etc/ssh/ssh_host_*
: > "$1/etc/machine-id"
rm -f "$1/var/lib/dbus/machine-id"
rm -f "$1"/var/cache/apt/*.bin
# ldconfig, the journal catalogue and the like were updated by the packages: not again at boot.
touch "$1/etc/.updated" "$1/var/.updated"
"""

# Documentation and translations are a quarter of the image and nobody reads them there.
DPKG_OPTIONS = (
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
)

# Of the builder's environment only what finds programs and mirrors: packages are compiled for
# Python as they are installed, and its variables would say where to and whether.
VARIABLES = ("APT_CONFIG", "PATH", "TMPDIR")


def environment(present: Mapping[str, str]) -> dict[str, str]:
    """The variables of the build, so that every machine makes the same image."""
    return {
        name: value
        for name, value in present.items()
        if name in VARIABLES or name.lower().endswith("_proxy")
    }


def digest() -> str:
    """Name of the image that this recipe makes: 12 hex digits."""
    recipe = [SUITE, PACKAGES, ESSENTIAL_HOOK, CUSTOMIZE_HOOK, DPKG_OPTIONS, VARIABLES]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]
