"""ssh's ProxyCommand to a pooler host: pushes the run's key, then becomes the way to the host.

The key is pushed by every new connection, so that its 60 seconds never matter. On AWS the way is a
tunnel through the EC2 Instance Connect Endpoint; in the local cloud a client that the same security
group admits.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

# Of Debian's images; hosts/files/sshd.conf lets nobody else in.
USER = "admin"


def push(instance_id: str, region: str, public_key: Path) -> None:
    """Let the key log in for a minute; needs ec2-instance-connect:SendSSHPublicKey."""
    client: Any = boto3.client("ec2-instance-connect", region_name=region)
    client.send_ssh_public_key(
        InstanceId=instance_id,
        InstanceOSUser=USER,
        SSHPublicKey=public_key.read_text(encoding="utf-8"),
    )


def tunnel(instance_id: str, region: str, *, local: bool) -> list[str]:
    """The command whose standard input and output are the host's port 22."""
    if local:
        return [sys.executable, "-m", "localcloud", "connect", instance_id]
    return [
        *("aws", "ec2-instance-connect", "open-tunnel"),
        *("--region", region, "--instance-id", instance_id),
    ]


def main() -> None:
    """Push, then be the tunnel."""
    parser = argparse.ArgumentParser(prog="python -m toolchain.host_connection")
    parser.add_argument("region")
    parser.add_argument("public_key", type=Path)
    parser.add_argument("instance")
    parser.add_argument("--local", action="store_true", help="the local cloud's way")
    given = parser.parse_args()
    try:
        push(given.instance, given.region, given.public_key)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: the key of this run was not pushed to {given.instance}: {error}")
    command = tunnel(given.instance, given.region, local=given.local)
    os.execvp(command[0], command)  # noqa: S606 (ssh gave it its standard input and output)


if __name__ == "__main__":
    main()
