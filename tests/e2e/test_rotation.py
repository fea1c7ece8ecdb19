"""Passwords of login roles change on a running stack, and nobody who holds the old one is cut off."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.e2e.local_stack import LocalStack

pytestmark = pytest.mark.root

WHO = ["SELECT current_user::text"]
GROUP = "application_security_group_id"


def rotate(stack: LocalStack, role: str) -> dict[str, Any]:
    """Ask Secrets Manager for a rotation, as an operator does, and wait for its end."""
    secrets, name = stack.aws("secretsmanager"), stack.outputs["role_secret_names"][role]
    before = stack.secret(role)
    deadline = time.monotonic() + 240
    # The test of the configuration that a deployment begins may still be under way.
    while "AWSPENDING" in str(secrets.describe_secret(SecretId=name)["VersionIdsToStages"]):
        assert time.monotonic() < deadline
        time.sleep(1)
    secrets.rotate_secret(SecretId=name)
    while stack.secret(role) == before or "AWSPENDING" in str(
        secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
    ):
        assert time.monotonic() < deadline, f"{name} is not rotated"
        time.sleep(1)
    return stack.secret(role)


def who(stack: LocalStack, group: str, connection: dict[str, Any]) -> str:
    """The user that the database sees, or why it refuses."""
    answer = stack.query(group, connection, WHO)
    return answer["error"] or answer["results"][0]["rows"][0][0]


def test_the_old_password_of_the_application_lives_until_the_next_rotation(
    stack: LocalStack,
) -> None:
    first = stack.through_pooler()
    second_secret = rotate(stack, "app")
    second = stack.through_pooler()
    assert {first["user"], second["user"]} == {"node_pass_app_1", "node_pass_app_2"}
    assert second["user"] == second_secret["username"]
    # At once, on whichever host the balancer chooses.
    for _ in range(4):
        assert who(stack, GROUP, second) == second["user"]
        assert who(stack, GROUP, first) == first["user"]
    direct = stack.direct("app")
    assert who(stack, "migration_security_group_id", direct) == second["user"]

    rotate(stack, "app")
    third = stack.through_pooler()
    assert third["user"] == first["user"]
    for _ in range(4):
        assert who(stack, GROUP, third) == third["user"]
        assert who(stack, GROUP, second) == second["user"]
        assert "authentication failed" in who(stack, GROUP, first)
    old = {**stack.direct("app"), "user": first["user"], "password": first["password"]}
    assert "authentication failed" in who(stack, "migration_security_group_id", old)


def test_hosts_stay_healthy_when_the_health_checks_own_password_changes(stack: LocalStack) -> None:
    rotate(stack, "health")
    groups = stack.aws("elbv2").describe_target_groups()["TargetGroups"]
    arn = groups[0]["TargetGroupArn"]
    for _ in range(10):
        states = stack.aws("elbv2").describe_target_health(TargetGroupArn=arn)
        healthy = [one["TargetHealth"]["State"] for one in states["TargetHealthDescriptions"]]
        assert healthy
        assert set(healthy) == {"healthy"}
        time.sleep(2)


def test_migrations_and_backups_go_on_with_rotated_users(stack: LocalStack) -> None:
    assert rotate(stack, "migrator")["username"] == "node_pass_migrator_2"
    user = who(stack, "migration_security_group_id", stack.direct("migrator"))
    assert user == "node_pass_owner"  # Its sessions act as the owner.
    assert rotate(stack, "backup")["username"] == "node_pass_backup_2"
    assert "manual" in stack.pgkeep("backup", "run", "--class", "manual")


def test_a_replica_knows_both_passwords_of_its_readers(stack: LocalStack) -> None:
    """They come with the log; whoever reads there has the same interval as everybody."""
    (replica, *_), group = stack.outputs["replica_endpoints"], "analytics_security_group_id"
    first = stack.direct("readonly", replica)
    assert who(stack, group, first) == first["user"]
    rotate(stack, "readonly")
    second = stack.direct("readonly", replica)
    assert {first["user"], second["user"]} == {"node_pass_readonly_1", "node_pass_readonly_2"}
    # The rotation tried the new one on the primary; a replica follows within a moment.
    deadline = time.monotonic() + 20
    while who(stack, group, second) != second["user"]:
        assert time.monotonic() < deadline, who(stack, group, second)
        time.sleep(0.5)
    assert who(stack, group, first) == first["user"]
    rotate(stack, "readonly")
    third = stack.direct("readonly", replica)
    assert third["user"] == first["user"]
    assert who(stack, group, second) == second["user"]
    deadline = time.monotonic() + 20
    while "authentication failed" not in who(stack, group, first):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert who(stack, group, third) == third["user"]


def test_passwords_are_within_their_schedule(stack: LocalStack) -> None:
    answer = stack.aws("lambda").invoke(
        FunctionName="pgkeep-local-role-rotation", Payload=b'{"action": "age"}'
    )
    overdue = json.loads(answer["Payload"].read())["overdue_days"]
    assert {"master", "node_pass_app"} < set(overdue)
    assert max(overdue.values()) < -29


def test_what_was_changed_by_hand_is_undone_by_one_command(stack: LocalStack) -> None:
    """An update finds nothing new to apply; the command does."""
    grant = "GRANT DELETE ON node_pass.buyers TO node_pass_app"
    direct, group = stack.direct("migrator"), "migration_security_group_id"
    assert "error" not in stack.query(group, direct, [grant])["results"][0]
    delete, app = ["DELETE FROM buyers WHERE false"], stack.through_pooler()
    assert stack.query(GROUP, app, delete)["results"][0]["count"] == 0

    result = json.loads(stack.pgkeep("roles", "apply", "--json"))

    assert result["changes"] == ["revoke DELETE on table node_pass.buyers from node_pass_app"]
    assert "permission denied" in stack.query(GROUP, app, delete)["results"][0]["error"]
    assert json.loads(stack.pgkeep("roles", "apply", "--json"))["status"] == "unchanged"
    applied = json.loads(stack.pgkeep("migrations", "apply", "--json"))
    assert applied == {"applied": [], "already": ["0001_buyers.sql"]}
