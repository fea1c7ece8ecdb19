"""`pgkeep backup run`: how a run that failed is told, wherever it ran."""

from __future__ import annotations

import io
import json
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from operations.errors import OperationError
from pgkeep.backup import run_command
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError, ExitCode

OUTPUTS = {"database_name": "node_pass", "backup_function": "pgkeep-prod-backup"}
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no."}}, "PutObject")


@pytest.fixture(autouse=True)
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str, through: str | None) -> DeployedStack:
        return DeployedStack(name, OUTPUTS, through)

    monkeypatch.setattr(run_command.DeployedStack, "find", find)


def refused(*, here: bool) -> CommandError:
    with pytest.raises(CommandError) as caught:
        run_command.run("prod", "daily", here=here, through=None, workers=1, as_json=False)
    return caught.value


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OperationError("the disk is full"), "no backup was made: the disk is full"),
        (
            OperationError("pg_dump ended with 1; no backup was made. Look"),
            "pg_dump ended with 1; no backup was made. Look",
        ),
        (
            DENIED,
            "no backup was made: An error occurred (AccessDenied) when calling the PutObject "
            "operation: no.",
        ),
        (psycopg.OperationalError("it is\n gone"), "no backup was made: it is gone"),
    ],
)
def test_what_failed_here_says_that_there_is_no_backup(
    monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(run_command, "_here", fail)
    ended = refused(here=True)
    assert (str(ended), ended.code) == (text, ExitCode.REFUSED)


def test_an_interruption_here_says_what_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_command, "_here", interrupt)
    ended = refused(here=True)
    assert ended.code == ExitCode.INTERRUPTED
    assert str(ended).startswith("interrupted: there is no backup")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("the lock is held", "no backup was made: the lock is held"),
        ("no backup was made: the key is off", "no backup was made: the key is off"),
    ],
)
def test_what_failed_in_the_function_says_it_once(
    monkeypatch: pytest.MonkeyPatch, said: str, text: str
) -> None:
    class Function:
        def invoke(self, **_: Any) -> dict[str, Any]:
            body = json.dumps({"errorMessage": said}).encode()
            return {"Payload": io.BytesIO(body), "FunctionError": "Unhandled"}

    def client(*_: Any) -> Any:
        return Function()

    monkeypatch.setattr(DeployedStack, "client", client)
    ended = refused(here=False)
    assert (str(ended), ended.code) == (text, ExitCode.REFUSED)
