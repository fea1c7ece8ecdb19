"""Settings of the network: a VPC of its own, or an existing one by id."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from stacks import forms
from stacks.choices import LogRetentionDays
from stacks.network_access_settings import (
    AllowedRange,
    AllowedSecurityGroup,
    ReservedRange,
    ipv4_range,
    is_private,
)
from stacks.schema import Environment, SettingsGroup, setting

# One /16 to /20 gives sixteen subnets of /20 to /24: four tiers in up to four zones.
SUBNET_PREFIX_STEP = 4
WIDEST_VPC_PREFIX = 16
NARROWEST_VPC_PREFIX = 20
LEAST_ZONES = 2
MOST_ZONES = 4

NatGateways = Literal["none", "single", "one_per_zone"]

_SUBNETS_WHY = "RDS, the load balancer and the functions each need subnets in two zones"
_ZONE = r"[a-z]{2,4}(-[a-z]+)+-[0-9][a-z]"
_ZONE_ID = r"[a-z]{3,}[0-9]-az[0-9]+"
_SUBNETS = "AWS RDS user guide: working with a DB instance in a VPC"
_FLOW_LOGS = "AWS EC2 API reference: CreateFlowLogs"


class ExistingEndpoints(SettingsGroup):
    """The endpoints of an existing VPC."""

    security_group_id: str = setting(
        "Security group of the interface endpoints (docs/network.md says which services)",
        form=forms.SECURITY_GROUP,
        why="functions and hosts get a rule towards this group on port 443",
    )
    s3_prefix_list_id: str = setting(
        "Prefix list of the S3 gateway endpoint",
        form=forms.PREFIX_LIST,
        why="functions get a rule towards this prefix list on port 443",
    )


class ExistingNetwork(SettingsGroup):
    """An existing VPC to deploy into; its subnets must be private and are looked up."""

    vpc_id: str = setting("The VPC", form=forms.VPC, why="everything is in it")
    database_subnet_ids: tuple[str, ...] = setting(
        "Private subnets of the databases", min_length=2, why=_SUBNETS_WHY, source=_SUBNETS
    )
    host_subnet_ids: tuple[str, ...] = setting(
        "Private subnets of the pooler hosts and the load balancer, one in each zone",
        min_length=2,
        why=_SUBNETS_WHY,
        source=_SUBNETS,
    )
    function_subnet_ids: tuple[str, ...] = setting(
        "Private subnets of the functions", min_length=2, why=_SUBNETS_WHY, source=_SUBNETS
    )
    endpoints: ExistingEndpoints | None = setting(
        "The endpoints that the VPC has; without them AWS is reached over HTTPS through its NAT",
        default=None,
        why="a VPC cannot hold two endpoints with one private name, and whose they are is not ours "
        "to change",
        source="AWS PrivateLink guide: private DNS names",
    )
    internet: bool = setting(
        "Whether the subnets reach the internet over HTTPS, through NAT or a proxy",
        default=True,
        why="hosts fetch Debian packages there, and functions AWS's services without endpoints",
        source="AWS VPC user guide: NAT gateways",
    )


class FlowLogSettings(SettingsGroup):
    """VPC flow logs: who connected to whom, accepted or not, in an encrypted log group."""

    enabled: bool = setting(
        "Log the traffic of the VPC that the stack makes (an existing VPC has its own)",
        default=True,
        why="without them nobody can say after an incident what left the network",
        source="CIS AWS Foundations Benchmark 3.0: 3.7; AWS Security Hub: EC2.6; CKV2_AWS_11",
    )
    traffic: Literal["ALL", "ACCEPT", "REJECT"] = setting(
        "Which traffic is logged",
        default="ALL",
        why="REJECT costs least and shows scans; what was taken away stands in ACCEPT",
        source=_FLOW_LOGS,
    )
    aggregation_interval_seconds: Literal[60, 600] = setting(
        "How long flows are summed up before they are logged",
        default=600,
        unit="seconds",
        why="the two intervals that EC2 offers; the shorter one writes up to ten times as much",
        source=_FLOW_LOGS,
    )
    retention_days: LogRetentionDays = setting(
        "How long flow logs are kept",
        default=365,
        unit="days",
        why="the retention periods that CloudWatch Logs offers; audits ask for a year",
        source="AWS CloudWatch Logs API reference: PutRetentionPolicy; CKV_AWS_338",
    )


class NetworkSettings(SettingsGroup):
    """The network: exactly one of `vpc_cidr` and `existing`."""

    vpc_cidr: str | None = setting(
        "Address range of the VPC to make",
        default=None,
        unit="CIDR",
        why="private ranges only, /16 to /20, so that sixteen subnets of /20 to /24 fit",
        source="AWS VPC user guide: VPC CIDR blocks; RFC 1918; RFC 6598",
    )
    existing: ExistingNetwork | None = setting(
        "A VPC that is there already", default=None, why="organisations often own the network"
    )
    availability_zone_count: int = setting(
        "Zones that the VPC's subnets span, the region's first ones",
        default=3,
        unit="zones",
        ge=LEAST_ZONES,
        le=MOST_ZONES,
        why="a Multi-AZ database and two pooler hosts need two; subnets are planned for four",
        source="AWS RDS user guide: Multi-AZ deployments",
    )
    availability_zones: tuple[str, ...] | None = setting(
        "These zones instead, by name (eu-west-1a) or id (euw1-az1, the same in every account)",
        default=None,
        min_length=LEAST_ZONES,
        max_length=MOST_ZONES,
        why="RDS needs two, subnets are planned for four; not every zone offers every class of "
        "instance",
        source="AWS RAM user guide: AZ IDs; AWS RDS user guide: DescribeOrderableDBInstanceOptions",
    )
    nat: NatGateways = setting(
        "NAT gateways, the only way from the subnets to the internet: none, a single one for all "
        "zones, or one in each zone",
        default="one_per_zone",
        why="none: a closed network, whose hosts need pooler.image_id; single: one hourly price, "
        "but its zone's failure cuts off every zone's packages; one_per_zone: no shared failure",
        source="AWS VPC user guide: NAT gateways",
    )
    interface_endpoints: bool = setting(
        "Reach the AWS services that hosts and functions use through interface endpoints; false "
        "sends these calls, encrypted, through NAT",
        default=True,
        why="an endpoint's policy lets only this stack's secrets pass and no data leave to other "
        "accounts; NAT lets any HTTPS address pass and saves the endpoints' hourly price",
        source="AWS PrivateLink guide: endpoint policies",
    )
    flow_logs: FlowLogSettings = setting(
        "VPC flow logs", default=FlowLogSettings(), why="traffic leaves a trace"
    )
    allowed_security_groups: tuple[AllowedSecurityGroup, ...] = setting(
        "Groups of others that may connect", default=(), why="a group is given on purpose"
    )
    allowed_cidrs: tuple[AllowedRange, ...] = setting(
        "Ranges that may connect; never in prod, whose policy knows no exemption for them",
        default=(),
        why="an address says nothing about who uses it",
        source="policies: net-database-from-groups-only",
    )
    reserved_cidrs: tuple[ReservedRange, ...] = setting(
        "Networks that this one is or will be connected with; an overlap is refused",
        default=(),
        why="addresses of a VPC cannot be changed later",
    )
    peered_environments: tuple[Environment, ...] = setting(
        "Environments of this repository that are to be peered with this one",
        default=(),
        why="their network.vpc_cidr counts as reserved",
        source="AWS VPC peering guide: limitations",
    )
    instance_connect_endpoint: bool = setting(
        "Make an EC2 Instance Connect Endpoint, the only way to a host's SSH",
        default=True,
        why="a VPC can have only one; false where it has one already",
        source="AWS EC2 user guide: EC2 Instance Connect Endpoint quotas",
    )

    @field_validator("vpc_cidr")
    @classmethod
    def _private_and_sized(cls, value: str | None) -> str | None:
        if value is None:
            return None
        network = ipv4_range(value)
        if not is_private(network):
            raise PydanticCustomError("cidr", "a private range of RFC 1918 or RFC 6598")
        if not WIDEST_VPC_PREFIX <= network.prefixlen <= NARROWEST_VPC_PREFIX:
            raise PydanticCustomError("cidr", "a prefix of /16 to /20")
        return value

    @field_validator("availability_zones")
    @classmethod
    def _zones(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for zone in value or ():
            if not (re.fullmatch(_ZONE, zone) or re.fullmatch(_ZONE_ID, zone)):
                raise PydanticCustomError(
                    "zones",
                    "names such as eu-west-1a or ids such as euw1-az1, not {zone}",
                    {"zone": zone},
                )
        if value is not None and len(set(value)) < len(value):
            raise PydanticCustomError("zones", "each zone once")
        return value

    @property
    def zone_count(self) -> int:
        """How many zones the hosts' subnets span; an existing VPC has one of them in each."""
        if self.existing is not None:
            return len(self.existing.host_subnet_ids)
        return len(self.availability_zones or ()) or self.availability_zone_count

    @property
    def nat_gateway_count(self) -> int:
        """How many NAT gateways a VPC of the stack's own gets."""
        return {"none": 0, "single": 1, "one_per_zone": self.zone_count}[self.nat]

    @property
    def internet(self) -> bool:
        """Whether private subnets reach the internet over HTTPS."""
        return self.existing.internet if self.existing is not None else self.nat != "none"

    @property
    def uses_endpoints(self) -> bool:
        """Whether AWS is reached through interface endpoints, ours or the existing VPC's."""
        if self.existing is not None:
            return self.existing.endpoints is not None
        return self.interface_endpoints
