"""Starts one process inside a sandbox: network, process ids, memory, root, user; then execs it.

Run by the daemon as `python -I -S launcher.py <JSON>`: a process of its own, because entering
namespaces between fork and exec is not safe in a daemon with many threads. It stays as the parent
of the sandboxed process, passes its exit status on, and takes it along when it is killed.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

# From <linux/sched.h>, <linux/mount.h> and <linux/prctl.h>.
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_MS_NOSUID = 2
_MS_NODEV = 4
_MS_NOEXEC = 8
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38

# Where bootstrap.py expects the control socket.
_CONTROL_DESCRIPTOR = 3

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, action: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{action}: {os.strerror(number)}")


def _enter(order: dict[str, Any]) -> None:
    for tasks in order["cgroup_procs"]:
        Path(tasks).write_text("0")
    if order["namespace_path"]:
        descriptor = os.open(order["namespace_path"], os.O_RDONLY)
        _check(_libc.setns(descriptor, _CLONE_NEWNET), f"enter {order['namespace_path']}")
        os.close(descriptor)
    _check(_libc.unshare(_CLONE_NEWPID | _CLONE_NEWIPC), "new process id namespace")
    # Lambda's own limits: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if order["address_space_bytes"]:
        limit = order["address_space_bytes"]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _become(order: dict[str, Any]) -> None:
    # Here, as the namespace's first process: it shows the sandbox's own processes only.
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    proc = os.fsencode(Path(order["root"]) / "proc")
    _check(_libc.mount(b"proc", proc, b"proc", flags, None), "mount /proc")
    os.chroot(order["root"])
    os.chdir("/")
    os.setgroups([])
    os.setgid(order["group_id"])
    os.setuid(order["user_id"])
    # After setuid, which clears it: the sandbox dies with the launcher, whoever kills that.
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "set the parent-death signal")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "give up new privileges")
    os.execve(order["command"][0], order["command"], order["environment"])  # noqa: S606


def main() -> int:
    """Run the command of the order; return its exit status, 128 + n for signal n."""
    order: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    try:
        _enter(order)
    except OSError as error:
        print(f"the sandbox could not be entered: {error}", file=sys.stderr)
        return 125
    child = os.fork()
    if child == 0:
        try:
            null = os.open("/dev/null", os.O_RDONLY)
            os.dup2(null, 0)
            if order["control_descriptor"] != _CONTROL_DESCRIPTOR:
                os.dup2(order["control_descriptor"], _CONTROL_DESCRIPTOR)
                os.close(order["control_descriptor"])
            _become(order)
        except BaseException as error:
            print(f"the sandbox could not be started: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(126)
    os.close(order["control_descriptor"])
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
