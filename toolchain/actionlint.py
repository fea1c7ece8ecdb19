"""Checks the workflows in `.github/workflows` with actionlint, which is got once a machine.

In this order: one on PATH that is new enough; the one in the cache folder; a build of its Go
module, pinned by `actionlint_module/`. Without any of them the check fails and says what to do.
Scripts in the workflows are checked too where shellcheck is on PATH.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from toolchain.cache import cache_folder
from toolchain.environment import REPOSITORY
from toolchain.steps import RefusedError, console, fail, step

MODULE = Path(__file__).parent / "actionlint_module"
COMMAND = "github.com/rhysd/actionlint/cmd/actionlint"
BUILD_TIMEOUT_SECONDS = 600


def pinned_version() -> str:
    """The version in `actionlint_module/go.mod`: `1.7.12`."""
    found = re.search(r"github\.com/rhysd/actionlint v([\d.]+)", (MODULE / "go.mod").read_text())
    if found is None:
        raise RefusedError(f"{MODULE / 'go.mod'} names no version of actionlint.")
    return found[1]


def ensure_actionlint() -> Path:
    """The path of a usable actionlint; builds it when there is none.

    Raises:
        RefusedError: there is none, and no Go to build it with; or the build failed.
    """
    version = pinned_version()
    found = shutil.which("actionlint")
    if found and _is_new_enough(Path(found), version):
        return Path(found)
    cached = cache_folder() / f"actionlint-{version}" / "actionlint"
    if not cached.exists():
        _build(cached, version)
    return cached


def _is_new_enough(binary: Path, version: str) -> bool:
    try:
        answer = subprocess.run(
            [binary, "-version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", answer)
    return bool(found) and tuple(map(int, found.groups())) >= tuple(map(int, version.split(".")))


def _build(target: Path, version: str) -> None:
    if not shutil.which("go"):
        raise RefusedError(
            f"the workflows cannot be checked: no actionlint {version} or newer is on PATH, and no "
            "Go to build it with; install actionlint (https://github.com/rhysd/actionlint) or Go "
            "1.25 or newer."
        )
    folder = target.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="actionlint-") as work:
        made = Path(work) / "built"
        made.mkdir()
        with step(f"actionlint {version}: built from its Go module, once a machine"):
            result = subprocess.run(
                ["go", "build", "-mod=readonly", "-trimpath", "-o", str(made / "actionlint")]
                + [COMMAND],
                cwd=MODULE,
                capture_output=True,
                text=True,
                timeout=BUILD_TIMEOUT_SECONDS,
                check=False,
            )
        if result.returncode != 0:
            raise RefusedError(f"actionlint could not be built: {result.stderr.strip()[-500:]}")
        # Renamed as a whole: a cut-off build is never taken for the tool.
        try:
            made.rename(folder)
        except OSError:
            if not target.exists():  # Another run was faster: its result serves as well.
                raise


def check(repository: Path = REPOSITORY) -> int:
    """Checks every workflow; returns actionlint's exit code, or 1 when it cannot be had."""
    workflows = sorted((repository / ".github" / "workflows").glob("*.y*ml"))
    if not workflows:
        return fail(f"{repository / '.github/workflows'} has no workflow to check.")
    try:
        actionlint = ensure_actionlint()
    except RefusedError as refused:
        return fail(str(refused))
    code = subprocess.run([actionlint, *workflows], cwd=repository, check=False).returncode
    if code == 0:
        scripts = "" if shutil.which("shellcheck") else ", their scripts not: no shellcheck"
        console.print(f"{len(workflows)} workflows checked{scripts}")
    return code


if __name__ == "__main__":
    sys.exit(check())
