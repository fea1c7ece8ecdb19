"""The base image's HAProxy as a process of this machine, spoken to over its admin socket."""

import contextlib
import os
import platform
import resource
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import LocalCloudError
from localcloud.fabric import namespaces

START_TIMEOUT_SECONDS = 10.0
STOP_TIMEOUT_SECONDS = 5.0
MOST_CONNECTIONS = 16384
# User and group id of nobody and nogroup on every Linux.
NOBODY = 65534
_COMMAND_TIMEOUT_SECONDS = 5.0


@dataclass
class _Generation:
    """One running process and the name of its admin socket in the folder."""

    process: subprocess.Popen[bytes]
    socket_name: str


def _most_connections() -> int:
    """As many as open files allow: a connection takes two, and some are HAProxy's own."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most_files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return min(MOST_CONNECTIONS, (most_files - 256) // 2)


class Haproxy:
    """One HAProxy; a new configuration starts a new process, the old one ends its connections."""

    def __init__(self, image: Path, folder: Path, namespace: str | None = None) -> None:
        """Run from `image` with files in `folder`; listen in `namespace`, if one is given."""
        self._image = image
        self._folder = folder
        self._namespace = namespace
        self._generations: list[_Generation] = []
        self._started = 0

    @property
    def running(self) -> bool:
        """Whether the newest process lives."""
        return bool(self._generations) and self._generations[-1].process.poll() is None

    def load(self, body: str, *, threads: int = 1) -> None:
        """Serve by this configuration (all but the section `global`) from now on.

        Returns when the process listens; raises LocalCloudError with its complaint.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._started += 1
        socket_name = f"admin-{self._started}.sock"
        configuration = self._folder / "haproxy.cfg"
        configuration.write_text(
            f"global\n  nbthread {threads}\n  maxconn {_most_connections()}\n"
            # Nobody's rights once it listens: clients of the VPC talk to it.
            f"  uid {NOBODY}\n  gid {NOBODY}\n"
            f"  stats socket unix@{socket_name} mode 600 level admin\n"
            f"{body}"
        )
        # Only the configuration's folder is the process's own, so it is findable by its cwd.
        command = [*self._program(), "-db", "-C", str(self._folder), "-f", str(configuration)]
        if self.running:
            command += ["-sf", str(self._generations[-1].process.pid)]
        if self._namespace is not None:
            command = ["nsenter", f"--net={namespaces.path_of(self._namespace)}", *command]
        log_file = self._folder / "haproxy.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                # No terminal, so no Ctrl-C, and `cleanup` knows it is no person's shell.
                start_new_session=True,
            )
        self._wait_until_listening(process, socket_name, log_file)
        self._generations = [g for g in self._generations if g.process.poll() is None]
        self._generations.append(_Generation(process, socket_name))

    def command(self, text: str) -> str:
        """Ask the newest process over its admin socket and return the answer."""
        if not self._generations:
            raise LocalCloudError("HAProxy is not running, so it takes no command; load it first.")
        return self._ask(self._generations[-1].socket_name, text)

    def command_all(self, text: str) -> None:
        """Tell every process, also those that only end their last connections."""
        for generation in self._generations:
            if generation.process.poll() is None:
                with contextlib.suppress(OSError):
                    self._ask(generation.socket_name, text)

    def stop(self) -> None:
        """End every process with its connections and remove the folder; twice is no error."""
        for generation in self._generations:
            generation.process.terminate()
        for generation in self._generations:
            try:
                generation.process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                generation.process.kill()
                generation.process.wait()
        self._generations = []
        shutil.rmtree(self._folder, ignore_errors=True)

    def _program(self) -> list[str]:
        """HAProxy through the image's own dynamic loader: no chroot, so no mount to leave."""
        machine = platform.machine()
        loader = "ld-linux-x86-64.so.2" if machine == "x86_64" else f"ld-linux-{machine}.so.1"
        libraries = self._image / "usr/lib" / f"{machine}-linux-gnu"
        program = self._image / "usr/sbin/haproxy"
        if not program.exists():
            raise LocalCloudError(
                f"Load balancer refused: {program} is not there; build the base image again."
            )
        return [str(libraries / loader), "--library-path", str(libraries), str(program)]

    def _wait_until_listening(
        self, process: subprocess.Popen[bytes], socket_name: str, log_file: Path
    ) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                complaint = " ".join(log_file.read_text(errors="replace").split())
                raise LocalCloudError(f"HAProxy in {self._folder} did not start: {complaint}")
            with contextlib.suppress(OSError):
                self._ask(socket_name, "show version")
                return
            time.sleep(0.005)
        process.kill()
        process.wait()
        raise LocalCloudError(
            f"HAProxy in {self._folder} did not listen within {START_TIMEOUT_SECONDS:.0f} s; "
            f"see {log_file}."
        )

    def _ask(self, socket_name: str, text: str) -> str:
        # By way of the folder's descriptor: a socket's path has at most 107 bytes (unix(7)), and
        # the folder may lie deep.
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as admin:
                admin.settimeout(_COMMAND_TIMEOUT_SECONDS)
                admin.connect(f"/proc/self/fd/{folder}/{socket_name}")
                admin.sendall(text.encode() + b"\n")
                parts: list[bytes] = []
                while part := admin.recv(65536):
                    parts.append(part)
        finally:
            os.close(folder)
        return b"".join(parts).decode(errors="replace").strip()
