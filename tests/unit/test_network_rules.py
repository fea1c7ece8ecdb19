"""Networks, tags and boundaries that are refused before any resource: field, value, limit, reason."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from stacks.messages import RENAMED
from stacks.settings import Settings, SettingsError, load
from tests.unit.changed_settings import changed, refused
from tests.unit.recorder import REGION, raw_settings

RANGES = "net-database-from-groups-only"
OFFICE = {"cidr": "10.200.0.0/24", "reason": "office VPN"}
EXEMPTION = {
    "rule": RANGES,
    "resource": "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule::security-groups-10*",
    "reason": "the office VPN has no security groups",
    "owner": "platform@example.com",
    "expires": "2027-01-31",
}
MULTI_AZ = [{"field": "database.multi_az", "reason": "a rehearsal that may stop for a day"}]

# environment, changes, start of the line (field and value), limit, reason or remedy
REFUSED: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "dev",
        {"network__nat": "two"},
        "network.nat: 'two'",
        "'none', 'single' or 'one_per_zone'",
        "one_per_zone: no shared failure",
    ),
    (
        "dev",
        {
            "network__nat": "none",
            "network__interface_endpoints": False,
            "pooler__image_id": "ami-0123456789abcdef0",
            "pooler__image_has_packages": True,
        },
        "network.nat: 'none'",
        "a way out, or interface endpoints",
        "cannot read their secrets",
    ),
    (
        "prod",
        {"network__interface_endpoints": False},
        "network.interface_endpoints: false",
        "must be true in prod",
        "any HTTPS address",
    ),
    (
        "staging",
        {"network__flow_logs": {"enabled": False}},
        "network.flow_logs.enabled: false",
        "must be true in staging",
        "what left the network",
    ),
    (
        "prod",
        {"network__flow_logs": {"aggregation_interval_seconds": 300}},
        "network.flow_logs.aggregation_interval_seconds: 300 seconds",
        "60 or 600",
        "the two intervals",
    ),
    (
        "prod",
        {"network__availability_zones": ["eu-west-1a"]},
        "network.availability_zones: ",
        "at least 2",
        "RDS needs two, subnets are planned for four",
    ),
    (
        "prod",
        {"network__availability_zones": ["eu-west-1a", "eu-west-1a"]},
        "network.availability_zones: ",
        "each zone once",
        "RDS needs two",
    ),
    (
        "prod",
        {"network__availability_zones": ["eu-west-1a", "b"]},
        "network.availability_zones: ",
        "not b",
        "RDS needs two",
    ),
    (
        "prod",
        {"network__availability_zones": ["eu-west-1a", "eu-central-1b"]},
        "network.availability_zones: 'eu-central-1b'",
        "must be a zone of eu-west-1 (aws:region)",
        "a stack is in one region",
    ),
    (
        "prod",
        {"network__vpc_cidr": "198.18.0.0/16"},
        "network.vpc_cidr: '198.18.0.0/16'",
        "a private range of RFC 1918 or RFC 6598",
        "private ranges only",
    ),
    (
        "prod",
        {"network__reserved_cidrs": [{"cidr": "10.16.0.0/12", "name": "data centre"}]},
        "network.vpc_cidr: '10.20.0.0/16'",
        "must not overlap 10.16.0.0/12 (data centre)",
        "connected networks cannot share addresses",
    ),
    (
        "prod",
        {"network__vpc_cidr": "10.21.128.0/17", "network__peered_environments": ["staging"]},
        "network.vpc_cidr: '10.21.128.0/17'",
        "must not overlap 10.21.0.0/16 (environment staging)",
        "cannot be changed later",
    ),
    (
        "prod",
        {"network__peered_environments": ["prod"]},
        "network.peered_environments: 'prod'",
        "must be other environments",
        "cannot be peered with itself",
    ),
    (
        "prod",
        {"network__allowed_cidrs": [OFFICE]},
        "network.allowed_cidrs: '10.200.0.0/24'",
        "no ranges in prod",
        f"{RANGES} knows no exemption there",
    ),
    (
        "dev",
        {"network__allowed_cidrs": [OFFICE]},
        "network.allowed_cidrs: '10.200.0.0/24'",
        f"needs an entry of policy_exemptions for {RANGES}",
        "name a group",
    ),
    (
        "dev",
        {"network__allowed_cidrs": [OFFICE | {"cidr": "0.0.0.0/0"}]},
        "network.allowed_cidrs[0].cidr: '0.0.0.0/0'",
        "a prefix of /8 or longer",
        "never the whole internet",
    ),
    (
        "dev",
        {
            "network__allowed_cidrs": [OFFICE | {"cidr": "8.8.8.0/24"}],
            "policy_exemptions": [EXEMPTION],
        },
        "network.allowed_cidrs: '8.8.8.0/24'",
        "a private range",
        "outside_private_ranges",
    ),
    (
        "dev",
        {"network__allowed_cidrs": [{"cidr": "10.200.0.0/24"}]},
        "network.allowed_cidrs[0].reason: missing",
        "required",
        "whoever reviews the access",
    ),
    (
        "dev",
        {
            "network__allowed_security_groups": [
                {"id": "sg-0123456789abcdef0", "reason": "billing"},
                {"id": "sg-0123456789abcdef0", "reason": "billing again"},
            ]
        },
        "network.allowed_security_groups: 'sg-0123456789abcdef0'",
        "must be named once",
        "Join the entries' doors",
    ),
    (
        "dev",
        {"network__allowed_security_groups": [{"id": "sg-1", "reason": "billing"}]},
        "network.allowed_security_groups[0].id: 'sg-1'",
        "must be the id of a security group, such as sg-0123456789abcdef0, or ACCOUNT/ID",
        "an AWS security group id",
    ),
    # Tags
    ("prod", {"tags__owner": ...}, "tags.owner: null", "required in prod", "has to answer"),
    ("staging", {"tags__cost_centre": ...}, "tags.cost_centre: null", "required", "pay for it"),
    (
        "dev",
        {"tags__owner": "x" * 257},
        "tags.owner: ",
        "must be 1 to 256 letters, digits, spaces and _ . : / = + - @",
        "1 to 256 letters",
    ),
    ("dev", {"tags__extra": {"aws:x": "y"}}, "tags.extra: ", "not aws:x", "tag policies"),
    ("dev", {"tags__extra": {"Name": "y"}}, "tags.extra: ", "not Name", "tag policies"),
    ("dev", {"tags__extra": {"k" * 129: "y"}}, "tags.extra: ", "keys of 1 to 128", "tag policies"),
    (
        "dev",
        {"tags__extra": {"k": ""}},
        "tags.extra: ",
        "values that AWS takes, not '' for k",
        "tag policies",
    ),
    (
        "dev",
        {"tags__extra": {"Team": "a", "team": "b"}},
        "tags.extra: ",
        "not team beside Team",
        "tag policies",
    ),
    (
        "dev",
        {"tags__extra": {f"k{number}": "v" for number in range(45)}},
        "tags.extra: ",
        "at most 44 tags beside pgkeep's own 6: AWS takes 50 a resource",
        "tag policies",
    ),
    (
        "dev",
        {"permissions_boundary": "not a name"},
        "permissions_boundary: 'not a name'",
        "must be a policy's name, or its ARN: arn:aws:iam::ACCOUNT:policy/NAME",
        "ARN of a managed policy",
    ),
    # Guards that are given up
    (
        "staging",
        {"database__multi_az": False, "stated_exceptions": MULTI_AZ},
        "stated_exceptions[0].field: 'database.multi_az'",
        "needs an entry of policy_exemptions for rds-multi-az",
        "the policy pack refuses it too",
    ),
    (
        "dev",
        {"stated_exceptions": MULTI_AZ},
        "stated_exceptions[0].field: 'database.multi_az'",
        "must be one of database.pitr_retention_days",
        "no guard that could be left out",
    ),
]


@pytest.mark.parametrize(
    ("environment", "changes", "start", "limit", "why"),
    REFUSED,
    ids=[f"{case[0]}-{case[2]}{case[3][:30]}" for case in REFUSED],
)
def test_refused_in_one_line(
    environment: str, changes: dict[str, Any], start: str, limit: str, why: str
) -> None:
    (line,) = refused(environment, REGION, **changes)
    assert line.startswith(start), line
    assert limit in line
    assert why in line


def test_what_is_accepted() -> None:
    def accepted(environment: str, **changes: Any) -> Settings:
        return load(changed(environment, **changes), environment, REGION)

    accepted("dev", network__allowed_cidrs=[OFFICE], policy_exemptions=[EXEMPTION])
    accepted("prod", network__peered_environments=["staging", "dev"])
    accepted("prod", network__vpc_cidr="100.64.0.0/16")
    accepted("dev", network__interface_endpoints=False)
    accepted("prod", tags__extra={f"k{number}": "v" for number in range(44)})
    accepted("prod", network__availability_zones=["euw1-az1", "euw1-az2"])
    exemption = EXEMPTION | {"rule": "rds-multi-az"}
    accepted(
        "staging",
        database__multi_az=False,
        stated_exceptions=MULTI_AZ,
        policy_exemptions=[exemption],
    )


def test_renamed_settings_name_the_new_one() -> None:
    for path in RENAMED:
        raw: dict[str, Any] = copy.deepcopy(raw_settings("prod"))
        *groups, name = path.split(".")
        target = raw
        for group in groups:
            target = target[group]
        target[name] = 1
        with pytest.raises(SettingsError) as caught:
            load(raw, "prod", REGION)
        (line,) = caught.value.lines
        assert line.startswith(f"{path}: 1 refused, the setting is gone: ")
