"""The exchange of databases: without a way to the pooler nothing begins, and what it said."""

from __future__ import annotations

import io
import json
from collections.abc import Generator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from typer.testing import CliRunner

from operations.errors import OperationError
from operations.restore import databases
from operations.restore.database_swap import Swapped
from pgkeep import restore_command, restore_exchange
from pgkeep.app import app
from pgkeep.backup.access import refusals_as_lines
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError, ExitCode
from pgkeep.restore_exchange import Exchange

POOLER = {
    "pooler_group_name": "pgkeep-prod-pooler",
    "pooler_log_group": "/pgkeep/pgkeep-prod/pooler",
    "pooler_pause_secret_name": "pgkeep-prod/pooler/pause",
}


BEFORE = "node_pass_before_20261122t100000"


@pytest.mark.parametrize("missing", POOLER)
def test_a_stack_of_an_older_version_is_told_what_to_do(missing: str) -> None:
    stack = DeployedStack("prod", {**POOLER, missing: None})
    refusal = f"stack prod has no output {missing}, .*run `pulumi up` first, or give --terminate"
    with pytest.raises(CommandError, match=refusal) as refused:
        restore_exchange.pooler_site(stack)
    assert refused.value.code == ExitCode.REFUSED


def said(done: Exchange) -> str:
    text = io.StringIO()
    restore_exchange.show(done, Console(file=text, width=400))
    return text.getvalue()


def test_it_says_how_long_clients_waited_and_what_was_ended() -> None:
    assert said(Exchange("aside", 3.84, 2, ("i-1", "i-2"))) == (
        "Clients waited 3.8 s at 2 pooler hosts; 2 sessions were ended.\n"
        "The database before is kept as aside.\n"
    )
    assert said(Exchange("aside", 1.2, 5)) == (
        "5 sessions were ended; 1.2 s.\nThe database before is kept as aside.\n"
    )
    told = said(Exchange("aside", 40.0, 1, ("i-1", "i-2"), ("i-1",), ("i-2",)))
    assert "Transactions had not ended in time at i-1; they were ended." in told
    assert "No word yet that clients go on at i-2; the pause ends by itself within 90 s." in told


def test_a_proven_database_that_could_not_take_its_place_is_kept_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {"node_pass"}

    def restored(*arguments: Any) -> Any:
        there.add(arguments[-1])
        return SimpleNamespace(proven=True)

    def rename(_: object, old: str, new: str) -> None:
        there.remove(old)
        there.add(new)

    @contextmanager
    def maintenance(*_: object) -> Generator[Any]:
        yield SimpleNamespace(closed=False, execute=print)

    def no_answer(*_: object, **__: object) -> None:
        raise OperationError("within 45 s no word that pooler host i-1 is ready")

    def backed_up(_: object, backup_class: str) -> dict[str, str]:
        assert backup_class == "pre-migration"
        return {"id": "before"}

    def exists(_: object, name: str) -> bool:
        return name in there

    monkeypatch.setattr(restore_command.run_command, "in_function", backed_up)
    monkeypatch.setattr(restore_command, "_into_other", restored)
    monkeypatch.setattr(restore_command, "maintenance", maintenance)
    monkeypatch.setattr(databases, "rename", rename)
    monkeypatch.setattr(databases, "exists", exists)
    monkeypatch.setattr(restore_exchange, "run", no_answer)
    request: Any = SimpleNamespace(terminate=False, drain_seconds=30.0, without_backup=False)
    stack = DeployedStack("prod", {"database_name": "node_pass"})
    nothing: Any = None
    with pytest.raises(CommandError) as refused:
        restore_command.over_present(request, stack, nothing, nothing)
    (kept,) = there - {"node_pass"}
    assert str(refused.value) == (
        "within 45 s no word that pooler host i-1 is ready. The restored database is proven and "
        f"kept as {kept}; once the cause is gone: pgkeep restore --stack prod --back-to {kept}"
    )
    assert databases.can_replace("node_pass", kept)


@pytest.mark.parametrize(
    ("changed_places", "says"),
    [
        (False, f"node_pass is unchanged, .*{BEFORE} is kept; to go on: .* --back-to {BEFORE}"),
        (
            True,
            f"node_pass is what was {BEFORE} already, .*pgkeep roles apply --stack dev",
        ),
    ],
)
def test_ctrl_c_on_the_way_back_says_which_database_is_the_present_one(
    monkeypatch: pytest.MonkeyPatch, changed_places: bool, says: str
) -> None:
    there = {"node_pass", BEFORE}

    @contextmanager
    def opened(*_: object) -> Generator[None]:
        yield

    def interrupted(*_: object, **__: object) -> None:
        if changed_places:
            there.remove(BEFORE)
        raise KeyboardInterrupt

    outputs = {"roles_function": "the-roles"}
    stack = SimpleNamespace(name="dev", database="node_pass", outputs=outputs, reach=opened)
    monkeypatch.setattr(restore_command.DeployedStack, "find", lambda *_: stack)
    monkeypatch.setattr(restore_command, "maintenance", opened)
    monkeypatch.setattr(databases, "exists", lambda _, name: name in there)
    monkeypatch.setattr(restore_exchange, "run", interrupted)
    with pytest.raises(CommandError, match=says) as refused:
        restore_command.go_back("dev", BEFORE, "node_pass", None, terminate=False)
    assert refused.value.code == ExitCode.INTERRUPTED


def test_the_way_back_is_one_json_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def opened(*_: object) -> Generator[None]:
        yield

    stack = SimpleNamespace(name="dev", database="node_pass", outputs={}, reach=opened)
    monkeypatch.setattr(restore_command.DeployedStack, "find", lambda *_: stack)
    monkeypatch.setattr(restore_command, "maintenance", opened)
    monkeypatch.setattr(databases, "exists", lambda *_: True)
    monkeypatch.setattr(restore_exchange, "run", lambda *_, **__: Exchange("aside", 1.5, 2))
    typed = ["restore", "--stack", "dev", "--back-to", BEFORE, "--confirm", "node_pass", "--json"]
    assert CliRunner().invoke(app, typed).exit_code == 0
    document = json.loads(CliRunner().invoke(app, typed).stdout)
    assert document["database"] == "node_pass"
    assert (document["was"], document["set_aside_as"]) == (BEFORE, "aside")
    assert document["exchange"]["ended_sessions"] == 2
    refused = CliRunner().invoke(app, [*typed, "--table", "buyers"])
    assert isinstance(refused.exception, CommandError)
    assert str(refused.exception).startswith(f"--table refused with --back-to {BEFORE}")


NO_ROLE = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Invoke")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"FunctionError": "Unhandled", "Payload": b'{"errorMessage": "no such role"}'}, "no such"),
        (NO_ROLE, "An error occurred"),
    ],
)
def test_roles_that_could_not_be_applied_name_the_database_before_and_the_command(
    monkeypatch: pytest.MonkeyPatch, answer: Any, reason: str
) -> None:
    def invoke(**asked: Any) -> Any:
        assert asked == {"FunctionName": "the-roles", "Payload": b"{}"}
        if isinstance(answer, Exception):
            raise answer
        return {**answer, "Payload": io.BytesIO(answer["Payload"])}

    outputs = {"database_name": "node_pass", "roles_function": "the-roles", "roles_event": "{}"}
    stack = DeployedStack("dev", outputs)
    monkeypatch.setattr(DeployedStack, "client", lambda *_: SimpleNamespace(invoke=invoke))
    swapped = Swapped("before", 0)
    monkeypatch.setattr(restore_exchange.database_swap, "swap", lambda *_: swapped)
    nothing: Any = None
    with pytest.raises(CommandError) as refused:
        restore_exchange.run(stack, nothing, "coming", terminate=True)
    assert refused.value.code == ExitCode.REFUSED
    said = str(refused.value)
    assert said.startswith(
        "the database was replaced, and the one before is kept as before, but its roles could not "
        f"be applied: {reason}"
    )
    assert said.endswith("Once the cause is gone: pgkeep roles apply --stack dev")


def test_credentials_that_are_over_are_told_with_what_to_do() -> None:
    said = {"Error": {"Code": "ExpiredToken", "Message": "The provided token has expired."}}
    refusal = r"\(ExpiredToken\) .* has expired; get new credentials and start again$"
    with pytest.raises(CommandError, match=refusal) as refused, refusals_as_lines():
        raise ClientError(said, "ListObjectsV2")
    assert refused.value.code == ExitCode.REFUSED
