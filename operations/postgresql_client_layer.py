"""Builds `.build/postgresql-client-17-<architecture>.zip`: pg_dump, pg_restore and psql for Lambda.

    python -m operations.postgresql_client_layer --architecture arm64

The programs and every library they need, the dynamic loader included, are taken from Debian 13's
packages, so that they run on a host with an older C library; `operations.postgresql_client` starts
them. For another architecture nothing is run, only unpacked.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from operations import elf, reproducible_zip

ROOT = Path(__file__).parent.parent
DEBIAN_RELEASE = "trixie"
MAJOR_VERSION = 17
PROGRAMS = ("pg_dump", "pg_restore", "psql")
#: Lambda's name of an architecture -> Debian's, and the folder of its libraries.
DEBIAN = {
    "x86_64": ("amd64", "x86_64-linux-gnu"),
    "arm64": ("arm64", "aarch64-linux-gnu"),
}
#: Lambda refuses function and layers of more than this together, unzipped
#: (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
UNZIPPED_LIMIT_BYTES = 250 * 1024 * 1024


class BuildError(Exception):
    """The layer could not be built; the message says what to do."""


def build(architecture: str, root: Path = ROOT) -> Path:
    """The path of an up-to-date layer; built when this builder changed or there is none.

    Raises `BuildError` when mmdebstrap is missing or fails, or a library is not found.
    """
    if architecture not in DEBIAN:
        raise BuildError(
            f"architecture {architecture!r} is unknown; one of {', '.join(sorted(DEBIAN))}"
        )
    layer = root / ".build" / f"postgresql-client-{MAJOR_VERSION}-{architecture}.zip"
    builders = [Path(__file__), Path(elf.__file__), Path(reproducible_zip.__file__)]
    key = reproducible_zip.content_key(builders, architecture)
    reproducible_zip.build_once(layer, key, lambda path: _build(path, architecture))
    return layer


def _build(layer: Path, architecture: str) -> None:
    debian_architecture, library_folder = DEBIAN[architecture]
    with tempfile.TemporaryDirectory(prefix="pgkeep-layer-") as folder:
        unpacked = Path(folder) / "root"
        _unpack(unpacked, debian_architecture)
        binaries = unpacked / "usr/lib/postgresql" / str(MAJOR_VERSION) / "bin"
        libraries = unpacked / "usr/lib" / library_folder
        programs = [binaries / program for program in PROGRAMS]
        members = [(f"pg/bin/{path.name}", path) for path in programs]
        members += [(f"pg/lib/{name}", path) for name, path in _closure(programs, libraries)]
        size_bytes = sum(path.stat().st_size for _, path in members)
        if size_bytes > UNZIPPED_LIMIT_BYTES:
            raise BuildError(
                f"the layer holds {size_bytes} bytes, Lambda takes {UNZIPPED_LIMIT_BYTES}"
            )
        reproducible_zip.write(layer, members)


def _unpack(target: Path, debian_architecture: str) -> None:
    program = shutil.which("mmdebstrap")
    if program is None:
        raise BuildError("mmdebstrap is not on PATH; install it with: apt-get install mmdebstrap")
    done = subprocess.run(
        [program, "--quiet", "--variant=extract", f"--architectures={debian_architecture}",
         f"--include=postgresql-client-{MAJOR_VERSION}", DEBIAN_RELEASE, str(target)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise BuildError(f"mmdebstrap failed: {' '.join(lines[-3:])}")


def _closure(programs: list[Path], libraries: Path) -> Iterator[tuple[str, Path]]:
    """Every library that the programs need, directly or not, by the name they ask for."""
    found: dict[str, Path] = {}
    waiting = list(programs)
    while waiting:
        path = waiting.pop()
        for name in elf.needed_libraries(path):
            if name in found:
                continue
            library = libraries / name
            if not library.is_file():
                raise BuildError(f"{path.name} needs {name}, which Debian's packages do not have")
            found[name] = library.resolve()
            waiting.append(library)
    yield from found.items()


def main() -> int:
    """Command line; prints the layer's path."""
    parser = argparse.ArgumentParser(
        prog="python -m operations.postgresql_client_layer", description=__doc__
    )
    parser.add_argument("--architecture", choices=sorted(DEBIAN), required=True)
    arguments = parser.parse_args()
    try:
        print(build(arguments.architecture))
    except BuildError as error:
        print(f"operations.postgresql_client_layer: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
