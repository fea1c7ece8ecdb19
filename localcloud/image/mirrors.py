"""Which Debian mirror to build from: the one that this machine uses, else Debian's own."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from localcloud.errors import LocalCloudError

DEFAULT_MIRROR = "http://deb.debian.org/debian"
DEFAULT_SECURITY_MIRROR = "http://security.debian.org/debian-security"

_PROBE_TIMEOUT_SECONDS = 15


def sources(suite: str, apt_folder: Path = Path("/etc/apt")) -> list[str]:
    """Return apt source lines for the suite, with its updates and security updates.

    Raises LocalCloudError when no mirror serves the suite.
    """
    configured = list(configured_mirrors(apt_folder))
    main = _first_serving([m for m in configured if m.endswith("/debian")], DEFAULT_MIRROR, suite)
    if main is None:
        raise LocalCloudError(
            f"No Debian mirror answers for the suite {suite} (asked the mirrors in {apt_folder} "
            f"and {DEFAULT_MIRROR}): the base image needs one; check the network or the proxy."
        )
    lines = [f"deb {main} {suite} main", f"deb {main} {suite}-updates main"]
    security = _first_serving(
        [m for m in configured if m.endswith("/debian-security")],
        DEFAULT_SECURITY_MIRROR,
        f"{suite}-security",
    )
    if security is not None:
        lines.append(f"deb {security} {suite}-security main")
    return lines


def configured_mirrors(apt_folder: Path) -> Iterator[str]:
    """Yield the mirror addresses in sources.list and sources.list.d (both formats)."""
    files = [apt_folder / "sources.list", *sorted((apt_folder / "sources.list.d").glob("*"))]
    for file in files:
        if not file.is_file():
            continue
        for line in file.read_text(errors="replace").splitlines():
            match = re.match(r"(?:deb\s+(?:\[[^]]*\]\s+)?|URIs:\s*)(https?://\S+)", line)
            if match:
                yield match[1].rstrip("/")


def _first_serving(configured: list[str], default: str, suite: str) -> str | None:
    for mirror in dict.fromkeys([*configured, default]):
        try:
            address = f"{mirror}/dists/{suite}/InRelease"
            request = urllib.request.Request(address, method="HEAD")  # noqa: S310 (http, https)
            with urllib.request.urlopen(request, timeout=_PROBE_TIMEOUT_SECONDS):  # noqa: S310
                return mirror
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            continue
    return None
