"""The instance metadata service (version 2), as a host sees it."""

import re
import urllib.error
import urllib.request

METADATA = "http://169.254.169.254/latest"
TIMEOUT_SECONDS = 5


def own_address() -> str:
    """The host's address in the VPC."""
    address = get("meta-data/local-ipv4")
    if not re.fullmatch(r"[0-9.]{7,15}", address):
        raise ValueError(f"instance metadata gave {address[:40]!r} as this host's address")
    return address


def instance_id() -> str:
    """The host's id."""
    return get("meta-data/instance-id")


def availability_zone() -> str:
    """The host's zone, such as eu-west-1a."""
    return get("meta-data/placement/availability-zone")


def target_lifecycle_state() -> str:
    """Where Auto Scaling wants the host: InService, Terminated; empty outside of a group.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html
    """
    try:
        return get("meta-data/autoscaling/target-lifecycle-state")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return ""
        raise


def get(path: str) -> str:
    """One document."""
    token = _ask("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    return _ask("GET", path, {"X-aws-ec2-metadata-token": token})


def _ask(method: str, path: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(f"{METADATA}/{path}", method=method, headers=headers)  # noqa: S310
    # Never through a proxy: the address is this host's own.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
        return answer.read().decode().strip()
