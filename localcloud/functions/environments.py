"""One execution environment of a function: a root of its own, one process, one call at a time.

The root is a read-only overlay (function, layers, base image) with a size-limited /tmp, made in the
daemon's own mount namespace below the home folder, where a clean-up after a crash finds it.
"""

import contextlib
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from localcloud.errors import LocalCloudError
from localcloud.functions import limits

# Lambda's own sandbox user (`sbx_user1051`).
USER_NAME = "sbx_user1051"
USER_ID = 993
GROUP_ID = 990

_LAUNCHER = Path(__file__).with_name("launcher.py")
_PYTHON = "/usr/bin/python3.13"
BOOTSTRAP = "/var/runtime/bootstrap.py"
# How often memory is looked at while a handler runs.
_POLL_SECONDS = 0.05
_READ_BYTES = 65536
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}


@dataclass(frozen=True)
class Sandbox:
    """What an environment is made of; equal sandboxes are interchangeable."""

    # Lower layers of the root, the topmost first, the base image last.
    layers: tuple[Path, ...]
    namespace_path: Path | None
    memory_mib: int
    tmp_mib: int


@dataclass
class Answer:
    """How a call to the sandbox ended: `reason` is answered, timeout, memory or exited."""

    reason: str
    message: dict[str, Any] = field(default_factory=lambda: {})
    exit_status: int = 0
    log: bytes = b""
    memory_mib: int = 0


class ExecutionEnvironment:
    """A started sandbox. Not for use by two threads at once."""

    def __init__(
        self, prefix: str, folder: Path, sandbox: Sandbox, environment: dict[str, str]
    ) -> None:
        """Mount the root in `folder` and start the runtime; `prefix` is that of the local cloud.

        Raises LocalCloudError where a mount or the process cannot be made; nothing is left then.
        """
        self.sandbox = sandbox
        self.log_stream = environment["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.calls = 0
        self.idle_since = 0.0
        self._folder = folder
        self._root = folder / "root"
        self._mounts: list[Path] = []
        self._received = b""
        self._memory = limits.create(
            prefix, f"fn-{folder.name}", sandbox.memory_mib, sandbox.tmp_mib
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._control, remote = socket.socketpair()
        self._control.setblocking(False)
        try:
            self._mount(f"{prefix}-fn-{folder.name}")
            self._start(remote, environment)
        except BaseException:
            self.close()
            raise
        finally:
            remote.close()

    def _mount(self, name: str) -> None:
        self._root.mkdir(parents=True)
        lower = ":".join(str(layer) for layer in self.sandbox.layers)
        self._mount_one("overlay", name, self._root, f"lowerdir={lower}")
        size = f"size={self.sandbox.tmp_mib}m,mode=1777,nosuid,nodev"
        self._mount_one("tmpfs", name, self._root / "tmp", size)
        # The launcher mounts /proc, from within the new process id namespace.
        self._mounts.append(self._root / "proc")

    def _mount_one(self, kind: str, name: str, target: Path, options: str) -> None:
        command = ["mount", "-t", kind, name, str(target), "-o", options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LocalCloudError(
                f"{kind} could not be mounted at {target}: {done.stderr.strip()}; "
                "functions need root and a kernel with overlayfs."
            )
        self._mounts.append(target)

    def _start(self, remote: socket.socket, environment: dict[str, str]) -> None:
        order = {
            "cgroup_procs": self._memory.cgroup_procs,
            "address_space_bytes": self._memory.address_space_bytes,
            "namespace_path": str(self.sandbox.namespace_path or ""),
            "root": str(self._root),
            "user_id": USER_ID,
            "group_id": GROUP_ID,
            "command": [_PYTHON, BOOTSTRAP],
            "environment": environment,
            "control_descriptor": remote.fileno(),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[remote.fileno()],
            cwd="/",
        )
        with contextlib.suppress(BrokenPipeError), cast(IO[bytes], self._process.stdin) as orders:
            orders.write(json.dumps(order).encode())
        os.set_blocking(self._output.fileno(), False)

    @property
    def _output(self) -> IO[bytes]:
        return cast(IO[bytes], cast("subprocess.Popen[bytes]", self._process).stdout)

    def wait_until_ready(self, limit_seconds: float) -> Answer:
        """Wait for the handler's import; the answer's message says `ready` or `error`."""
        return self._converse(b"", limit_seconds)

    def call(self, request: dict[str, Any], limit_seconds: float) -> Answer:
        """Hand one invocation to the handler and wait at most `limit_seconds` for its answer."""
        self.calls += 1
        return self._converse(json.dumps(request).encode() + b"\n", limit_seconds)

    def _converse(self, outgoing: bytes, limit_seconds: float) -> Answer:
        output = self._output
        deadline = time.monotonic() + limit_seconds
        answer = Answer("timeout")
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if outgoing else 0)
            selector.register(self._control, events)
            while (left := deadline - time.monotonic()) > 0:
                for key, ready in selector.select(min(left, _POLL_SECONDS)):
                    if key.fileobj is output:
                        if not self._read_log(answer):
                            selector.unregister(output)
                    elif ready & selectors.EVENT_WRITE and outgoing:
                        outgoing = self._send(outgoing)
                        if not outgoing:
                            selector.modify(self._control, selectors.EVENT_READ)
                    elif self._receive(answer):
                        self._read_log(answer)
                        return answer
                answer.memory_mib = max(answer.memory_mib, self._memory.allocated_mib())
                if self._memory.folder and answer.memory_mib > self.sandbox.memory_mib:
                    answer.reason = "memory"
                    break
        self._read_log(answer)
        return answer

    def _read_log(self, answer: Answer) -> bool:
        """Append what the process has printed; False at its end."""
        descriptor = self._output.fileno()
        while True:
            try:
                chunk = os.read(descriptor, _READ_BYTES)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            answer.log += chunk

    def _send(self, outgoing: bytes) -> bytes:
        try:
            return outgoing[self._control.send(outgoing) :]
        except BlockingIOError:
            return outgoing
        except OSError:
            # The process is gone; the receiving side says so.
            return b""

    def _receive(self, answer: Answer) -> bool:
        """Take what the sandbox has sent; True when the conversation is over."""
        try:
            chunk = self._control.recv(_READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        answer.memory_mib = max(answer.memory_mib, self._memory.allocated_mib())
        self._received += chunk
        line, newline, rest = self._received.partition(b"\n")
        if newline:
            self._received = rest
            answer.reason, answer.message = "answered", json.loads(line)
            return True
        if chunk:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            answer.exit_status = cast("subprocess.Popen[bytes]", self._process).wait(timeout=5)
        killed = answer.exit_status == 128 + 9
        answer.reason = "memory" if killed else "exited"
        return True

    def close(self) -> None:
        """Kill the process with all its children and remove mounts, cgroup and folder."""
        if self._process:
            # The launcher's death kills the sandbox's first process, whose death kills the rest.
            self._process.kill()
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
        self._control.close()
        self._memory.release()
        for target in reversed(self._mounts):
            subprocess.run(["umount", "--lazy", str(target)], capture_output=True, check=False)
        self._mounts = []
        if not os.path.ismount(self._root):
            shutil.rmtree(self._folder, ignore_errors=True)


def write_runtime(
    folder: Path, image: Path, resolver: str | None, trusted_certificates: bytes
) -> Path:
    """Write the sandbox's own layer: runtime client, user, name resolution, trusted authorities.

    `resolver` is the address of the VPC's resolver, None for the machine's own configuration.
    """
    scratch = folder.with_name(folder.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    for name in ("dev", "etc/ssl/certs", "var/runtime", "var/task", "opt"):
        (scratch / name).mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("bootstrap.py"), scratch / BOOTSTRAP.lstrip("/"))
    for device, (major, minor) in _DEVICES.items():
        os.mknod(scratch / "dev" / device, 0o020666, os.makedev(major, minor))
        (scratch / "dev" / device).chmod(0o666)
    etc = scratch / "etc"
    passwd = f"{USER_NAME}:x:{USER_ID}:{GROUP_ID}::/home/{USER_NAME}:/sbin/nologin\n"
    (etc / "passwd").write_text((image / "etc/passwd").read_text() + passwd)
    resolv = f"nameserver {resolver}\n" if resolver else Path("/etc/resolv.conf").read_text()
    (etc / "resolv.conf").write_text(resolv)
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    system = image / "etc/ssl/certs/ca-certificates.crt"
    bundle = (system.read_bytes() if system.exists() else b"") + trusted_certificates
    (etc / "ssl/certs/ca-certificates.crt").write_bytes(bundle)
    (scratch / "var/runtime/ca-cert.pem").write_bytes(bundle)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
    return folder
