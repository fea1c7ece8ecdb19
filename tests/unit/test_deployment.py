"""Where the stack is deployed: what AWS answers, and what becomes of it when AWS refuses."""

from __future__ import annotations

import asyncio
from typing import Any

import pulumi
import pytest

from components.deployment import Deployment
from stacks.settings import load
from tests.unit.recorder import ACCOUNT, REGION, Recorder, raw_settings, settings


class Refusing(Recorder):
    """An engine whose provider fails one invoke."""

    def __init__(self, token: str, message: str) -> None:
        super().__init__()
        self.token = token
        self.message = message

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        if args.token == self.token:
            raise RuntimeError(self.message)
        return super().call(args)


def discover(recorder: Recorder) -> Deployment:
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(recorder, project="pgkeep", stack="local", preview=True)
    return Deployment.discover(settings("local"))


def test_the_deployment_is_what_aws_says() -> None:
    found = discover(Recorder(zones=("eu-west-1c", "eu-west-1b", "eu-west-1a")))
    assert (found.account_id, found.partition, found.region) == (ACCOUNT, "aws", REGION)
    assert found.zones[0] == "eu-west-1a"
    assert len(found.zones) == settings("local").network.availability_zone_count


@pytest.mark.parametrize(
    "token",
    [
        "aws:index/getRegion:getRegion",
        "aws:index/getAvailabilityZones:getAvailabilityZones",
        "aws:index/getCallerIdentity:getCallerIdentity",
        "aws:index/getPartition:getPartition",
    ],
)
def test_a_failed_invoke_is_one_error_with_what_aws_said(token: str) -> None:
    with pytest.raises(pulumi.RunError, match="ExpiredToken: the security token") as caught:
        discover(Refusing(token, "ExpiredToken: the security token is expired"))
    # Pulumi prints a RunError without a traceback, if nothing hangs on it.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_sdks_bare_exception_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        # The SDK raises no class of its own.
        raise Exception("invoke of aws:index/getRegion:getRegion failed: no endpoint")

    monkeypatch.setattr("pulumi_aws.get_region", refuse)
    with pytest.raises(pulumi.RunError) as caught:
        discover(Recorder())
    assert str(caught.value) == "invoke of aws:index/getRegion:getRegion failed: no endpoint"


def test_too_few_zones_are_refused_in_our_own_words() -> None:
    with pytest.raises(pulumi.RunError, match=r"zones refused, eu-west-1 has 1: .* Set it to 1"):
        discover(Recorder(zones=("eu-west-1a",)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"pooler\.image_id: null refused, required in partition aws-cn: .* Set it to"),
        (
            {
                "pooler": {"image_id": "ami-0123456789abcdef0"},
                "permissions_boundary": "arn:aws:iam::123456789012:policy/bounded",
            },
            r"permissions_boundary: .* refused, must be of partition aws-cn: .* name alone",
        ),
    ],
)
def test_what_another_partition_lacks(changes: dict[str, Any], message: str) -> None:
    asyncio.set_event_loop(asyncio.new_event_loop())
    recorder = Recorder(partition="aws-cn")
    pulumi.runtime.set_mocks(recorder, project="pgkeep", stack="prod", preview=True)
    with pytest.raises(pulumi.RunError, match=message):
        Deployment.discover(load(raw_settings("prod") | changes, "prod"))


@pytest.mark.parametrize(
    ("boundary", "arn"),
    [
        (None, None),
        ("bounded", f"arn:aws:iam::{ACCOUNT}:policy/bounded"),
        ("arn:aws:iam::aws:policy/Other", "arn:aws:iam::aws:policy/Other"),
    ],
)
def test_the_boundary_by_name_and_by_arn(boundary: str | None, arn: str | None) -> None:
    asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(Recorder(), project="pgkeep", stack="prod", preview=True)
    chosen = load(raw_settings("prod") | {"permissions_boundary": boundary}, "prod")
    assert Deployment.discover(chosen).permissions_boundary == arn
