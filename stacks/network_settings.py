"""Settings of the network: a VPC of its own, or an existing one by id."""

from __future__ import annotations

from ipaddress import IPv4Network

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from stacks.schema import SettingsGroup, setting

# One /16 to /20 gives sixteen subnets of /20 to /24: four tiers in up to four zones.
SUBNET_PREFIX_STEP = 4
WIDEST_VPC_PREFIX = 16
NARROWEST_VPC_PREFIX = 20

_SUBNETS_WHY = "RDS, the load balancer and the functions each need subnets in two zones"


class ExistingEndpoints(SettingsGroup):
    """The endpoints of an existing VPC."""

    security_group_id: str = setting(
        "Security group of the interface endpoints (secretsmanager)",
        pattern=r"^sg-[0-9a-f]{8,17}$",
        why="functions and hosts get a rule towards this group on port 443",
    )
    s3_prefix_list_id: str = setting(
        "Prefix list of the S3 gateway endpoint",
        pattern=r"^pl-[0-9a-f]{8,17}$",
        why="functions get a rule towards this prefix list on port 443",
    )


class ExistingNetwork(SettingsGroup):
    """An existing VPC to deploy into; its subnets must be private and are looked up."""

    vpc_id: str = setting("The VPC", pattern=r"^vpc-[0-9a-f]{8,17}$", why="an AWS VPC id")
    database_subnet_ids: tuple[str, ...] = setting(
        "Private subnets of the databases", min_length=2, why=_SUBNETS_WHY
    )
    host_subnet_ids: tuple[str, ...] = setting(
        "Private subnets of the pooler hosts and the load balancer", min_length=2, why=_SUBNETS_WHY
    )
    function_subnet_ids: tuple[str, ...] = setting(
        "Private subnets of the functions", min_length=2, why=_SUBNETS_WHY
    )
    endpoints: ExistingEndpoints = setting(
        "The endpoints that the VPC has for secretsmanager and S3",
        why="a VPC cannot hold two endpoints with one private name, and whose they are is not ours "
        "to change",
        source="AWS PrivateLink guide: private DNS names",
    )


class NetworkSettings(SettingsGroup):
    """The network: exactly one of `vpc_cidr` and `existing`."""

    vpc_cidr: str | None = setting(
        "Address range of the VPC to make",
        default=None,
        unit="CIDR",
        why="private ranges only, /16 to /20, so that sixteen subnets of /20 to /24 fit",
        source="AWS VPC user guide: VPC CIDR blocks; RFC 1918",
    )
    existing: ExistingNetwork | None = setting(
        "A VPC that is there already", default=None, why="organisations often own the network"
    )
    availability_zone_count: int = setting(
        "Zones that the VPC's subnets span",
        default=3,
        unit="zones",
        ge=2,
        le=4,
        why="a Multi-AZ database and two pooler hosts need two; subnets are planned for four",
        source="AWS RDS user guide: Multi-AZ deployments",
    )
    nat_gateway_count: int = setting(
        "NAT gateways through which hosts fetch Debian packages; 0 keeps the network closed",
        default=1,
        unit="gateways",
        ge=0,
        le=4,
        why="at most one a zone; each has an hourly price",
        source="AWS VPC user guide: NAT gateways",
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
        try:
            network = IPv4Network(value)
        except ValueError as error:
            detail = str(error)
            raise PydanticCustomError(
                "cidr", "an IPv4 range ({detail})", {"detail": detail}
            ) from None
        if not network.is_private or network.is_loopback or network.is_link_local:
            raise PydanticCustomError("cidr", "a private range of RFC 1918")
        if not WIDEST_VPC_PREFIX <= network.prefixlen <= NARROWEST_VPC_PREFIX:
            raise PydanticCustomError("cidr", "a prefix of /16 to /20")
        return value
