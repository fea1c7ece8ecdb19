"""What makes an image whose hosts need no internet: `python -m hosts.image`.

Prints user data for one instance of Debian 13 that can reach a Debian mirror: it installs the
packages and all security updates, forgets everything about itself, and powers off. An image of that
instance is what `pooler.image_id` names together with `pooler.image_has_packages`. With `--script`
only the shell script, for Packer and the like. docs/pooler.md has the commands.
"""

from __future__ import annotations

import argparse

import yaml

from hosts.packages import PACKAGES

_SCRIPT = """\
#!/bin/sh
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get dist-upgrade --quiet --yes
apt-get install --quiet --yes --no-install-recommends {packages}
# Nothing of this machine may stay: hosts get keys, identity and settings of their own.
systemctl disable --quiet pgbouncer.service
apt-get clean
rm -f /etc/ssh/ssh_host_* /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys
cloud-init clean --logs --seed --machine-id
"""


def script() -> str:
    """The shell script; as root, on Debian 13."""
    return _SCRIPT.format(packages=" ".join(PACKAGES))


def user_data() -> str:
    """Cloud-config that runs the script and powers the builder off."""
    path = "/run/pgkeep-image"
    document = {
        "ssh_pwauth": False,
        "write_files": [{"path": path, "permissions": "0700", "content": script()}],
        # Only a finished builder powers off: one that failed stays to be looked at.
        "runcmd": [["sh", "-c", f"{path} && systemctl poweroff"]],
    }
    return "#cloud-config\n" + yaml.safe_dump(document, sort_keys=False, width=10_000)


def main() -> None:
    """Print."""
    parser = argparse.ArgumentParser(prog="python -m hosts.image", description=__doc__)
    parser.add_argument("--script", action="store_true", help="the shell script alone")
    print(script() if parser.parse_args().script else user_data(), end="")


if __name__ == "__main__":
    main()
