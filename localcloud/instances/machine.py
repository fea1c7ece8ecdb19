"""One virtual machine: the base image under an overlay, booted by systemd-nspawn.

It knows nothing of EC2: a folder, a network namespace and files to lay over the image go in, a
running Debian with its own systemd comes out.
"""

import hashlib
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud import cgroups, cleanup
from localcloud.errors import LocalCloudError

logger = logging.getLogger(__name__)

# An orderly shutdown on AWS may take minutes; hosts here keep nothing that must be written.
HALT_TIMEOUT_SECONDS = 10.0
_KILL_TIMEOUT_SECONDS = 10.0


# Enter the machine's own control groups, then become systemd-nspawn.
_IN_GROUPS = 'until [ "$1" = -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class OverlayFile:
    """A file that a machine has in addition to the image. Owned by root."""

    content: bytes
    mode: int = 0o644


class Machine:
    """A machine that can be started, halted, started again and destroyed."""

    def __init__(self, *, name: str, prefix: str, folder: Path, image: Path) -> None:
        self.name = name
        self.prefix = prefix
        self.folder = folder
        self.image = image
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None

    @property
    def root(self) -> Path:
        """The machine's root file system, mounted from `prepare` to `destroy`."""
        return self.folder / "root"

    @property
    def console(self) -> Path:
        """What systemd and cloud-init print while the machine boots."""
        return self.folder / "console.log"

    @property
    def running(self) -> bool:
        """Whether the machine's supervisor runs."""
        return self._process is not None and self._process.poll() is None

    def has_file(self, path: str) -> bool:
        """Whether the machine wrote this file (relative to its root; no links on the way)."""
        return (self.folder / "upper" / path).is_file()

    def prepare(self, files: Mapping[str, OverlayFile]) -> None:
        """Mount the root file system and lay the files (by absolute path) over the image."""
        upper, work = self.folder / "upper", self.folder / "work"
        for folder in (upper, work, self.root):
            folder.mkdir(parents=True)
        for path, file in files.items():
            target = upper / path.lstrip("/")
            _make_folders_like(self.image, upper, target.parent)
            target.write_bytes(file.content)
            target.chmod(file.mode)
        _restore_times(self.image, upper)
        # volatile: no fsync to the disk; what a host writes ends with the host.
        options = f"lowerdir={_escape(self.image)},upperdir={_escape(upper)}"
        options += f",workdir={_escape(work)},volatile"
        _run("mount", "-t", "overlay", "-o", options, self.prefix, str(self.root))

    def start(self, namespace: Path, on_exit: Callable[[], None]) -> None:
        """Boot in the network namespace. `on_exit` is called when the machine ends by itself."""
        groups = cgroups.create(self.prefix, self.name)
        command = ["sh", "-c", _IN_GROUPS, "sh", *map(str, groups), "--"]
        command += ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot"]
        # Without a registered scope and in our own control group: no systemd is needed outside.
        command += ["--register=no", "--keep-unit", f"--network-namespace-path={namespace}"]
        command += [f"--machine={self.prefix}-{self.name}", f"--uuid={_machine_id(self.name)}"]
        command += ["--console=read-only", "--resolv-conf=off", "--timezone=off"]
        command += ["--link-journal=no"]
        # systemd 257 boots on cgroup v1 machines only with this word.
        legacy = "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE"
        command += [f"--setenv={legacy}=1"]
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,  # `cleanup` knows the supervisor by this
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=os.environ | {legacy: "1"},
                start_new_session=True,
            )
        process = self._process
        self._watcher = threading.Thread(
            target=self._watch, args=(process, on_exit), name=f"watch {self.name}", daemon=True
        )
        self._watcher.start()

    def halt(self) -> None:
        """Shut down in order, or at once after HALT_TIMEOUT_SECONDS; returns when it is off."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()  # systemd-nspawn passes it on as the request to power off
            try:
                process.wait(HALT_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._end_processes()

    def kill(self) -> None:
        """Cut the power; returns when it is off."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
        self._end_processes()

    def destroy(self) -> None:
        """Remove the machine's disk. The machine must be off; doing it twice is no error."""
        if self.root.is_mount():
            _run("umount", "--lazy", str(self.root))
        for name in ("root", "work", "upper"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _watch(self, process: subprocess.Popen[bytes], on_exit: Callable[[], None]) -> None:
        process.wait()
        if self._process is process:  # nobody asked for it
            self._process = None
            try:
                self._end_processes()
            except Exception:  # `halt` and `kill` try again; that it ended must be known
                logger.exception("machine %s: what is left of it", self.name)
            on_exit()

    def _end_processes(self) -> None:
        deadline = time.monotonic() + _KILL_TIMEOUT_SECONDS
        while remaining := cgroups.processes(self.prefix, self.name):
            for pid in remaining:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if time.monotonic() > deadline:
                raise LocalCloudError(f"Host {self.name}: processes {remaining} do not end.")
            time.sleep(0.02)
        cgroups.remove(self.prefix, self.name)
        # A killed systemd-nspawn leaves the folder through which mounts come in.
        shutil.rmtree(cleanup.PROPAGATION / f"{self.prefix}-{self.name}", ignore_errors=True)


def _make_folders_like(image: Path, upper: Path, folder: Path) -> None:
    """Make missing folders in the upper layer with the modes they have in the image."""
    for part in reversed([folder, *folder.parents]):
        if not part.is_relative_to(upper) or part.exists():
            continue
        part.mkdir()
        below = image / part.relative_to(upper)
        part.chmod(below.stat().st_mode & 0o7777 if below.is_dir() else 0o755)


def _restore_times(image: Path, upper: Path) -> None:
    """Give the folders the times of the image.

    systemd takes a newer /usr than /etc/.updated for an upgrade and rebuilds its caches at boot.
    """
    for folder in upper.glob("**/"):
        below = image / folder.relative_to(upper)
        if below.is_dir():
            times = below.stat()
            os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))


def _machine_id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _escape(path: Path) -> str:
    # The separators of overlayfs options.
    return str(path).replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalCloudError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
