"""A host holds its clients back as a restore wishes, and never longer than its own deadline."""

from __future__ import annotations

from typing import Any

import pytest

from hosts import pause, pooler
from hosts.health import Health
from hosts.pause import LONGEST_SECONDS, LOOK_SECONDS, Pause


class Console:
    """PgBouncer's databases; `servers` are sessions that a transaction still needs."""

    def __init__(self) -> None:
        self.paused = {"node_pass": False, "pgkeep_health": False, "node_pass_readonly": False}
        self.servers = 0
        self.works = True
        self.said: list[str] = []

    def __call__(self, command: str, timeout_seconds: float = 8) -> list[dict[str, str]]:
        del timeout_seconds
        if not self.works:
            raise pooler.PoolerError("no answer")
        verb, _, name = command.partition(" ")
        if name == "DATABASES":
            return [{"name": n, "paused": str(int(p))} for n, p in self.paused.items()]
        if name == "SERVERS":
            return [{"database": "node_pass"}] * self.servers + [{"database": "other"}]
        self.said.append(command)
        if verb != "RECONNECT":
            self.paused[name] = verb == "PAUSE"
        if verb == "PAUSE" and self.servers:
            raise pooler.PoolerError(f"no answer in 1 s to {command}")
        return []


class Host:
    """A host with a clock of the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.console = Console()
        self.answers: list[str] = []
        self.health = Health(10, 0)
        monkeypatch.setattr(pooler, "console", self.console)
        monkeypatch.setattr(pause.time, "time", lambda: 1_700_000_000 + self.now)
        monkeypatch.setattr(pause.time, "monotonic", lambda: self.now)
        self.pause = self.agent()

    def agent(self) -> Pause:
        return Pause("node_pass", self.health, lambda answer: self.answers.append(answer["state"]))

    def wish(self, state: str, seconds: float = 60, name: str = "one") -> float:
        until = 1_700_000_000 + self.now + seconds
        return self.pause.follow({"id": name, "state": state, "until": until})

    @property
    def holding(self) -> bool:
        """Whether clients wait; the health check's own pool always goes with them."""
        assert self.console.paused["node_pass"] == self.console.paused["pgkeep_health"]
        assert self.console.paused["node_pass"] == self.health.holding
        assert not self.console.paused["node_pass_readonly"]
        return self.health.holding


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_a_host_that_is_ready_looks_every_second_and_pauses_and_resumes(host: Host) -> None:
    assert host.pause.follow({}) == LOOK_SECONDS
    assert host.wish("ready") == 1
    assert not host.holding
    assert host.wish("pause") == 1
    assert host.holding
    assert host.wish("resume") == LOOK_SECONDS
    assert not host.holding
    assert host.answers == ["ready", "drained", "resumed"]
    assert host.console.said[2:] == [
        "RECONNECT node_pass_readonly",
        "RESUME node_pass",
        "RESUME pgkeep_health",
    ]
    assert set(host.console.said[:2]) == {"PAUSE node_pass", "PAUSE pgkeep_health"}


def test_it_says_when_the_last_transaction_has_ended(host: Host) -> None:
    host.wish("ready")
    host.console.servers = 2
    host.wish("pause")
    assert host.holding
    assert host.answers == ["ready", "paused"]
    host.console.servers = 0
    host.wish("pause")
    assert host.answers == ["ready", "paused", "drained"]


def test_nobody_who_was_not_ready_is_paused(host: Host) -> None:
    host.wish("pause")
    assert not host.holding
    host.wish("ready", name="other")
    host.wish("pause", name="one")
    assert not host.holding


def test_a_restore_that_died_holds_nobody_longer_than_it_wished(host: Host) -> None:
    host.wish("ready")
    until = 1_700_000_000 + host.now + 30
    wish = {"id": "one", "state": "pause", "until": until}
    host.pause.follow(wish)
    host.now += 29
    host.pause.follow(wish)
    assert host.holding
    host.now += 2
    host.pause.follow(wish)
    assert not host.holding
    assert host.answers[-1] == "resumed"
    host.pause.follow(wish)
    assert not host.holding


@pytest.mark.parametrize("readable", [True, False])
def test_no_wish_and_no_lost_network_holds_longer_than_the_hosts_own_limit(
    host: Host, readable: bool
) -> None:
    host.wish("ready", 100_000)
    host.wish("pause", 100_000)
    for expected in (True, False):
        host.now += LONGEST_SECONDS if expected else 1
        if readable:
            host.wish("pause", 100_000)
        else:
            host.pause.follow(None)
        assert host.holding == expected


def test_a_wish_that_was_taken_away_ends_the_pause(host: Host) -> None:
    host.wish("ready")
    host.wish("pause")
    host.pause.follow({})
    assert not host.holding


def test_another_restores_wish_ends_the_pause_of_the_first(host: Host) -> None:
    host.wish("ready")
    host.wish("pause")
    host.wish("ready", name="two")
    assert not host.holding
    host.wish("ready", name="two")
    host.wish("pause", name="two")
    assert host.holding


def test_a_pooler_that_was_started_again_is_paused_again(host: Host) -> None:
    host.wish("ready")
    host.wish("pause")
    host.console.paused.update(node_pass=False, pgkeep_health=False)
    host.wish("pause")
    assert host.holding


def test_a_console_that_is_silent_is_asked_again_until_clients_go_on(host: Host) -> None:
    host.wish("ready")
    host.wish("pause")
    host.console.works = False
    with pytest.raises(pooler.PoolerError):
        host.wish("resume")
    assert host.health.holding
    host.console.works = True
    host.wish("resume")
    assert not host.holding
    assert host.answers[-1] == "resumed"


def test_an_agent_that_was_started_again_ends_what_it_finds(host: Host) -> None:
    host.wish("ready")
    host.wish("pause")
    host.pause = host.agent()
    host.pause.begin()
    assert not host.holding
    host.wish("pause")
    assert not host.holding


def test_a_paused_host_stays_in_service(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_query() -> None:
        raise pooler.PoolerError("no answer in 8 s to SELECT 1 AS one")

    monkeypatch.setattr(pooler, "prove_query", lambda: None)
    assert host.health.check()
    host.wish("ready")
    host.wish("pause")
    monkeypatch.setattr(pooler, "prove_query", no_query)
    assert host.health.check()
    assert host.health.passes(pause.time.monotonic())
    host.wish("resume")
    assert not host.health.check()


class Secrets:
    """One secret that is not there, cannot be read, or holds a wish."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get_secret_value(self, **_: str) -> dict[str, str]:
        if isinstance(self.answer, str):
            return {"SecretString": self.answer}
        raise self.answer


def test_an_empty_secret_is_no_wish_and_an_unreadable_one_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from botocore.exceptions import ClientError, EndpointConnectionError

    monkeypatch.setenv("PAUSE_SECRET_ARN", "arn")
    codes = {"ResourceNotFoundException": {}, "AccessDeniedException": None}
    for code, expected in codes.items():
        error = ClientError({"Error": {"Code": code}}, "GetSecretValue")
        assert pause.wish_in(Secrets(error)) == expected
    assert pause.wish_in(Secrets(EndpointConnectionError(endpoint_url="x"))) is None
    assert pause.wish_in(Secrets('{"id": "one"}')) == {"id": "one"}
