"""Lifecycle hooks of Auto Scaling groups: who waits, who may go on, and when time is up."""

from types import SimpleNamespace
from typing import Any

import pytest
from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, LifecycleHook

from localcloud.instances.scaling import lifecycle
from localcloud.instances.scaling.lifecycle import ABANDON, CONTINUE, LAUNCHING, TERMINATING
from localcloud.instances.scaling.members import target_state

GROUP = SimpleNamespace(name="pooler")


def member(state: str = "InService") -> Any:
    return SimpleNamespace(
        instance=SimpleNamespace(id="i-1"), lifecycle_state=state, passed=set[str]()
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(lifecycle.time, "monotonic", lambda: now[0])
    return now


def hooks(*found: tuple[str, str, int, str]) -> lifecycle.Lifecycle:
    backend = AutoScalingBackend("eu-west-1", "123456789012")
    for name, transition, seconds, result in found:
        hook: Any = LifecycleHook(name, "pooler", transition, seconds, result)
        backend.lifecycle_hooks[f"pooler_{name}"] = hook
    return lifecycle.Lifecycle(backend)


def test_without_hooks_everyone_goes_on() -> None:
    assert hooks().outcome(GROUP, member(), TERMINATING) == CONTINUE


def test_a_member_waits_until_its_hook_is_completed() -> None:
    subject, waiting = hooks(("drain", TERMINATING, 30, CONTINUE)), member()
    assert subject.outcome(GROUP, waiting, TERMINATING) is None
    assert subject.outcome(GROUP, waiting, LAUNCHING) == CONTINUE
    subject.complete("i-1", "drain", CONTINUE)
    assert subject.outcome(GROUP, waiting, TERMINATING) == CONTINUE
    # It does not wait again.
    assert subject.outcome(GROUP, waiting, TERMINATING) == CONTINUE


def test_every_hook_has_to_be_completed_and_one_abandonment_is_enough() -> None:
    both = (("one", LAUNCHING, 30, CONTINUE), ("two", LAUNCHING, 30, CONTINUE))
    subject, waiting = hooks(*both), member()
    assert subject.outcome(GROUP, waiting, LAUNCHING) is None
    subject.complete("i-1", "one", CONTINUE)
    assert subject.outcome(GROUP, waiting, LAUNCHING) is None
    subject.complete("i-1", "two", ABANDON)
    assert subject.outcome(GROUP, waiting, LAUNCHING) == ABANDON


@pytest.mark.parametrize("result", [CONTINUE, ABANDON])
def test_after_its_time_the_hook_s_default_counts(result: str, clock: list[float]) -> None:
    subject, waiting = hooks(("launch", LAUNCHING, 30, result)), member()
    assert subject.outcome(GROUP, waiting, LAUNCHING) is None
    clock[0] = 29.9
    assert subject.outcome(GROUP, waiting, LAUNCHING) is None
    clock[0] = 30
    assert subject.outcome(GROUP, waiting, LAUNCHING) == result


def test_answers_that_nobody_waits_for_are_refused() -> None:
    subject, waiting = hooks(("drain", TERMINATING, 30, CONTINUE)), member()
    with pytest.raises(ValidationError, match="No active Lifecycle Action found"):
        subject.complete("i-1", "drain", CONTINUE)
    subject.outcome(GROUP, waiting, TERMINATING)
    with pytest.raises(ValidationError, match="is not CONTINUE or ABANDON"):
        subject.complete("i-1", "drain", "GO")
    subject.complete("i-1", "drain", CONTINUE)
    with pytest.raises(ValidationError, match="No active Lifecycle Action found"):
        subject.complete("i-1", "drain", CONTINUE)


@pytest.mark.parametrize(
    ("state", "target"),
    [
        ("Pending", "InService"),
        ("Pending:Wait", "InService"),
        ("InService", "InService"),
        ("Terminating:Wait", "Terminated"),
        ("Standby", "Standby"),
    ],
)
def test_an_instance_reads_what_it_shall_become(state: str, target: str) -> None:
    each = member(state)
    each.instance.autoscaling_group = SimpleNamespace(instance_states=[each])
    assert target_state(each.instance) == target


def test_an_instance_of_no_group_reads_nothing() -> None:
    assert target_state(SimpleNamespace()) is None
