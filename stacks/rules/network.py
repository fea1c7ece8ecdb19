"""Rules of the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings


def refusals(settings: Settings) -> Iterator[Refusal]:
    """What AWS or a host's boot would refuse later."""
    yield from _network(settings)


def _network(settings: Settings) -> Iterator[Refusal]:
    network = settings.network
    if (network.vpc_cidr is None) == (network.existing is None):
        both = network.vpc_cidr is not None
        yield Refusal(
            "network.vpc_cidr",
            network.vpc_cidr,
            "exactly one of network.vpc_cidr and network.existing",
            "the program either makes a VPC or uses one that is there",
            "Remove one of the two." if both else "Set one of the two.",
        )
    own = network.existing is None
    if own and network.nat_gateway_count > network.availability_zone_count:
        yield Refusal(
            "network.nat_gateway_count",
            network.nat_gateway_count,
            f"at most {network.availability_zone_count} (network.availability_zone_count)",
            "a second gateway in a zone serves nobody",
            "Lower network.nat_gateway_count.",
        )
    # The local cloud's image has PgBouncer; Debian's own image does not.
    closed = own and network.nat_gateway_count == 0
    if closed and settings.environment != "local" and settings.pooler.image_id is None:
        yield Refusal(
            "network.nat_gateway_count",
            0,
            "at least 1 unless pooler.image_id names an image",
            "Debian's image has no PgBouncer and hosts could not fetch it",
            "Set it to 1 or name an image that has PgBouncer.",
        )
