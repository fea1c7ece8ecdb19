"""Builds `.build/functions-<architecture>.zip`, the one archive of all Lambda functions.

    python -m operations.archive --architecture arm64

With it goes `.build/aws-sdk.zip`, boto3 for the backup worker: Lambda's runtime has one, a Debian
host has none. Dependencies are those of the groups `functions` and `worker` in pyproject.toml, at
the versions and with the hashes of uv.lock.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from operations import reproducible_zip

ROOT = Path(__file__).parent.parent
BUILD = ROOT / ".build"
PYTHON_VERSION = "3.13"
#: Lambda's name of an architecture -> the platform of its wheels. Lambda's python3.13 runs on
#: Amazon Linux 2023 (glibc 2.34), which takes manylinux_2_28.
PLATFORMS = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
SDK = "aws-sdk.zip"
# Of botocore's descriptions of services, what a worker calls; all of them are 14 MB.
_SDK_DATA = {
    *("endpoints.json", "partitions.json", "_retry.json", "sdk-default-configuration.json"),
    *("kms", "logs", "s3", "secretsmanager", "sts"),
}
_PACKAGES = ("operations", "workloads")
# Only the commands on a developer's machine use these.
_NOT_SHIPPED = ("archive.py", "postgresql_client_layer.py", "reproducible_zip.py", "elf.py")
# What an installer leaves that differs from run to run or serves only installers.
_INSTALLER_FILES = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", ".lock"}


class BuildError(Exception):
    """The archive could not be built; the message says what to do."""


def build(architecture: str, root: Path = ROOT) -> Path:
    """The path of an up-to-date archive; built when its content has changed.

    Raises `BuildError` when uv is missing or a package cannot be had.
    """
    if architecture not in PLATFORMS:
        raise BuildError(
            f"architecture {architecture!r} is unknown; one of {', '.join(sorted(PLATFORMS))}"
        )
    archive = root / ".build" / f"functions-{architecture}.zip"
    sources = [path for _, path in _sources(root)]
    key = reproducible_zip.content_key(
        [*sources, root / "uv.lock", Path(__file__), Path(reproducible_zip.__file__)], architecture
    )
    reproducible_zip.build_once(archive, key, lambda path: _build(path, architecture, root))
    return archive


def _sources(root: Path) -> Iterator[tuple[str, Path]]:
    for package in _PACKAGES:
        for name, path in reproducible_zip.tree(root / package, f"{package}/"):
            if path.name not in _NOT_SHIPPED and path.suffix in {".py", ".yaml", ".sql"}:
                yield name, path


def build_sdk(root: Path = ROOT) -> Path:
    """The path of an up-to-date `aws-sdk.zip`; it is Python alone, for every architecture.

    Raises `BuildError` when uv is missing or a package cannot be had.
    """
    archive = root / ".build" / SDK
    key = reproducible_zip.content_key(
        [root / "uv.lock", Path(__file__), Path(reproducible_zip.__file__)], SDK
    )
    reproducible_zip.build_once(archive, key, lambda path: _build_sdk(path, root))
    return archive


def _build(archive: Path, architecture: str, root: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pgkeep-archive-") as folder:
        packages = _install(Path(folder), "functions", architecture, root)
        reproducible_zip.write(archive, [*packages, *_sources(root)])


def _build_sdk(archive: Path, root: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="pgkeep-archive-") as folder:
        packages = _install(Path(folder), "worker", "x86_64", root)
        wanted = (
            (name, path)
            for name, path in packages
            if not name.startswith("botocore/data/") or name.split("/")[2] in _SDK_DATA
        )
        reproducible_zip.write(archive, wanted)


def _install(folder: Path, group: str, architecture: str, root: Path) -> list[tuple[str, Path]]:
    """The packages of a dependency group, by their names in an archive."""
    target = folder / "packages"
    requirements = folder / "requirements.txt"
    _uv(root, "export", "--frozen", "--only-group", group, "--no-header", "--quiet",
        "--output-file", str(requirements))  # fmt: skip
    _uv(root, "pip", "install", "--quiet", "--target", str(target), "--no-deps",
        "--require-hashes", "--requirements", str(requirements), "--only-binary", ":all:",
        "--python-platform", PLATFORMS[architecture],
        "--python-version", PYTHON_VERSION, "--no-compile-bytecode")  # fmt: skip
    return [
        (name, path)
        for name, path in reproducible_zip.tree(target)
        if path.name not in _INSTALLER_FILES and not name.startswith("bin/")
    ]


def _find_uv() -> str | None:
    """The uv of this Python environment (uv.lock has one), else the one on PATH."""
    return shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")


def _uv(root: Path, *arguments: str) -> None:
    program = _find_uv()
    if program is None:
        raise BuildError("uv is neither in this Python environment nor on PATH; run `make setup`")
    done = subprocess.run(
        [program, *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise BuildError(f"uv {' '.join(arguments[:2])} failed: {' '.join(lines[-3:])}")


def main() -> int:
    """Command line; prints the archive's path."""
    parser = argparse.ArgumentParser(prog="python -m operations.archive", description=__doc__)
    parser.add_argument("--architecture", choices=sorted(PLATFORMS), required=True)
    arguments = parser.parse_args()
    try:
        build_sdk()
        print(build(arguments.architecture))
    except BuildError as error:
        print(f"operations.archive: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
