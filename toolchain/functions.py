"""`make build`: what the functions run, an archive and the PostgreSQL client layer."""

from __future__ import annotations

import platform
import subprocess
import sys

from toolchain.environment import REPOSITORY
from toolchain.steps import RefusedError, step

ARCHIVE = "operations.archive"
CLIENT_LAYER = "operations.postgresql_client_layer"
ARCHITECTURES = ("x86_64", "arm64")


def build_archive(architecture: str) -> None:
    """Builds `.build/functions-<architecture>.zip` where it is missing or old; on any system."""
    _build(ARCHIVE, architecture)


def build_client_layer(architecture: str) -> None:
    """Builds `.build/postgresql-client-17-<architecture>.zip`; its packages are Debian's.

    Raises:
        RefusedError: this is not Linux, or the build failed.
    """
    if platform.system() != "Linux":
        raise RefusedError(
            "the PostgreSQL client layer is unpacked from Debian packages with mmdebstrap, which "
            f"{platform.system()} does not have; run `make build` on Linux (CI, a container)."
        )
    _build(CLIENT_LAYER, architecture)


def build_all() -> int:
    """Builds archive and layer for every architecture; returns the exit code."""
    for architecture in ARCHITECTURES:
        with step(f"Functions archive, {architecture}"):
            build_archive(architecture)
        with step(f"PostgreSQL client layer, {architecture}"):
            build_client_layer(architecture)
    return 0


def _build(module: str, architecture: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", module, "--architecture", architecture],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no output"]
        raise RefusedError(f"{module}: {lines[-1]}")
