"""Which Debian mirror to build from: this machine's own, else the choice of mmdebstrap."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

_PROBE_TIMEOUT_SECONDS = 15


def sources(suite: str, apt_folder: Path = Path("/etc/apt")) -> list[str]:
    """Return apt source lines for the suite, with its updates and security updates.

    Empty where no configured mirror serves the suite (on a derivative of Debian, say): without
    sources mmdebstrap takes the defaults that its package brings.
    """
    configured = list(configured_mirrors(apt_folder))
    main = _first_serving([m for m in configured if m.endswith("/debian")], suite)
    if main is None:
        return []
    lines = [f"deb {main} {suite} main", f"deb {main} {suite}-updates main"]
    security = _first_serving(
        [m for m in configured if m.endswith("/debian-security")], f"{suite}-security"
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


def _first_serving(configured: list[str], suite: str) -> str | None:
    for mirror in dict.fromkeys(configured):
        try:
            address = f"{mirror}/dists/{suite}/InRelease"
            request = urllib.request.Request(address, method="HEAD")  # noqa: S310 (http, https)
            with urllib.request.urlopen(request, timeout=_PROBE_TIMEOUT_SECONDS):  # noqa: S310
                return mirror
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            continue
    return None
