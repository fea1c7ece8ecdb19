"""Finds the Pulumi CLI, or gets it once a machine.

In this order: one on PATH that is at least as new as the Python SDK; the one in the cache folder;
the official installer, given a short time; a build of its Go module, pinned by `pulumi_module/`.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from toolchain.cache import cache_folder
from toolchain.steps import RefusedError, progress, step

MODULE = Path(__file__).parent / "pulumi_module"
# The engine and the SDK speak one protocol; the SDK's own version is what pgkeep is tested with.
VERSION = version("pulumi")
COMMAND = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
CONNECT_TIMEOUT_SECONDS = 5
INSTALL_TIMEOUT_SECONDS = 90
BUILD_TIMEOUT_SECONDS = 1800


def ensure_pulumi() -> Path:
    """The path of a usable `pulumi`; installs or builds it when there is none.

    Two callers never build it twice: the second waits.

    Raises:
        RefusedError: nothing worked; the message says what was tried and what to install.
    """
    found = shutil.which("pulumi")
    if found and _is_new_enough(Path(found)):
        return Path(found)
    cached = cache_folder() / f"pulumi-{VERSION}"
    binary = cached / "pulumi"
    if binary.exists():
        return binary
    cached.parent.mkdir(parents=True, exist_ok=True)
    with (cached.parent / "pulumi.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.print(f"Pulumi CLI {VERSION}: another run is getting it, waiting ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            with tempfile.TemporaryDirectory(dir=cached.parent, prefix="pulumi-") as work:
                made = _install(Path(work)) or _build(Path(work))
                # Renamed as a whole: a cut-off download or build is never taken for a CLI.
                made.rename(cached)
    return binary


def _is_new_enough(binary: Path) -> bool:
    try:
        answer = subprocess.run(
            [binary, "version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", answer)
    wanted = re.search(r"(\d+)\.(\d+)\.(\d+)", VERSION)
    if not found or not wanted:
        return False
    return tuple(map(int, found.groups())) >= tuple(map(int, wanted.groups()))


def _install(work: Path) -> Path | None:
    """Runs Pulumi's own installer into `work`; None where it cannot be reached."""
    if not shutil.which("curl"):
        return None
    script = work / "install.sh"
    root = work / "installed"
    try:
        with step(f"Pulumi CLI {VERSION}: official installer"):
            subprocess.run(
                ["curl", "-fsSL", "--proto", "=https", "--tlsv1.2"]
                + ["--connect-timeout", str(CONNECT_TIMEOUT_SECONDS)]
                + ["--max-time", str(INSTALL_TIMEOUT_SECONDS)]
                + ["-o", str(script), "https://get.pulumi.com"],
                check=True,
                capture_output=True,
                timeout=INSTALL_TIMEOUT_SECONDS,
            )
            subprocess.run(
                ["sh", str(script), "--version", VERSION, "--install-root", str(root)]
                + ["--no-edit-path"],
                check=True,
                capture_output=True,
                timeout=INSTALL_TIMEOUT_SECONDS,
            )
    except subprocess.SubprocessError:
        progress.print("  not reachable from here: it is built instead")
        return None
    return root / "bin" if (root / "bin" / "pulumi").exists() else None


def _build(work: Path) -> Path:
    """Builds the CLI from its Go module (about 4 minutes on 2 cores) into a folder of its own."""
    if not shutil.which("go"):
        raise RefusedError(
            f"no Pulumi CLI {VERSION} or newer on PATH, its installer cannot be reached and there "
            "is no Go to build it with; install the Pulumi CLI (https://www.pulumi.com/docs/install/)"
            " or Go 1.25 or newer."
        )
    target = work / "built"
    target.mkdir()
    with step(f"Pulumi CLI {VERSION}: built from its Go module, once a machine (about 4 minutes)"):
        result = subprocess.run(
            ["go", "build", "-mod=readonly", "-trimpath"]
            + [f"-ldflags=-s -w -X {VERSION_VARIABLE}=v{VERSION}"]
            + ["-o", str(target / "pulumi"), COMMAND],
            cwd=MODULE,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_SECONDS,
            check=False,
        )
    if result.returncode != 0:
        raise RefusedError(f"the Pulumi CLI could not be built: {result.stderr.strip()[-500:]}")
    return target
