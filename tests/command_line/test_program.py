"""The program under mocks: what it declares is what the engine would hand to a policy pack."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from pulumi.runtime import resource as runtime_resource

from pgkeep.program import PreviewMonitor, ProgramRun, UnansweredError, aws_answers, run
from policies.values import UNKNOWN, contains_unknown, plain
from stacks.settings import load
from tests.unit import test_network
from tests.unit.recorder import ENVIRONMENTS, raw_settings, settings

STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
DATABASE = "pgkeep:components:Platform$pgkeep:components:Database"


@pytest.fixture(scope="module")
def prod() -> ProgramRun:
    return run(settings("prod"), "eu-west-1")


def one(found: ProgramRun, type_: str, name: str):
    (resource,) = [r for r in found.resources if (r.type, r.name) == (type_, name)]
    return resource


def test_urns_name_every_parent_type_but_not_the_stack(prod: ProgramRun) -> None:
    urns = [resource.urn for resource in prod.resources]
    assert len(set(urns)) == len(urns)
    assert urns[0] == "urn:pulumi:prod::pgkeep::pgkeep:components:Platform::pgkeep"
    instance = one(prod, "aws:rds/instance:Instance", "database-instance")
    assert (
        instance.urn
        == f"urn:pulumi:prod::pgkeep::{DATABASE}$aws:rds/instance:Instance::database-instance"
    )
    assert instance.parent == f"urn:pulumi:prod::pgkeep::{DATABASE}::database"


def test_outputs_that_aws_makes_are_unknown_and_depend_on_their_resource(prod: ProgramRun) -> None:
    instance = one(prod, "aws:rds/instance:Instance", "database-instance")
    key = one(prod, "aws:kms/key:Key", "keys-database")
    assert instance.inputs["kmsKeyId"] == STRING
    assert instance.property_dependencies["kmsKeyId"] == (key.urn,)
    assert instance.inputs["storageEncrypted"] is True


def test_secrets_are_marked_as_on_the_wire(prod: ProgramRun) -> None:
    instance = one(prod, "aws:rds/instance:Instance", "database-instance")
    password = instance.inputs["passwordWo"]
    assert isinstance(password, dict)
    assert password["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"
    assert plain(password) not in (None, UNKNOWN)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_stack_runs_one_after_the_other_in_one_process(environment: str) -> None:
    found = run(settings(environment), "eu-west-1")
    assert all(r.urn.startswith(f"urn:pulumi:{environment}::pgkeep::") for r in found.resources)
    aws = [resource for resource in found.resources if resource.custom]
    assert len(aws) > 100
    assert any(contains_unknown(plain(resource.inputs)) for resource in aws)
    assert found.exports["environment"] == environment


def test_a_refusal_of_the_program_is_raised_and_the_next_run_is_not_disturbed() -> None:
    with pytest.raises(pulumi.RunError, match="has 1"):
        run(
            settings("prod"),
            "eu-west-1",
            lambda token, arguments: (
                {"names": ["eu-west-1a"], "zoneIds": ["euw1-az1"]}
                if token.endswith("getAvailabilityZones")
                else aws_answers(settings("prod"), "eu-west-1")(token, arguments)
            ),
        )
    assert run(settings("dev"), "eu-west-1").exports["environment"] == "dev"


def test_the_sdk_finds_source_positions_again_after_a_run() -> None:
    before = runtime_resource._get_stack_trace  # pyright: ignore[reportPrivateUsage]
    run(settings("dev"), "eu-west-1")
    assert runtime_resource._get_stack_trace is before  # pyright: ignore[reportPrivateUsage]
    assert before.__name__ == "_get_stack_trace"


def test_a_question_without_an_answer_names_the_function() -> None:
    with pytest.raises(UnansweredError, match="aws:ec2/getVpn:getVpn"):
        aws_answers(settings("dev"), "eu-west-1")("aws:ec2/getVpn:getVpn", {})


@pytest.mark.parametrize(
    ("region", "partition", "dns_suffix"),
    [
        ("eu-west-1", "aws", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
    ],
)
def test_the_partition_is_the_regions(region: str, partition: str, dns_suffix: str) -> None:
    answer = aws_answers(settings("dev"), region)
    found = answer("aws:index/getPartition:getPartition", {})
    assert found == {"partition": partition, "dnsSuffix": dns_suffix}


def test_an_existing_network_is_answered_with_the_subnets_of_the_settings() -> None:
    raw = raw_settings("prod")
    raw["network"] = {"existing": test_network.EXISTING, "availability_zone_count": 2}
    found = run(load(raw, "prod"), "eu-west-1")
    assert not [r for r in found.resources if r.type == "aws:ec2/vpc:Vpc"]


def test_a_replica_is_made_anew_with_its_primary(monkeypatch: pytest.MonkeyPatch) -> None:
    """RDS gives no replica another source, and another instance may come under the same name."""
    asked: dict[str, Any] = {}
    register = PreviewMonitor.RegisterResource

    def kept(monitor: PreviewMonitor, request: Any) -> Any:
        asked[request.name] = request
        return register(monitor, request)

    monkeypatch.setattr(PreviewMonitor, "RegisterResource", kept)
    declared = run(settings("prod"), "eu-west-1")
    replica = asked["replica-1-instance"]
    primary = one(declared, "aws:rds/instance:Instance", "database-instance")
    assert list(replica.replace_with) == [primary.urn]
    assert replica.deleteBeforeReplace
