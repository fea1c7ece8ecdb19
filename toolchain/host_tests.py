"""Runs tests/hosts on the deployed pooler hosts of a stack.

The hosts have no public address and no standing key: each connection is a tunnel through the EC2
Instance Connect Endpoint, with a key that is made for the run and pushed for 60 seconds. Needs the
AWS CLI 2, OpenSSH, the user's Pulumi login, and these permissions: autoscaling:Describe*,
ec2:DescribeInstances, ec2:DescribeInstanceConnectEndpoints, ec2-instance-connect:SendSSHPublicKey
and ec2-instance-connect:OpenTunnel. The hosts of the stack `local` are reached by the same login:
only the tunnel is another, since the local cloud has no Instance Connect Endpoint.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3

from toolchain.environment import (
    LOCAL_STACK,
    REPOSITORY,
    local_client_environment,
    local_endpoint,
    local_environment,
    require_tool,
)
from toolchain.host_connection import USER
from toolchain.local import stack_outputs
from toolchain.preview import read_stack
from toolchain.pulumi_cli import ensure_pulumi
from toolchain.steps import RefusedError, step

REFRESH_TIMEOUT_SECONDS = 1800
POLL_SECONDS = 15
_LOCAL_CLIENT: dict[str, Any] = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
ENDED = frozenset({"Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"})


def run(stack: str) -> int:
    """Waits until the hosts are the ones of the last update, then tests each; the exit code.

    Raises:
        RefusedError: the stack has no hosts to test, or a tool is missing.
    """
    local = stack == LOCAL_STACK
    require_tool("ssh", "openssh-client")
    if local:
        environment = local_environment()
        outputs = stack_outputs(environment)
        environment |= local_client_environment(str(outputs["region"]))
        options = _LOCAL_CLIENT | {"endpoint_url": local_endpoint()}
    else:
        read_stack(stack)
        require_tool("aws", "awscli")
        environment = dict(os.environ)
        outputs = _outputs(stack)
        options: dict[str, Any] = {}
    client: Any = boto3.client("autoscaling", region_name=outputs["region"], **options)
    group = str(outputs["pooler_group_name"])
    with step(f"Hosts of {group} are in service"):
        hosts = wait_for_hosts(client, group)
    with tempfile.TemporaryDirectory(prefix="pgkeep-hosts-") as folder:
        config = write_ssh_config(Path(folder), str(outputs["region"]), local=local)
        return subprocess.run(
            [sys.executable, "-m", "pytest", "tests/hosts", "-q", "--sudo"]
            + ["--hosts=" + ",".join(f"ssh://{USER}@{host}" for host in hosts)]
            + [f"--ssh-config={config}"],
            cwd=REPOSITORY,
            env=environment,
            check=False,
        ).returncode


def _outputs(stack: str) -> dict[str, Any]:
    pulumi = ensure_pulumi()
    result = subprocess.run(
        [pulumi, "--non-interactive", "stack", "output", "--json", "--stack", stack],
        cwd=REPOSITORY,
        env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise RefusedError(f"the outputs of {stack} cannot be read: {result.stderr.strip()}")
    outputs = json.loads(result.stdout)
    missing = [name for name in ("region", "pooler_group_name") if not outputs.get(name)]
    if missing:
        raise RefusedError(f"stack {stack} has no output {' and '.join(missing)}: deploy it first.")
    return outputs


def wait_for_hosts(
    autoscaling: Any, group: str, timeout_seconds: float = REFRESH_TIMEOUT_SECONDS
) -> list[str]:
    """Instance ids once no refresh runs and as many hosts as wanted are healthy.

    Raises:
        RefusedError: the group does not exist, its last refresh failed, or it takes too long.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
        if not groups["AutoScalingGroups"]:
            raise RefusedError(f"there is no Auto Scaling group {group}.")
        found = groups["AutoScalingGroups"][0]
        refreshes = autoscaling.describe_instance_refreshes(
            AutoScalingGroupName=group, MaxRecords=1
        )["InstanceRefreshes"]
        status = refreshes[0]["Status"] if refreshes else "Successful"
        if status in ENDED and status != "Successful":
            raise RefusedError(f"the last instance refresh of {group} ended as {status}.")
        ready = sorted(
            instance["InstanceId"]
            for instance in found["Instances"]
            if instance["LifecycleState"] == "InService" and instance["HealthStatus"] == "Healthy"
        )
        if status in ENDED and len(ready) == found["DesiredCapacity"] == len(found["Instances"]):
            return ready
        if time.monotonic() >= deadline:
            raise RefusedError(
                f"{group} has {len(ready)} of {found['DesiredCapacity']} hosts in service after "
                f"{timeout_seconds:.0f} s (refresh: {status})."
            )
        time.sleep(POLL_SECONDS)


def write_ssh_config(folder: Path, region: str, *, local: bool = False) -> Path:
    """An SSH configuration for hosts that are named by their instance id; makes the key too.

    Who may open the tunnel is decided by IAM; the host key is taken at the first connection.
    """
    key = folder / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pgkeep host tests", "-f", str(key)],
        check=True,
    )
    proxy = folder / "proxy"
    proxy.write_text(
        "#!/bin/sh\nset -eu\n"
        f"cd {shlex.quote(str(REPOSITORY))}\n"
        f"exec {shlex.quote(sys.executable)} -m toolchain.host_connection "
        f"{'--local ' if local else ''}{region} '{key}.pub' \"$1\"\n"
    )
    proxy.chmod(0o700)
    config = folder / "ssh_config"
    config.write_text(
        "Host i-*\n"
        f"  User {USER}\n"
        f"  IdentityFile {key}\n"
        "  IdentitiesOnly yes\n"
        f"  ProxyCommand {proxy} %h\n"
        "  StrictHostKeyChecking accept-new\n"
        f"  UserKnownHostsFile {folder / 'known_hosts'}\n"
        "  ControlMaster auto\n"
        f"  ControlPath {folder}/%C\n"
        "  ControlPersist 60\n"
        "  ConnectTimeout 30\n"
    )
    return config
