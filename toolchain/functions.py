"""`make build`: what the functions run, an archive and the PostgreSQL client layer."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from toolchain.environment import REPOSITORY
from toolchain.steps import RefusedError, step

ARCHIVE = "operations.archive"
CLIENT_LAYER = "operations.postgresql_client_layer"
ARCHITECTURES = ("x86_64", "arm64")
CLIENT_MAJOR = 17


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


def client_programs() -> None:
    """Makes sure that pg_dump, pg_restore and psql 17 can be started from this process.

    Those on PATH serve when they are new enough; otherwise the functions' client layer is unpacked
    into `.build`.

    Raises:
        RefusedError: they are too old or missing, and the layer cannot be built here.
    """
    if os.environ.get("PGKEEP_POSTGRESQL_CLIENT") or _installed_major() >= CLIENT_MAJOR:
        return
    architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    build_client_layer(architecture)
    layer = REPOSITORY / ".build" / f"postgresql-client-{CLIENT_MAJOR}-{architecture}.zip"
    folder = REPOSITORY / ".build" / f"client-{architecture}-{layer.stat().st_mtime_ns}"
    if not folder.exists():
        with (
            tempfile.TemporaryDirectory(dir=REPOSITORY / ".build") as scratch,
            zipfile.ZipFile(layer) as archive,
        ):
            for entry in archive.infolist():
                path = Path(archive.extract(entry, scratch))
                path.chmod(entry.external_attr >> 16 & 0o777)
            Path(scratch).rename(folder)
            Path(scratch).mkdir()
    os.environ["PGKEEP_POSTGRESQL_CLIENT"] = str(folder / "pg")


def _installed_major() -> int:
    """Major version of the pg_dump on PATH; 0 without one."""
    if shutil.which("pg_dump") is None:
        return 0
    answer = subprocess.run(["pg_dump", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\) (\d+)", answer.stdout)
    return int(found.group(1)) if found else 0


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
