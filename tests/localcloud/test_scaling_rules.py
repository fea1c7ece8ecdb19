"""Where an Auto Scaling group places instances, whom it terminates, what a refresh does."""

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from localcloud.instances.scaling.groups import choose_victims, next_placement
from localcloud.instances.scaling.members import Activities, Member
from localcloud.instances.scaling.refresh import Refreshes


def member(
    number: int, zone: str, version: int = 1, *, protected: bool = False, state: str = "InService"
) -> Any:
    made = Member.__new__(Member)
    made.instance = SimpleNamespace(id=f"i-{number}", subnet_id=f"subnet-{zone}")
    made.availability_zone = zone
    made.lifecycle_state = state
    made.protected_from_scale_in = protected
    made.launched_at = datetime.datetime(2026, 1, number, tzinfo=datetime.UTC)
    made.in_service_at = datetime.datetime(2026, 1, number, tzinfo=datetime.UTC)
    made._template = {"Version": str(version)}
    return made


def ids(members: list[Any]) -> list[str]:
    return [each.instance.id for each in members]


def test_the_fullest_zone_loses_first_then_the_oldest_template_then_the_oldest() -> None:
    members = [member(1, "a", 2), member(2, "a", 1), member(3, "b", 1), member(4, "a", 1)]
    assert ids(choose_victims(members, 1)) == ["i-2"]
    assert ids(choose_victims(members, 3)) == ["i-2", "i-4", "i-3"]


def test_protected_members_stay() -> None:
    members = [member(1, "a", protected=True), member(2, "b", protected=True)]
    assert choose_victims(members, 2) == []
    members = [member(1, "a", protected=True), member(2, "a"), member(3, "b")]
    assert ids(choose_victims(members, 3)) == ["i-2", "i-3"]


def test_next_instance_goes_to_the_emptiest_subnet() -> None:
    zones = {"subnet-a": "eu-west-1a", "subnet-b": "eu-west-1b"}
    ec2 = SimpleNamespace(get_subnet=lambda name: SimpleNamespace(availability_zone=zones[name]))
    group = SimpleNamespace(vpc_zone_identifier="subnet-a,subnet-b", instance_states=[])
    assert next_placement(ec2, group) == ("eu-west-1a", "subnet-a")
    group.instance_states = [member(1, "a")]
    assert next_placement(ec2, group) == ("eu-west-1b", "subnet-b")
    group.instance_states = [member(1, "a", state="Terminating"), member(2, "b")]
    assert next_placement(ec2, group) == ("eu-west-1a", "subnet-a")


class Scaling:
    """What a refresh asks of the groups."""

    def __init__(self) -> None:
        self.sick: set[str] = set()
        self.terminated: list[str] = []

    def healthy(self, _group: Any, each: Any) -> bool:
        return each.instance.id not in self.sick

    def terminate(self, group: Any, each: Any, _cause: str) -> None:
        self.terminated.append(each.instance.id)
        group.instance_states.remove(each)


def a_group(*members: Any) -> Any:
    template = SimpleNamespace(get_version=lambda _number: SimpleNamespace(number=2))
    return SimpleNamespace(
        name="g",
        desired_capacity=2,
        instance_states=list(members),
        ec2_launch_template=template,
        launch_template_version="2",
    )


def test_refresh_replaces_one_by_one_new_before_old() -> None:
    group, scaling, refreshes = a_group(member(1, "a"), member(2, "b")), Scaling(), Refreshes()
    refresh = refreshes.start(group, {}, {})

    def step() -> int:
        return refreshes.step(group, group.instance_states, scaling)  # type: ignore[arg-type]

    assert step() == 1
    assert scaling.terminated == []
    group.instance_states.append(member(3, "a", 2))
    scaling.sick = {"i-3"}
    assert step() == 1
    assert scaling.terminated == [], "the new one is not healthy yet"
    scaling.sick = set()
    assert step() == 1
    assert scaling.terminated == ["i-1"]
    assert step() == 1
    assert scaling.terminated == ["i-1"], "the next new one comes first"
    assert refresh.percentage_complete == 50
    group.instance_states.append(member(4, "b", 2))
    assert step() == 0
    assert scaling.terminated == ["i-1", "i-2"]
    assert step() == 0
    assert (refresh.status, refresh.percentage_complete) == ("Successful", 100)


def test_refresh_takes_the_sick_one_first_and_keeps_matching_ones_on_request() -> None:
    group, scaling, refreshes = a_group(member(1, "a"), member(2, "b")), Scaling(), Refreshes()
    refreshes.start(group, {}, {})
    group.instance_states.append(member(3, "a", 2))
    scaling.sick = {"i-2"}
    refreshes.step(group, group.instance_states[:2], scaling)  # type: ignore[arg-type]
    refreshes.step(group, group.instance_states, scaling)  # type: ignore[arg-type]
    assert scaling.terminated == ["i-2"]

    group, scaling, refreshes = (
        a_group(member(1, "a", 2), member(2, "b", 2)),
        Scaling(),
        Refreshes(),
    )
    refresh = refreshes.start(group, {"SkipMatching": True}, {})
    assert refreshes.step(group, group.instance_states, scaling) == 0  # type: ignore[arg-type]
    assert refresh.status == "Successful"
    assert scaling.terminated == []


@pytest.mark.parametrize("before", ["ab", "ba", "aa", "bb"])
@pytest.mark.parametrize("sick", [None, "i-1", "i-2"])
def test_after_a_refresh_the_hosts_are_in_two_zones(before: str, sick: str | None) -> None:
    zones = {"subnet-a": "a", "subnet-b": "b"}
    ec2 = SimpleNamespace(get_subnet=lambda name: SimpleNamespace(availability_zone=zones[name]))
    group = a_group(*(member(number, zone) for number, zone in enumerate(before, 1)))
    group.vpc_zone_identifier = ",".join(zones)
    scaling, refreshes = Scaling(), Refreshes()
    scaling.sick = {sick} if sick else set()
    refresh = refreshes.start(group, {}, {})
    for number in range(3, 9):
        surge = refreshes.step(group, group.instance_states, scaling)  # type: ignore[arg-type]
        if len(group.instance_states) < group.desired_capacity + surge:
            zone, _ = next_placement(ec2, group, refreshes.leaving(group.name))
            group.instance_states.append(member(number, zone, 2))
    assert refresh.status == "Successful"
    assert sorted(each.availability_zone for each in group.instance_states) == ["a", "b"]


def test_two_subnets_of_a_zone_count_as_one_zone() -> None:
    zones = {"subnet-a": "a", "subnet-c": "a", "subnet-b": "b"}
    ec2 = SimpleNamespace(get_subnet=lambda name: SimpleNamespace(availability_zone=zones[name]))
    group = SimpleNamespace(vpc_zone_identifier=",".join(zones), instance_states=[member(1, "a")])
    assert next_placement(ec2, group) == ("b", "subnet-b")
    group.instance_states.append(member(2, "b"))
    assert next_placement(ec2, group) == ("a", "subnet-c")


def test_new_instance_must_be_warm() -> None:
    group, scaling, refreshes = a_group(member(1, "a"), member(2, "b")), Scaling(), Refreshes()
    refreshes.start(group, {"InstanceWarmup": 10**9}, {})
    refreshes.step(group, group.instance_states, scaling)  # type: ignore[arg-type]
    group.instance_states.append(member(3, "a", 2))
    refreshes.step(group, group.instance_states, scaling)  # type: ignore[arg-type]
    assert scaling.terminated == []


def test_cancelled_refresh_stops() -> None:
    group, scaling, refreshes = a_group(member(1, "a"), member(2, "b")), Scaling(), Refreshes()
    refresh = refreshes.start(group, {}, {})
    refresh.status = "Cancelling"
    assert refreshes.step(group, group.instance_states, scaling) == 0  # type: ignore[arg-type]
    assert refresh.status == "Cancelled"
    assert refreshes.active("g") is None


def test_activities_tell_what_failed() -> None:
    activities = Activities()
    activities.begin("g", "Launching", "i-1", "an instance was started")
    activities.finish("Launching", "i-1", "no room")
    activities.begin("other", "Launching", "i-2", "an instance was started")
    (activity,) = activities.of("g")
    assert (activity.status_code, activity.status_message) == ("Failed", "no room")
    assert len(activities.of(None)) == 2
