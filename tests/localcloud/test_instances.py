"""Hosts of the local cloud: booted Debian machines behind EC2's API."""

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud import cgroups, cleanup, mounts
from tests.localcloud.daemon_cloud import DaemonCloud, Outcome, new_cloud, wait_until
from tests.localcloud.scaling_stack import USER_DATA, Stack

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def stack() -> Generator[Stack]:
    with new_cloud() as cloud:
        yield Stack(cloud)


@pytest.fixture(scope="module")
def host(stack: Stack) -> str:
    """A host of the launch template, booted."""
    template = {"LaunchTemplateId": stack.template_id, "Version": "1"}
    answer = stack.ec2.run_instances(
        LaunchTemplate=template, SubnetId=stack.subnet_ids[0], MinCount=1, MaxCount=1
    )
    instance = answer["Instances"][0]
    assert instance["State"]["Name"] == "pending"
    wait_until(lambda: stack.state(instance["InstanceId"]) == "running", "running")
    wait_until(lambda: booted(stack, instance["InstanceId"]), "cloud-init is through", 60)
    return instance["InstanceId"]


def booted(stack: Stack, instance_id: str) -> bool:
    upper = stack.cloud.home.instances / instance_id / "upper"
    return (upper / "var/lib/cloud/instances" / instance_id / "boot-finished").exists()


def inside(stack: Stack, instance_id: str, command: str) -> str:
    outcome = stack.cloud.run("ssh", instance_id, "--", command)
    assert outcome.code == 0, outcome
    return outcome.out


def connect(stack: Stack, group: str, address: str, port: int) -> Outcome:
    """Try a TCP connection from a client in a security group."""
    script = f"import socket; socket.create_connection(('{address}', {port}), 2)"
    return stack.cloud.run("run", "--security-group", group, "--", "python3", "-c", script)


def test_user_data_is_the_template_s_byte_for_byte_and_ran(stack: Stack, host: str) -> None:
    seed = stack.cloud.home.instances / host / "upper/var/lib/cloud/seed/nocloud/user-data"
    assert seed.read_bytes() == USER_DATA
    assert inside(stack, host, "cat /etc/hello; cloud-init status") == "hellostatus: done\n"


def test_host_is_a_whole_debian(stack: Stack, host: str) -> None:
    address = stack.instance(host)["PrivateIpAddress"]
    facts = inside(
        stack,
        host,
        "systemctl is-system-running; hostname -f; . /etc/os-release; echo $ID $VERSION_ID; id -un; "
        "sudo -n id -un; systemctl is-enabled apt-daily-upgrade.timer unattended-upgrades",
    ).splitlines()
    name = "ip-" + address.replace(".", "-") + ".eu-west-1.compute.internal"
    assert facts == ["running", name, "debian 13", "admin", "root", "enabled", "enabled"]
    assert "nameserver 10.94.0.2" in inside(stack, host, "cat /etc/resolv.conf")
    assert address in inside(stack, host, f"getent -s dns hosts {name}")


def test_services_authority_is_trusted(stack: Stack, host: str) -> None:
    certificate = "/usr/local/share/ca-certificates/pgkeep-local-services.crt"
    assert "OK" in inside(stack, host, f"openssl verify -CApath /etc/ssl/certs {certificate}")
    script = "import ssl; print(len(ssl.create_default_context().get_ca_certs()))"
    everywhere = int(inside(stack, host, f'python3 -c "{script}"'))
    bundle = inside(stack, host, "grep -c BEGIN /etc/ssl/certs/ca-certificates.crt")
    assert everywhere == int(bundle) > 100


def test_only_the_admitted_group_reaches_ssh(stack: Stack, host: str) -> None:
    address = stack.instance(host)["PrivateIpAddress"]
    assert connect(stack, stack.admin_group, address, 22).code == 0
    assert connect(stack, stack.stranger_group, address, 22).code != 0
    refused = stack.cloud.run(
        "ssh", "--security-group", stack.stranger_group, host, "--", "true", timeout_seconds=200
    )
    assert refused.code != 0


def test_groups_of_a_running_host_follow_the_api(stack: Stack, host: str) -> None:
    address = stack.instance(host)["PrivateIpAddress"]
    stack.ec2.modify_instance_attribute(InstanceId=host, Groups=[stack.stranger_group])
    try:
        assert connect(stack, stack.admin_group, address, 22).code != 0
    finally:
        stack.ec2.modify_instance_attribute(InstanceId=host, Groups=[stack.hosts_group])
    assert connect(stack, stack.admin_group, address, 22).code == 0


def test_metadata_needs_a_token_and_knows_the_host(stack: Stack, host: str) -> None:
    script = """
    base=http://169.254.169.254/latest
    code() { curl -s -o /dev/null -w '%{http_code} ' "$@"; }
    code $base/meta-data/instance-id
    code -X PUT $base/api/token
    code -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 21601' $base/api/token
    code -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 9' -H 'X-Forwarded-For: x' $base/api/token
    token=$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 2' $base/api/token)
    get() { curl -s -H "X-aws-ec2-metadata-token: $token" $base/$1; echo; }
    code -H "X-aws-ec2-metadata-token: $token" $base/meta-data/none
    echo
    get meta-data/instance-id
    get meta-data/placement/availability-zone
    get meta-data/iam/security-credentials/
    get meta-data/iam/security-credentials/pooler | tr -d '\\n '; echo
    get user-data | sha256sum
    sleep 2.1; get meta-data/instance-id
    """
    lines = inside(stack, host, script).splitlines()
    assert lines[0].split() == ["401", "400", "400", "403", "404"]
    assert lines[1:4] == [host, "eu-west-1a", "pooler"]
    credentials = json.loads(lines[4])
    assert credentials["Code"] == "Success"
    assert len(lines[5].split()[0]) == 64
    assert lines[6] == "Unauthorized", "the token has ended"
    sts = boto3.client(
        "sts",
        endpoint_url=stack.cloud.home.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["Token"],
    )
    assert sts.get_caller_identity()["Arn"].endswith(f"assumed-role/pooler/{host}")


def test_a_pushed_key_stands_in_the_metadata_for_its_user(stack: Stack, host: str) -> None:
    service = boto3.client(
        "ec2-instance-connect",
        endpoint_url=stack.cloud.home.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    key = stack.cloud.home.ssh_key.with_suffix(".pub").read_text()
    given = {"InstanceId": host, "InstanceOSUser": "somebody", "SSHPublicKey": key}
    request = service.send_ssh_public_key(**given)
    assert request["Success"]
    script = """
    base=http://169.254.169.254/latest
    token=$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $base/api/token)
    get() { curl -s -H "X-aws-ec2-metadata-token: $token" $base/meta-data/managed-ssh-keys/$1; }
    get ''; echo; get active-keys/somebody; get active-keys/nobody
    """
    shown = inside(stack, host, script)
    assert shown.startswith("active-keys/\nsigner-cert\nsigner-ocsp/\n")
    assert f"#Instance={host}\n" in shown
    assert f"#Request={request['RequestId']}\n{' '.join(key.split()[:2])}\n" in shown
    assert shown.endswith("Not Found")
    for change, error in (
        ({"InstanceId": "i-0aaaaaaaaaaaaaaaa"}, "EC2InstanceNotFoundException"),
        ({"SSHPublicKey": f"ssh-dss {key.split()[1]}AAAAAAAA"}, "InvalidArgsException"),
        ({"InstanceOSUser": "a b"}, "InvalidArgsException"),
    ):
        with pytest.raises(ClientError) as refused:
            service.send_ssh_public_key(**(given | change))
        assert refused.value.response["Error"]["Code"] == error


def test_metadata_of_a_client_is_refused(stack: Stack, host: str) -> None:
    """A network interface that is no instance's has no metadata, whatever it asks."""
    command = ["curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "-X", "PUT"]
    command += ["-H", "X-aws-ec2-metadata-token-ttl-seconds: 60"]
    command += ["http://169.254.169.254/latest/api/token"]
    outcome = stack.cloud.run("run", "--security-group", stack.stranger_group, "--", *command)
    assert outcome.out == "404"


def test_console_output_is_the_host_s(stack: Stack, host: str) -> None:
    output = stack.ec2.get_console_output(InstanceId=host)["Output"]
    assert "Welcome to" in output
    assert "Welcome to" in stack.cloud.run("logs", host).out


def test_stopped_host_keeps_disk_and_address(stack: Stack, host: str) -> None:
    address = stack.instance(host)["PrivateIpAddress"]
    inside(stack, host, "echo kept | sudo tee /etc/kept")
    stack.ec2.stop_instances(InstanceIds=[host])
    assert stack.state(host) in ("stopping", "stopped")
    wait_until(lambda: stack.state(host) == "stopped", "stopped")
    assert not cgroups.processes(stack.cloud.home.prefix, host)
    stack.ec2.start_instances(InstanceIds=[host])
    wait_until(lambda: stack.state(host) == "running", "running again")
    assert stack.instance(host)["PrivateIpAddress"] == address
    wait_until(lambda: connect(stack, stack.admin_group, address, 22).code == 0, "sshd")
    assert inside(stack, host, "cat /etc/kept") == "kept\n"


def test_power_off_inside_is_seen(stack: Stack, host: str) -> None:
    stack.cloud.run("ssh", host, "--", "sudo systemctl poweroff")
    wait_until(lambda: stack.state(host) == "stopped", "stopped")
    reason = stack.instance(host)["StateReason"]["Code"]
    assert reason == "Client.InstanceInitiatedShutdown"


def test_terminated_host_leaves_nothing(stack: Stack, host: str) -> None:
    home = stack.cloud.home
    stack.ec2.terminate_instances(InstanceIds=[host])
    wait_until(lambda: stack.state(host) == "terminated", "terminated")
    assert not cgroups.processes(home.prefix, host)
    assert not [mount for mount in mounts.below(home.path) if host in str(mount)]
    assert f"{home.prefix}-{host}" not in [each.name for each in cleanup.namespaces(home)]
    assert not (home.instances / host / "upper").exists()
    in_vpc = [{"Name": "vpc-id", "Values": [stack.vpc_id]}]
    interfaces = stack.ec2.describe_network_interfaces(Filters=in_vpc)["NetworkInterfaces"]
    assert host not in [each.get("Attachment", {}).get("InstanceId") for each in interfaces]


@pytest.mark.parametrize(
    ("image", "message"),
    [("ami-0123456789abcdef0", "does not exist"), ("arm64", "is for arm64; hosts of the local")],
)
def test_image_that_cannot_boot_is_refused(stack: Stack, image: str, message: str) -> None:
    image_id = image if image.startswith("ami-") else stack.image(image)
    with pytest.raises(ClientError, match=message):
        stack.ec2.run_instances(
            ImageId=image_id, SubnetId=stack.subnet_ids[0], MinCount=1, MaxCount=1
        )


# Auto Scaling


def supervisor(stack: Stack, instance_id: str) -> int:
    for pid in cleanup.processes(stack.cloud.home):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except FileNotFoundError:  # it ended meanwhile
            continue
        if command[0].endswith(b"systemd-nspawn") and instance_id in str(command):
            return pid
    raise AssertionError(f"no supervisor of {instance_id}")


@pytest.fixture(scope="module")
def group(stack: Stack) -> str:
    started = time.monotonic()
    stack.create_group("pooler")
    wait_until(lambda: stack.serving("pooler", 2), "two healthy hosts", 90)
    print(f"two hosts healthy after {time.monotonic() - started:.1f} s")
    return "pooler"


def test_group_spreads_hosts_over_zones_and_tags_them(stack: Stack, group: str) -> None:
    members = stack.members(group)
    assert {m["AvailabilityZone"] for m in members} == {"eu-west-1a", "eu-west-1b"}
    tags = {t["Key"]: t["Value"] for t in stack.instance(members[0]["InstanceId"])["Tags"]}
    assert tags["aws:autoscaling:groupName"] == "pooler"
    assert (tags["Name"], tags["environment"]) == ("pooler", "test")
    instance = stack.instance(members[0]["InstanceId"])
    assert instance["IamInstanceProfile"]["Arn"] == stack.profile_arn
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert [g["GroupId"] for g in instance["SecurityGroups"]] == [stack.hosts_group]


@pytest.mark.parametrize("how", ["killed", "terminated"])
def test_lost_host_is_replaced(stack: Stack, group: str, how: str) -> None:
    before = wait_until(lambda: stack.serving(group, 2), "two healthy hosts", 90)
    if how == "killed":
        os.kill(supervisor(stack, before[0]), signal.SIGKILL)
    else:
        stack.ec2.terminate_instances(InstanceIds=[before[0]])
    wait_until(lambda: before[0] not in [m["InstanceId"] for m in stack.members(group)], "its end")
    after = wait_until(lambda: stack.serving(group, 2), "a replacement", 90)
    assert before[1] in after
    assert stack.state(before[0]) == "terminated"


def test_unhealthy_host_is_replaced_after_the_grace_period(stack: Stack, group: str) -> None:
    before = wait_until(lambda: stack.serving(group, 2), "two healthy hosts", 90)
    inside(stack, before[0], "sudo systemctl disable --now pgbouncer")
    wait_until(lambda: before[0] not in [m["InstanceId"] for m in stack.members(group)], "end", 60)
    wait_until(lambda: stack.serving(group, 2), "a replacement", 90)
    causes = stack.scaling.describe_scaling_activities(AutoScalingGroupName=group)["Activities"]
    assert any("ELB health check" in each["Cause"] for each in causes)


def test_refresh_brings_the_new_version_and_never_less_than_two(stack: Stack, group: str) -> None:
    before = wait_until(lambda: stack.serving(group, 2), "two healthy hosts", 90)
    user_data = base64.b64encode(USER_DATA.replace(b"content: hello", b"content: second")).decode()
    version = stack.new_version(UserData=user_data)
    template = {"LaunchTemplateId": stack.template_id, "Version": version}
    stack.scaling.update_auto_scaling_group(AutoScalingGroupName=group, LaunchTemplate=template)
    time.sleep(2)
    assert stack.serving(group, 2) == before, "an update alone replaces nothing"
    stack.scaling.start_instance_refresh(
        AutoScalingGroupName=group, Preferences={"MinHealthyPercentage": 100, "InstanceWarmup": 0}
    )
    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        stack.scaling.start_instance_refresh(AutoScalingGroupName=group)
    healthy: list[int] = []

    def done() -> bool:
        healthy.append(len(stack.healthy_targets()))
        answer = stack.scaling.describe_instance_refreshes(AutoScalingGroupName=group)
        return answer["InstanceRefreshes"][0]["Status"] == "Successful"

    wait_until(done, "the refresh", 120)
    after = wait_until(lambda: stack.serving(group, 2, version), "the new hosts", 60)
    assert not set(before) & set(after)
    assert min(healthy) >= 2
    assert inside(stack, after[0], "cat /etc/hello") == "second"


def test_capacity_follows_and_has_limits(stack: Stack, group: str) -> None:
    stack.scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=3)
    wait_until(lambda: stack.serving(group, 3), "three healthy hosts", 90)
    stack.scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=2)
    wait_until(lambda: stack.serving(group, 2), "two healthy hosts", 60)
    assert len({m["AvailabilityZone"] for m in stack.members(group)}) == 2
    with pytest.raises(ClientError, match="must be between"):
        stack.scaling.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=4)


def test_launch_that_fails_is_told_and_not_tried_all_the_time(stack: Stack) -> None:
    version = stack.new_version(ImageId=stack.image("arm64"))
    stack.create_group("wrong", version, TargetGroupARNs=[], MinSize=1, DesiredCapacity=1)
    time.sleep(3)
    activities = stack.scaling.describe_scaling_activities(AutoScalingGroupName="wrong")
    assert [each["StatusCode"] for each in activities["Activities"]] == ["Failed"]
    assert "is for arm64" in activities["Activities"][0]["StatusMessage"]
    stack.scaling.delete_auto_scaling_group(AutoScalingGroupName="wrong")


def test_group_with_hosts_is_deleted_only_by_force(stack: Stack, group: str) -> None:
    with pytest.raises(ClientError, match="ResourceInUse"):
        stack.scaling.delete_auto_scaling_group(AutoScalingGroupName=group)
    ids = [member["InstanceId"] for member in stack.members(group)]
    stack.scaling.delete_auto_scaling_group(AutoScalingGroupName=group, ForceDelete=True)
    wait_until(lambda: not stack.members(group), "the group is gone")
    assert {stack.state(each) for each in ids} == {"terminated"}


def test_crash_with_hosts_running_leaves_nothing_after_stop() -> None:
    with new_cloud() as cloud:
        stack = Stack(cloud)
        stack.create_group("pooler")
        wait_until(lambda: stack.serving("pooler", 2), "two healthy hosts", 90)
        os.kill(cloud.pid(), signal.SIGKILL)
        assert cloud.run("stop").code == 0
        assert cleanup.leftovers(cloud.home) == []
        listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        assert cloud.home.prefix not in listing.stdout
        assert not list(cleanup.PROPAGATION.glob(f"{cloud.home.prefix}-*"))
        assert not cloud.home.instances.exists()


def test_stop_with_hosts_running_is_quick(stack: Stack) -> None:
    """Hosts lose their power: there is nothing on them to save."""
    cloud: DaemonCloud = stack.cloud
    stack.ec2.run_instances(
        ImageId=stack.image_id, SubnetId=stack.subnet_ids[0], MinCount=1, MaxCount=1
    )
    started = time.monotonic()
    assert cloud.run("stop").code == 0
    assert time.monotonic() - started < 15
    assert cleanup.leftovers(cloud.home) == []
