"""Programs that pgkeep is measured beside, each in an environment of its own."""

from __future__ import annotations

import subprocess

from uv import find_uv_bin


def installed(package: str, program: str) -> str:
    """Path of a package's program, installed where it is not.

    By its path, as `uv tool run` before it would take up to as long as it does; with uv of this
    Python environment, as a machine may have no other.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    words = [find_uv_bin(), "tool", "run", "--quiet", "--from", package, "which", program]
    return subprocess.check_output(words, text=True).strip()
