"""Builds the base image once a machine, with mmdebstrap, into the user's cache folder."""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from localcloud import mounts
from localcloud.errors import LocalCloudError
from localcloud.image import mirrors, recipe

Report = Callable[[str], None]

_REPORT_EVERY_SECONDS = 10


def images_folder() -> Path:
    """Where images are kept: `pgkeep/images` in the user's cache folder (XDG)."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "pgkeep" / "images"


def image_path() -> Path:
    """Root folder of the image of the present recipe, whether it is built or not."""
    return images_folder() / recipe.digest()


def base_image(report: Report) -> Path:
    """Return the image's root folder, built first where it is missing (about 40 s).

    Two callers never build twice: the second waits. Raises LocalCloudError when the build fails;
    nothing half made keeps the image's name.
    """
    image = image_path()
    if image.is_dir():
        return image
    image.parent.mkdir(parents=True, exist_ok=True)
    with _lock(image.parent / "build.lock", report):
        if not image.is_dir():
            _remove_unfinished(image.parent)
            _build(image, report)
    return image


def _build(image: Path, report: Report) -> None:
    started = time.monotonic()
    report(
        f"Debian 13 base image: building with {len(recipe.PACKAGES)} packages, once a machine ..."
    )
    building = image.parent / f"{image.name}.building"
    command = ["mmdebstrap", "--variant=minbase", "--mode=root", "--format=directory"]
    command += [f"--include={','.join(recipe.PACKAGES)}"]
    command += [f"--dpkgopt={option}" for option in recipe.DPKG_OPTIONS]
    command += [f"--essential-hook={recipe.ESSENTIAL_HOOK}"]
    command += [f"--customize-hook={recipe.CUSTOMIZE_HOOK}"]
    command += [recipe.SUITE, str(building), *mirrors.sources(recipe.SUITE)]
    try:
        _run(command, report, started)
        building.rename(image)
    finally:
        _remove(building)
    report(f"Debian 13 base image: built in {time.monotonic() - started:.0f} s ({image})")


def _run(command: list[str], report: Report, started: float) -> None:
    with tempfile.TemporaryFile(mode="w+") as log:
        process = subprocess.Popen(
            command,
            env=recipe.environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            while True:
                try:
                    process.wait(_REPORT_EVERY_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    elapsed = time.monotonic() - started
                    report(f"Debian 13 base image: still building ({elapsed:.0f} s)")
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode != 0:
            log.seek(0)
            errors = [line.strip() for line in log if line.startswith(("E:", "Err:"))]
            raise LocalCloudError(
                f"The Debian 13 base image could not be built: mmdebstrap ended with exit code "
                f"{process.returncode}: {errors[-1] if errors else 'no error line'}; "
                "check the network to the Debian mirror and try again."
            )


def _remove_unfinished(folder: Path) -> None:
    """Remove what a killed build left. Call with the lock held."""
    for leftover in folder.glob("*.building"):
        _remove(leftover)


def _remove(building: Path) -> None:
    """Remove a folder, and before it what mmdebstrap mounted there, such as the machine's /dev.

    Raises LocalCloudError, and removes nothing, while something stays mounted.
    """
    for mount in reversed(mounts.below(building)):
        mounts.unmount(mount)
    if left := mounts.below(building):
        raise LocalCloudError(
            f"{left[-1]}, which a killed build has left, cannot be unmounted, and what is mounted "
            f"there must not be removed with {building}: end what uses it (fuser -vm {left[-1]}), "
            f"run `umount {left[-1]}`, and try again."
        )
    shutil.rmtree(building, ignore_errors=True)


@contextmanager
def _lock(path: Path, report: Report) -> Generator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Debian 13 base image: another run is building it, waiting ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
