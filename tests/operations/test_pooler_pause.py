"""A restore asks every pooler host to hold its clients back, and lets them go whatever happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.errors import OperationError
from operations.restore import pooler_pause
from operations.restore.pooler_pause import LONGEST_SECONDS, PoolerSite, held


class Cloud:
    """Hosts that answer each wish, but for what `silent_to` and `never_drained` say."""

    def __init__(self, *hosts: str, state: str = "InService") -> None:
        self.hosts = hosts
        self.state = state
        self.wishes: list[dict[str, Any]] = []
        self.silent_to: dict[str, str] = {}
        self.never_drained: set[str] = set()
        self.said: dict[str, list[str]] = {}

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> dict[str, Any]:
        assert AutoScalingGroupNames == ["pgkeep-prod-pooler"]
        instances = [{"InstanceId": host, "LifecycleState": self.state} for host in self.hosts]
        return {"AutoScalingGroups": [{"Instances": instances}]}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:
        assert SecretId == "pgkeep-prod/pooler/pause"
        wish = json.loads(SecretString)
        self.wishes.append(wish)
        answers = {"ready": ["ready"], "pause": ["paused", "drained"], "resume": ["resumed"]}
        for host in self.hosts:
            for answer in answers[wish["state"]]:
                if self.silent_to.get(host) == wish["state"]:
                    continue
                if answer == "drained" and host in self.never_drained:
                    continue
                # An answer to somebody else's wish, long ago, is none.
                old = json.dumps({"id": "old", "state": "resumed"})
                mine = json.dumps({"id": wish["id"], "state": answer})
                self.said.setdefault(host, []).extend([old, mine])

    def get_log_events(self, logStreamName: str, **rest: Any) -> dict[str, Any]:
        assert rest["logGroupName"] == "/pgkeep/pgkeep-prod/pooler"
        host, _, name = logStreamName.partition("/")
        assert name == "pause"
        if host not in self.said:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetLogEvents")
        return {"events": [{"message": message} for message in self.said[host]]}

    @property
    def site(self) -> PoolerSite:
        return PoolerSite(
            autoscaling=self,
            secrets=self,
            logs=self,
            group_name="pgkeep-prod-pooler",
            secret_name="pgkeep-prod/pooler/pause",
            log_group="/pgkeep/pgkeep-prod/pooler",
        )

    @property
    def states(self) -> list[str]:
        assert len({wish["id"] for wish in self.wishes}) <= 1
        return [wish["state"] for wish in self.wishes]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(pooler_pause.time, "time", lambda: now[0])
    monkeypatch.setattr(pooler_pause.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(pooler_pause.time, "sleep", sleep)
    return now


def test_every_host_is_ready_before_any_is_paused(clock: list[float]) -> None:
    cloud = Cloud("i-1", "i-2")
    with held(cloud.site) as result:
        assert cloud.states == ["ready", "pause"]
        assert cloud.wishes[-1]["until"] == clock[0] + LONGEST_SECONDS
        clock[0] += 7
    assert cloud.states == ["ready", "pause", "resume"]
    assert (result.hosts, result.busy, result.silent) == (("i-1", "i-2"), (), ())
    assert result.seconds == 7


@pytest.mark.parametrize(
    ("wish", "states", "match"),
    [
        ("ready", ["ready", "resume"], "within 45 s no word that pooler host i-2 is ready to hold"),
        ("pause", ["ready", "pause", "resume"], "within 15 s no word that pooler host i-2 holds"),
    ],
)
def test_a_host_that_does_not_answer_stops_the_restore_and_clients_go_on(
    wish: str, states: list[str], match: str
) -> None:
    cloud = Cloud("i-1", "i-2")
    cloud.silent_to = {"i-2": wish}
    refusal = f"{match}.*was not replaced.*--terminate"
    with pytest.raises(OperationError, match=refusal), held(cloud.site):
        pytest.fail("nothing may be replaced")
    assert cloud.states == states


def test_it_says_what_is_waited_for(clock: list[float]) -> None:
    told: list[str] = []
    with held(Cloud("i-1", "i-2").site, told.append):
        told.append("the block")
    assert told == [
        "2 pooler hosts are asked to get ready (up to 45 s)",
        "clients wait; transactions in progress end (up to 30 s)",
        "the block",
        "clients go on (up to 15 s)",
    ]


def test_transactions_that_do_not_end_are_named_and_the_swap_goes_on(clock: list[float]) -> None:
    cloud = Cloud("i-1", "i-2")
    cloud.never_drained = {"i-1"}
    began = clock[0]
    with held(cloud.site) as result:
        assert 30 <= clock[0] - began < 31
    assert result.busy == ("i-1",)


def test_clients_go_on_when_the_swap_fails_too() -> None:
    cloud = Cloud("i-1")
    with pytest.raises(KeyboardInterrupt), held(cloud.site):
        raise KeyboardInterrupt
    assert cloud.states == ["ready", "pause", "resume"]


@pytest.mark.parametrize("refused", ["resume", "pause"])
def test_credentials_that_end_meanwhile_hide_nothing(
    monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """What was done counts; hosts that nobody can ask end the pause by themselves."""
    cloud, put = Cloud("i-1"), Cloud.put_secret_value

    def expired(self: Cloud, SecretId: str, SecretString: str) -> None:
        if json.loads(SecretString)["state"] in (refused, "resume"):
            said = {"Error": {"Code": "ExpiredTokenException", "Message": refused}}
            raise ClientError(said, "PutSecretValue")
        put(self, SecretId, SecretString)

    monkeypatch.setattr(Cloud, "put_secret_value", expired)
    if refused == "resume":
        with held(cloud.site) as result:
            pass
        assert result.silent == ("i-1",)
    else:
        with pytest.raises(ClientError, match=r"PutSecretValue.*: pause"), held(cloud.site):
            pytest.fail("nothing may be replaced")


def test_a_host_that_does_not_say_that_clients_go_on_is_named() -> None:
    cloud = Cloud("i-1", "i-2")
    cloud.silent_to = {"i-1": "resume"}
    with held(cloud.site) as result:
        pass
    assert result.silent == ("i-1",)


@pytest.mark.parametrize("state", ["Pending:Wait", "Terminating:Proceed", "Terminated"])
def test_without_a_host_there_is_nobody_to_ask(state: str) -> None:
    cloud = Cloud("i-1", state=state)
    refusal = r"has no host that could make clients wait; give --terminate"
    with pytest.raises(OperationError, match=refusal), held(cloud.site):
        pytest.fail("nothing may be replaced")
    assert cloud.states == []
