"""What becomes of a pooler host whose PgBouncer is killed or hangs, and of one that restarts.

That a host which hangs for `watchdog_minutes` (three at least) powers itself off is in
tests/hosts/test_agent.py, and that the group replaces one that has gone, in
tests/localcloud/test_instances.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.e2e.local_stack import REPOSITORY, LocalStack, last_words

pytestmark = pytest.mark.root

WAIT_SECONDS = 120


def on_host(stack: LocalStack, instance_id: str, command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "localcloud", "ssh", instance_id, "--", command],
        cwd=REPOSITORY,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, last_words(done)
    return done.stdout.strip()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not in {WAIT_SECONDS} s: {what}"
        time.sleep(0.5)


def healths(stack: LocalStack) -> dict[str, str]:
    """What the load balancer thinks of each host."""
    client = stack.aws("elbv2")
    (group,) = client.describe_target_groups()["TargetGroups"]
    found = client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
    return {
        one["Target"]["Id"]: one["TargetHealth"]["State"]
        for one in found["TargetHealthDescriptions"]
    }


@pytest.fixture
def host(stack: LocalStack) -> str:
    until(lambda: set(healths(stack).values()) == {"healthy"}, "all hosts are healthy")
    return min(healths(stack))


def test_a_killed_pgbouncer_is_started_again(stack: LocalStack, host: str) -> None:
    process = "systemctl show --property=MainPID --value pgbouncer.service"
    before = on_host(stack, host, process)
    on_host(stack, host, "sudo kill -9 " + before)
    until(lambda: on_host(stack, host, process) not in ("0", before), "another process")
    until(lambda: healths(stack)[host] == "healthy", "healthy again")
    restarts = on_host(stack, host, "systemctl show --property=NRestarts --value pgbouncer")
    assert restarts == "1"


def test_a_hung_pgbouncer_gets_no_new_connections(stack: LocalStack, host: str) -> None:
    on_host(stack, host, "sudo pkill -STOP -x pgbouncer")
    try:
        until(lambda: healths(stack)[host] == "unhealthy", "the load balancer takes it out")
        answer = stack.query(
            "application_security_group_id", stack.through_pooler(), ["SELECT count(*) FROM buyers"]
        )
        assert answer["error"] is None, "the other host serves"
    finally:
        on_host(stack, host, "sudo pkill -CONT -x pgbouncer")
    until(lambda: healths(stack)[host] == "healthy", "healthy again")


def test_a_host_comes_back_from_a_reboot(stack: LocalStack, host: str) -> None:
    started = "systemctl show --property=ExecMainStartTimestamp --value pgbouncer.service"
    before = on_host(stack, host, started)
    stack.aws("ec2").reboot_instances(InstanceIds=[host])

    # It may be back before the load balancer has counted enough failures to call it unhealthy.
    def restarted() -> bool:
        try:
            return on_host(stack, host, started) not in ("", before)
        except AssertionError:
            return False  # nobody logs in to a host that is down

    until(restarted, "it comes up again")
    until(lambda: healths(stack)[host] == "healthy", "it serves again")
    units = "pgbouncer.service pgkeep-agent.service pgkeep-credentials.timer"
    assert on_host(stack, host, f"systemctl is-active {units}").split() == ["active"] * 3
    # Memory was gone: the verifiers and the certificate were fetched again.
    files = on_host(stack, host, "sudo ls /run/pgbouncer").split()
    assert {"userlist.txt", "server.pem", "listen.ini", "health.pgpass"} <= set(files)
    groups = stack.aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    members = [one["InstanceId"] for group in groups for one in group["Instances"]]
    assert host in members, "nobody replaced it"
