"""Unpacks function and layer archives, once for each content, as lower layers of a sandbox's root.

An archive unpacks below `<mount point>` (var/task or opt) of its own folder, so that an overlay
over several of them and the base image puts each where Lambda has it.
"""

import contextlib
import hashlib
import io
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

from localcloud.errors import LocalCloudError

# AWS: a function and its layers unzip to at most 250 MB
# (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
MAXIMUM_UNPACKED_BYTES = 262_144_000


def unpack(archive: bytes, store: Path, mount_point: str) -> Path:
    """Return the folder below `store` that holds `archive` at `mount_point`; unpack it if new.

    Raises LocalCloudError for what is no zip archive, has a path that leaves it, or is larger
    than Lambda takes.
    """
    digest = hashlib.sha256(mount_point.encode() + b"\0" + archive).hexdigest()[:32]
    target = store / digest
    if target.is_dir():
        return target
    store.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=store, prefix="unpacking-"))
    try:
        scratch.chmod(0o755)
        root = scratch / mount_point
        root.mkdir(parents=True)
        _extract(archive, root)
        # Another invocation may have been faster: its folder has the same content.
        with contextlib.suppress(OSError):
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _extract(archive: bytes, root: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            size = sum(entry.file_size for entry in opened.infolist())
            if size > MAXIMUM_UNPACKED_BYTES:
                raise LocalCloudError(
                    f"Unzipped size must be smaller than {MAXIMUM_UNPACKED_BYTES} bytes: the "
                    f"archive unpacks to {size}; ship less or use a layer."
                )
            for entry in opened.infolist():
                _extract_entry(opened, entry, root)
    except zipfile.BadZipFile as error:
        raise LocalCloudError(
            f"Could not unzip uploaded file ({error}): check that it is a zip archive."
        ) from error


def _extract_entry(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, root: Path) -> None:
    path = root / entry.filename
    if ".." in Path(entry.filename).parts or Path(entry.filename).is_absolute():
        raise LocalCloudError(f"The archive's entry {entry.filename!r} leads out of the archive.")
    mode = entry.external_attr >> 16
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISLNK(mode):
        path.unlink(missing_ok=True)
        path.symlink_to(opened.read(entry).decode())
        return
    with opened.open(entry) as source, path.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    # Lambda's user is not the owner: it reads every file and runs what is executable.
    path.chmod(0o755 if mode & 0o111 else 0o644)
