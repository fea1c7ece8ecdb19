"""Settings of who may connect: groups and ranges that the stack did not make."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from stacks import forms
from stacks.schema import SettingsGroup, setting

# RFC 1918, and RFC 6598, which AWS takes for VPCs too. AWS VPC user guide: VPC CIDR blocks.
PRIVATE_RANGES = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
# A whole private /8 is the widest range that one organisation has.
WIDEST_CLIENT_PREFIX = 8

Door = Literal["pooler", "database", "replica"]
"""The load balancer's port, or the direct port of the primary or of the replicas."""

_DOORS_WHY = "pooler is for applications; the direct ports are for migrations and analytics"
_REASON_WHY = (
    "whoever reviews the access has to know what it is for; it describes the rule in EC2, which "
    "takes no other characters"
)


def ipv4_range(text: str) -> IPv4Network:
    """A range without host bits.

    Raises:
        PydanticCustomError: when `text` is none.
    """
    try:
        return IPv4Network(text)
    except ValueError as error:
        detail = str(error)
        raise PydanticCustomError("cidr", "an IPv4 range ({detail})", {"detail": detail}) from None


def is_private(network: IPv4Network) -> bool:
    """Whether a range lies in those of RFC 1918 or RFC 6598."""
    return any(network.subnet_of(private) for private in PRIVATE_RANGES)


class AllowedSecurityGroup(SettingsGroup):
    """A group of another stack, of a peered VPC or of another account, whose members may connect.

    Applications of this VPC can simply be given the exported `application_security_group_id`.
    """

    id: str = setting(
        "The group; `account/sg-...` for one of another account",
        form=forms.SECURITY_GROUP_ANYWHERE,
        why="an AWS security group id",
        source="AWS VPC user guide: security group rules",
    )
    doors: tuple[Door, ...] = setting(
        "What its members may connect to",
        default=("pooler",),
        min_length=1,
        why=_DOORS_WHY,
    )
    reason: str = setting("Whose group it is", form=forms.ACCESS_REASON, why=_REASON_WHY)


class AllowedRange(SettingsGroup):
    """A range of addresses that may connect where no security group can say who it is."""

    cidr: str = setting(
        "The range, such as that of an office behind a VPN",
        unit="CIDR",
        why="never the whole internet: the databases have private addresses only",
        source="AWS Security Hub: EC2.18, EC2.19",
    )
    doors: tuple[Door, ...] = setting(
        "What may be connected to", default=("pooler",), min_length=1, why=_DOORS_WHY
    )
    reason: str = setting("What connects from there", form=forms.ACCESS_REASON, why=_REASON_WHY)
    outside_private_ranges: bool = setting(
        "The organisation uses this public range inside its own network",
        default=False,
        why="a public range is nearly always a mistake where no public address is served",
        source="RFC 1918; RFC 6598",
    )

    @field_validator("cidr")
    @classmethod
    def _narrow(cls, value: str) -> str:
        if ipv4_range(value).prefixlen < WIDEST_CLIENT_PREFIX:
            raise PydanticCustomError(
                "cidr", "a prefix of /{widest} or longer", {"widest": WIDEST_CLIENT_PREFIX}
            )
        return value


class ReservedRange(SettingsGroup):
    """A network that is, or will be, connected with this one by peering, VPN or transit gateway."""

    cidr: str = setting(
        "Its range",
        unit="CIDR",
        why="two connected networks cannot share addresses",
        source="AWS VPC peering guide: limitations",
    )
    name: str = setting("What it is", min_length=1, max_length=200, why="for the error message")

    @field_validator("cidr")
    @classmethod
    def _is_range(cls, value: str) -> str:
        ipv4_range(value)
        return value
