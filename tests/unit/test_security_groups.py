"""Which groups may talk to which, and that nothing else may."""

from __future__ import annotations

from tests.unit.conftest import Deployed
from tests.unit.recorder import Recorder

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"

FLOWS = {
    ("application", "load-balancer", 6543),
    ("load-balancer", "pooler", 6543),
    ("load-balancer", "pooler", 8008),
    ("pooler", "database", 5432),
    ("pooler", "replica", 5432),
    ("functions", "database", 5432),
    ("migration", "database", 5432),
    ("migration", "replica", 5432),
    ("analytics", "replica", 5432),
    ("administration", "pooler", 22),
    ("pooler", "endpoints", 443),
    ("functions", "endpoints", 443),
    ("backup-worker", "database", 5432),
    ("backup-worker", "endpoints", 443),
}


def flows(environment: str) -> set[tuple[str, str, int]]:
    """Where restores are tested, functions reach the scratch instance too."""
    tested = environment in ("staging", "prod")
    return FLOWS | ({("functions", "restore-test", 5432)} if tested else set())


def group(id_: str) -> str:
    return id_.removeprefix("security-groups-").removesuffix("-id")


def rules(recorder: Recorder, type_: str) -> set[tuple[str, str, int]]:
    """(source, target, port) of every rule that names a group."""
    found: set[tuple[str, str, int]] = set()
    for inputs in recorder.of_type(type_).values():
        assert inputs["ipProtocol"] == "tcp"
        assert inputs["fromPort"] == inputs["toPort"]
        assert inputs["description"]
        other = inputs.get("referencedSecurityGroupId")
        if other is None:
            continue
        own, other = group(inputs["securityGroupId"]), group(other)
        found.add(
            (other, own, inputs["toPort"]) if type_ == INGRESS else (own, other, inputs["toPort"])
        )
    return found


def test_only_the_flows_of_the_design_pass(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    assert rules(recorder, INGRESS) == flows(environment)
    assert rules(recorder, EGRESS) == flows(environment)


def test_no_ingress_names_an_address_range(deployed: Deployed, environment: str) -> None:
    for inputs in deployed(environment).of_type(INGRESS).values():
        assert {"cidrIpv4", "cidrIpv6", "prefixListId"}.isdisjoint(inputs)


def test_the_ways_out_of_the_vpc(deployed: Deployed, environment: str) -> None:
    outside = {
        name: {
            key: inputs[key]
            for key in ("securityGroupId", "toPort", "cidrIpv4", "prefixListId")
            if key in inputs
        }
        for name, inputs in deployed(environment).of_type(EGRESS).items()
        if "referencedSecurityGroupId" not in inputs
    }
    debian = {
        "security-groups-pooler-to-debian": {
            "securityGroupId": "security-groups-pooler-id",
            "toPort": 443,
            "cidrIpv4": "0.0.0.0/0",
        }
    }
    assert outside == {
        "endpoints-functions-to-s3": {
            "securityGroupId": "security-groups-functions-id",
            "toPort": 443,
            "prefixListId": "pl-endpoints-s3",
        },
        "endpoints-backup-worker-to-s3": {
            "securityGroupId": "security-groups-backup-worker-id",
            "toPort": 443,
            "prefixListId": "pl-endpoints-s3",
        },
        **(debian if environment != "local" else {}),
    }


def test_groups_have_no_rules_of_their_own(deployed: Deployed, environment: str) -> None:
    groups = deployed(environment).of_type("aws:ec2/securityGroup:SecurityGroup")
    assert {group(f"{name}-id") for name in groups} == {
        end for flow in flows(environment) for end in flow[:2]
    }
    for inputs in groups.values():
        assert set(inputs) == {"name", "description", "vpcId", "tags"}
        # EC2 allows these characters and no others.
        assert set(inputs["description"]) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-:/()#,@[]+=&;{}!$*"
        )
