"""The exchange of databases: without a way to the pooler nothing begins, and what it said."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from pgkeep import restore_exchange
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError, ExitCode
from pgkeep.restore_exchange import Exchange

POOLER = {
    "pooler_group_name": "pgkeep-prod-pooler",
    "pooler_log_group": "/pgkeep/pgkeep-prod/pooler",
    "pooler_pause_secret_name": "pgkeep-prod/pooler/pause",
}


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
    )
    assert said(Exchange("aside", 1.2, 5)) == "5 sessions were ended; 1.2 s.\n"
    told = said(Exchange("aside", 40.0, 1, ("i-1", "i-2"), ("i-1",), ("i-2",)))
    assert "Transactions had not ended in time at i-1; they were ended." in told
    assert "No word yet that clients go on at i-2; the pause ends by itself within 90 s." in told
