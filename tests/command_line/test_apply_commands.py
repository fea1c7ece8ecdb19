"""Roles and migrations applied again: what is invoked, what is said, and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from typer.testing import CliRunner

from pgkeep import apply_commands
from pgkeep.app import app
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError, ExitCode

OUTPUTS = {
    "roles_function": "pgkeep-prod-roles",
    "roles_event": '{"manifest": {}}',
    "migrations_function": "pgkeep-prod-migrations",
    "migrations_event": '{"workload": "node_pass", "migrations": []}',
}


class Function:
    """Lambda in the place of AWS's: what it was asked, and its answer."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Any = {}
        self.error: str | None = None

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if isinstance(self.answer, BaseException):
            raise self.answer
        failed = {"FunctionError": self.error} if self.error else {}
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode()), **failed}


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Function:
    found = Function()

    def find(name: str) -> DeployedStack:
        return DeployedStack(name, OUTPUTS)

    def client(_: DeployedStack, service: str, config: Any) -> Function:
        assert service == "lambda"
        assert (config.read_timeout, config.retries) == (930, {"total_max_attempts": 1})
        return found

    monkeypatch.setattr(apply_commands.DeployedStack, "find", find)
    monkeypatch.setattr(DeployedStack, "client", client)
    return found


def test_roles_are_applied_with_the_manifest_of_the_deployment(function: Function) -> None:
    function.answer = {
        "status": "changed",
        "changes": ["alter role node_pass_app_1", "revoke DELETE on table x from y"],
        "missing": ["table node_pass.buyers"],
    }
    ended = CliRunner().invoke(app, ["roles", "apply", "--stack", "prod"])
    assert ended.exit_code == 0
    assert ended.stdout == (
        "  alter role node_pass_app_1\n"
        "  revoke DELETE on table x from y\n"
        "  not there, a migration makes it: table node_pass.buyers\n"
        "Roles and grants are those of the manifest: 2 changes made.\n"
    )
    assert function.asked == [{"FunctionName": "pgkeep-prod-roles", "Payload": b'{"manifest": {}}'}]
    shown = CliRunner().invoke(app, ["roles", "apply", "--stack", "prod", "--json"])
    assert json.loads(shown.stdout) == function.answer


def test_nothing_to_change_is_said_so(function: Function) -> None:
    function.answer = {"status": "unchanged", "changes": [], "missing": []}
    ended = CliRunner().invoke(app, ["roles", "apply", "--stack", "prod"])
    said = "Roles and grants are those of the manifest: nothing had to be changed.\n"
    assert ended.stdout == said


def test_migrations_are_applied_that_the_stack_was_deployed_with(function: Function) -> None:
    function.answer = {"applied": ["0002_b.sql"], "already": ["0001_a.sql"]}
    ended = CliRunner().invoke(app, ["migrations", "apply", "--stack", "prod"])
    assert ended.exit_code == 0
    said = "  applied 0002_b.sql\nAll 2 migrations are applied: 1 now, 1 before.\n"
    assert ended.stdout == said
    assert function.asked == [
        {
            "FunctionName": "pgkeep-prod-migrations",
            "Payload": b'{"workload": "node_pass", "migrations": []}',
        }
    ]
    shown = CliRunner().invoke(app, ["migrations", "apply", "--stack", "prod", "--json"])
    assert json.loads(shown.stdout) == function.answer


@pytest.mark.parametrize(
    ("answer", "message", "code"),
    [
        ({"errorMessage": "role x has\nSUPERUSER"}, "failed: role x has SUPERUSER", 1),
        (
            ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke"),
            "pgkeep-prod-roles is at work already",
            1,
        ),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "Invoke"), "AccessDenied", 1),
        (ReadTimeoutError(endpoint_url="https://x"), "Read timeout", 1),
        (KeyboardInterrupt(), "interrupted: the function pgkeep-prod-roles goes on", 130),
    ],
)
def test_what_failed_is_one_line(function: Function, answer: Any, message: str, code: int) -> None:
    function.answer, function.error = answer, "Unhandled"
    ended = CliRunner().invoke(app, ["roles", "apply", "--stack", "prod"])
    assert isinstance(ended.exception, CommandError)
    assert ended.exception.code == code
    assert message in str(ended.exception)
    assert "\n" not in str(ended.exception)
    assert ended.stdout == ""


def test_a_stack_of_an_older_version_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> DeployedStack:
        return DeployedStack(name, {"roles_function": "x"})

    monkeypatch.setattr(apply_commands.DeployedStack, "find", find)
    ended = CliRunner().invoke(app, ["migrations", "apply", "--stack", "prod"])
    assert isinstance(ended.exception, CommandError)
    assert ended.exception.code == ExitCode.REFUSED
    assert "no output migrations_function and migrations_event" in str(ended.exception)


def test_without_pulumi_no_stack_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="stack prod cannot be read: the program pulumi is not"):
        DeployedStack.find("prod")
