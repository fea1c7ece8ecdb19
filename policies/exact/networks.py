"""Outside demands on security groups, network ACLs and balancers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Final

from ..inventory import Resource
from ..openings import Opening, openings
from ..rules import Context, Outcome, ResourceCheck, Unverified, Violation
from ..values import UNKNOWN

_ADMINISTRATION_PORTS: Final = (22, 3389)
_ENCRYPTED: Final = frozenset({"HTTPS", "TLS"})


def _administration_closed(version: int) -> ResourceCheck:
    """CIS 6.3 (version 4) and 6.4 (version 6): no port of administration is open to the world."""

    def check(resource: Resource, _context: Context) -> Iterator[Outcome]:
        for opening in openings(resource, "ingress"):
            if not isinstance(opening, Opening):
                yield opening
                continue
            if opening.reaches(*_ADMINISTRATION_PORTS) is False:
                continue
            networks = opening.networks if isinstance(opening.networks, tuple) else (None,)
            for network in networks:
                if network is UNKNOWN:
                    yield Unverified(resource, "a network")
                elif _is_whole(network, version):
                    yield Violation(resource, "is open", "be closed")

    return check


def _every_protocol(resource: Resource, _context: Context) -> Iterator[Outcome]:
    """CKV_AWS_277 asks for the port -1: every protocol. Every port of TCP is another finding."""
    for opening in openings(resource, "ingress"):
        if not isinstance(opening, Opening) or opening.every_protocol:
            yield Violation(resource, "opens every protocol", "name one")


def _is_whole(network: object, version: int) -> bool:
    """Whether it has every address of an IP version; what is no network counts as both."""
    try:
        found = ipaddress.ip_network(str(network), strict=False)
    except ValueError:
        return True
    return found.version == version and found.prefixlen == 0


def _policy_of_tls(listener: Resource, _context: Context) -> Iterator[Outcome]:
    """The policy of listeners with TLS; another rule's controls ask for TLS itself."""
    if str(listener.get("protocol")).upper() in _ENCRYPTED:
        yield Violation(listener, "has an old policy", "have another")


_CIS: Final = {"6.3": _administration_closed(4), "6.4": _administration_closed(6)}

RESOURCES: Final[Mapping[str, Mapping[str, ResourceCheck]]] = {
    "net-no-world-ssh": _CIS,
    "net-no-world-rdp": _CIS,
    "net-no-world-ingress": {**_CIS, "CKV_AWS_277": _every_protocol},
    "lb-modern-tls": dict.fromkeys(("CKV2_AWS_74", "ELB.17"), _policy_of_tls),
}
