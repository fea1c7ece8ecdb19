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
        # So many looks show a login under way.
        self.looks, self.logins_end_after = 0, 0
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
            self.looks += 1
            state = "new" if self.looks <= self.logins_end_after else "active"
            servers = self.servers or int(state == "new")
            mine = {"database": "node_pass", "state": state}
            return [mine] * servers + [{"database": "other", "state": "new"}]
        self.said.append(command)
        if verb in ("PAUSE", "RESUME"):
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
        monkeypatch.setattr(pause.time, "sleep", self.sleep)
        self.pause = self.agent()

    def agent(self) -> Pause:
        tell: list[str] = self.answers
        return Pause("node_pass", self.health, lambda answer: tell.append(answer["state"]), 5)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

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
def pausing(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_a_host_that_is_ready_looks_every_second_and_pauses_and_resumes(pausing: Host) -> None:
    assert pausing.pause.follow({}) == LOOK_SECONDS
    assert pausing.wish("ready") == 1
    assert not pausing.holding
    assert pausing.wish("pause") == 1
    assert pausing.holding
    assert pausing.wish("resume") == LOOK_SECONDS
    assert not pausing.holding
    assert pausing.answers == ["ready", "drained", "resumed"]
    assert pausing.console.said[0] == "SET min_pool_size = 0"
    assert set(pausing.console.said[1:3]) == {"PAUSE node_pass", "PAUSE pgkeep_health"}
    assert pausing.console.said[3:] == [
        "RECONNECT node_pass_readonly",
        "RESUME node_pass",
        "RESUME pgkeep_health",
        "SET min_pool_size = 5",
    ]


@pytest.mark.parametrize(("looks", "seconds"), [(0, 0), (30, 1.5), (100_000, 5)])
def test_a_login_that_is_under_way_may_end_first_but_not_for_ever(
    pausing: Host, looks: int, seconds: float
) -> None:
    pausing.wish("ready")
    pausing.console.logins_end_after = looks
    began = pausing.now
    pausing.wish("pause")
    assert pausing.holding
    assert pausing.now - began == pytest.approx(seconds)


def test_it_says_when_the_last_transaction_has_ended(pausing: Host) -> None:
    pausing.wish("ready")
    pausing.console.servers = 2
    pausing.wish("pause")
    assert pausing.holding
    assert pausing.answers == ["ready", "paused"]
    pausing.console.servers = 0
    pausing.wish("pause")
    assert pausing.answers == ["ready", "paused", "drained"]


def test_nobody_who_was_not_ready_is_paused(pausing: Host) -> None:
    pausing.wish("pause")
    assert not pausing.holding
    pausing.wish("ready", name="other")
    pausing.wish("pause", name="one")
    assert not pausing.holding


def test_a_restore_that_died_holds_nobody_longer_than_it_wished(pausing: Host) -> None:
    pausing.wish("ready")
    until = 1_700_000_000 + pausing.now + 30
    wish = {"id": "one", "state": "pause", "until": until}
    pausing.pause.follow(wish)
    pausing.now += 29
    pausing.pause.follow(wish)
    assert pausing.holding
    pausing.now += 2
    pausing.pause.follow(wish)
    assert not pausing.holding
    assert pausing.answers[-1] == "resumed"
    pausing.pause.follow(wish)
    assert not pausing.holding


@pytest.mark.parametrize("readable", [True, False])
def test_no_wish_and_no_lost_network_holds_longer_than_the_hosts_own_limit(
    pausing: Host, readable: bool
) -> None:
    pausing.wish("ready", 100_000)
    pausing.wish("pause", 100_000)
    for expected in (True, False):
        pausing.now += LONGEST_SECONDS if expected else 1
        if readable:
            pausing.wish("pause", 100_000)
        else:
            pausing.pause.follow(None)
        assert pausing.holding == expected


def test_a_wish_that_was_taken_away_ends_the_pause(pausing: Host) -> None:
    pausing.wish("ready")
    pausing.wish("pause")
    pausing.pause.follow({})
    assert not pausing.holding


@pytest.mark.parametrize("until", [None, "soon", [1], {}, float("nan")])
def test_a_wish_without_an_end_is_none_and_ends_the_pause(pausing: Host, until: Any) -> None:
    pausing.wish("ready")
    pausing.wish("pause")
    pausing.pause.follow({"id": "one", "state": "pause", "until": until})
    assert not pausing.holding


def test_another_restores_wish_ends_the_pause_of_the_first(pausing: Host) -> None:
    pausing.wish("ready")
    pausing.wish("pause")
    pausing.wish("ready", name="two")
    assert not pausing.holding
    pausing.wish("ready", name="two")
    pausing.wish("pause", name="two")
    assert pausing.holding


def test_a_pooler_that_was_started_again_is_paused_again(pausing: Host) -> None:
    pausing.wish("ready")
    pausing.wish("pause")
    pausing.console.paused.update(node_pass=False, pgkeep_health=False)
    pausing.wish("pause")
    assert pausing.holding


def test_a_console_that_is_silent_is_asked_again_until_clients_go_on(pausing: Host) -> None:
    pausing.wish("ready")
    pausing.wish("pause")
    pausing.console.works = False
    with pytest.raises(pooler.PoolerError):
        pausing.wish("resume")
    assert pausing.health.holding
    pausing.console.works = True
    pausing.wish("resume")
    assert not pausing.holding
    assert pausing.answers[-1] == "resumed"


def test_an_agent_that_was_started_again_ends_what_it_finds(pausing: Host) -> None:
    pausing.wish("ready")
    pausing.wish("pause")
    pausing.pause = pausing.agent()
    pausing.pause.begin()
    assert not pausing.holding
    pausing.wish("pause")
    assert not pausing.holding


def test_a_paused_host_stays_in_service(pausing: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_query() -> None:
        raise pooler.PoolerError("no answer in 8 s to SELECT 1 AS one")

    monkeypatch.setattr(pooler, "prove_query", lambda: None)
    assert pausing.health.check()
    pausing.wish("ready")
    pausing.wish("pause")
    monkeypatch.setattr(pooler, "prove_query", no_query)
    assert pausing.health.check()
    assert pausing.health.passes(pause.time.monotonic())
    pausing.wish("resume")
    assert not pausing.health.check()


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
    for garbage in ("hello", "", "[]", '"pause"', "null", "7", "{"):
        assert pause.wish_in(Secrets(garbage)) == {}
    assert pause.wish_in(Secrets(KeyError("SecretString"))) == {}
