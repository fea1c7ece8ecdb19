"""Clients inside a VPC: a command of this machine with a network interface of its own there."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from localcloud.control.socket import call
from localcloud.errors import LocalCloudError
from localcloud.home import REGION, Home

SSH_PORT = 22
SSH_TIMEOUT_SECONDS = 10
SSH_USER = "admin"  # as on Debian's AMIs

# In a mount namespace of its own: the VPC's resolver in place of the machine's.
_WITH_RESOLVER = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


def run(
    home: Home,
    security_group_ids: Sequence[str],
    subnet_id: str | None,
    command: Sequence[str],
    inherited: Sequence[int] = (),
) -> int:
    """Run the command with an interface in these security groups and return its exit code.

    `inherited` are file descriptors that the command gets.

    The interface ends with the command. Raises LocalCloudError when the cloud refuses.
    """
    request = {
        "do": "attach",
        "security_group_ids": list(security_group_ids),
        "subnet_id": subnet_id,
    }
    with call(home, request) as client:
        resolver = home.clients / f"{client['namespace']}.resolv.conf"
        resolver.write_text(f"nameserver {client['resolver']}\n")
        try:
            return _run_inside(Path(client["namespace_path"]), resolver, command, inherited)
        finally:
            resolver.unlink(missing_ok=True)


def ssh(
    home: Home, instance_id: str, security_group_ids: Sequence[str], command: Sequence[str]
) -> int:
    """Run ssh to a host as `admin`, with the local cloud's key.

    The key is pushed first, as by EC2 Instance Connect. Hosts that do not ask for pushed keys know
    it as their key pair, if their launch named it.
    """
    instance = _describe(home, instance_id)
    try:
        _client(home, "ec2-instance-connect").send_ssh_public_key(
            InstanceId=instance_id,
            InstanceOSUser=SSH_USER,
            SSHPublicKey=home.ssh_key.with_suffix(".pub").read_text(),
        )
    except ClientError as error:
        raise LocalCloudError(f"Host {instance_id} refused the key: {_message(error)}") from error
    groups = list(security_group_ids) or [_admitted_group(home, instance)]
    arguments = ["ssh", "-i", str(home.ssh_key), "-o", "LogLevel=ERROR"]
    # Where the security groups do not let it through, nothing answers: do not wait for minutes.
    arguments += ["-o", f"ConnectTimeout={SSH_TIMEOUT_SECONDS}"]
    # A host's key is made at its first boot and goes with it: there is nothing to remember.
    arguments += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    arguments += [f"{SSH_USER}@{instance['PrivateIpAddress']}", *command]
    return run(home, groups, None, arguments)


def connect(home: Home, instance_id: str) -> int:
    """Connect standard input and output with a host's SSH, as `open-tunnel` of the AWS CLI does."""
    instance = _describe(home, instance_id)
    script = ["-m", "localcloud.stream", instance["PrivateIpAddress"], str(SSH_PORT)]
    return run(home, [_admitted_group(home, instance)], None, [sys.executable, *script])


def _run_inside(
    namespace: Path, resolver: Path, command: Sequence[str], inherited: Sequence[int]
) -> int:
    inside = ["nsenter", f"--net={namespace}", "unshare", "--mount", "--propagation", "private"]
    inside += ["sh", "-c", _WITH_RESOLVER, "sh", str(resolver), *command]
    process = subprocess.Popen(inside, pass_fds=inherited)
    # Ctrl-C goes to the command, which decides; the interface must be given back in any case.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, previous)


def _describe(home: Home, instance_id: str) -> dict[str, Any]:
    try:
        answer = _ec2(home).describe_instances(InstanceIds=[instance_id])
    except ClientError as error:
        raise LocalCloudError(
            f"Host {instance_id} refused: {_message(error)}; "
            "`python -m localcloud status` lists the hosts."
        ) from error
    instance: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
    if instance["State"]["Name"] != "running":
        raise LocalCloudError(
            f"Host {instance_id} refused: it is {instance['State']['Name']}, not running."
        )
    return instance


def _admitted_group(home: Home, instance: dict[str, Any]) -> str:
    """Find a security group from which the host's own groups admit SSH."""
    own = [group["GroupId"] for group in instance["SecurityGroups"]]
    for group in _ec2(home).describe_security_groups(GroupIds=own)["SecurityGroups"]:
        for rule in group["IpPermissions"]:
            if rule.get("FromPort", 0) <= SSH_PORT <= rule.get("ToPort", 65535):
                for pair in rule["UserIdGroupPairs"]:
                    return pair["GroupId"]
    raise LocalCloudError(
        f"No security group may reach port {SSH_PORT} of host {instance['InstanceId']} (its groups "
        f"are {', '.join(own)}); add a rule, or give --security-group."
    )


def _message(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Message", str(error))


def _ec2(home: Home) -> Any:
    return _client(home, "ec2")


def _client(home: Home, service: Any) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=home.endpoint_url,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 (the local cloud takes any)
    )
