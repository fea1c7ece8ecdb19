"""Network namespaces and their links, made with `ip`, and code run inside one.

Everything is made in batches: one `ip` process a namespace, so that a network interface is usable
after some 30 ms.
"""

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from localcloud.errors import LocalCloudError

FOLDER = Path("/run/netns")
# Linux takes 15 bytes of interface name (IFNAMSIZ less the terminating zero).
LONGEST_INTERFACE_NAME = 15
# `ip netns` names are file names.
LONGEST_NAMESPACE_NAME = 255
_CLONE_NEWNET = 0x40000000

Result = TypeVar("Result")

_libc = ctypes.CDLL(None, use_errno=True)


def path_of(namespace: str) -> Path:
    """Where the namespace can be opened, as systemd-nspawn's --network-namespace-path wants."""
    return FOLDER / namespace


def create(namespace: str) -> None:
    """Make an empty namespace with its loopback up. One of that name must not exist."""
    if len(namespace) > LONGEST_NAMESPACE_NAME or "/" in namespace:
        raise LocalCloudError(
            f"Network namespace {namespace!r} refused: a name has at most "
            f"{LONGEST_NAMESPACE_NAME} characters and no slash; choose a shorter one."
        )
    run(["ip", "netns", "add", namespace])
    run(["ip", "-n", namespace, "link", "set", "lo", "up"])


def delete(namespace: str) -> None:
    """Remove the namespace's name; the kernel frees it when its last process ends."""
    if path_of(namespace).exists():
        run(["ip", "netns", "delete", namespace])


def configure(namespace: str, commands: Sequence[str]) -> None:
    """Run `ip` commands (without the word `ip`) inside the namespace, all in one process."""
    run(["ip", "-n", namespace, "-batch", "-"], "\n".join(commands) + "\n")


def delete_link(namespace: str, link: str) -> None:
    """Remove a link and its peer, if they are still there."""
    if not path_of(namespace).exists():
        return
    try:
        run(["ip", "-n", namespace, "link", "delete", "dev", link])
    except LocalCloudError as error:
        if "Cannot find device" not in str(error):
            raise


def load_rules(namespace: str, rules: str) -> None:
    """Apply nftables text inside the namespace, all of it or nothing."""
    run(["nsenter", f"--net={path_of(namespace)}", "nft", "-f", "-"], rules)


def run(command: Sequence[str], text: str = "") -> str:
    """Run one system command with `text` as input and return what it wrote.

    Raises LocalCloudError with the command's own complaint.
    """
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        complaint = " ".join((done.stderr or done.stdout).split()) or f"exit {done.returncode}"
        raise LocalCloudError(f"`{' '.join(command)}` failed: {complaint}")
    return done.stdout


def run_in_namespace(path: Path, function: Callable[[], Result]) -> Result:
    """Call `function` in a thread inside the namespace; return or raise what it does.

    Sockets it makes stay in the namespace wherever they are used afterwards, and so do threads and
    processes it starts.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def enter_and_call() -> None:
        try:
            _enter(path)
            results.append(function())
        except BaseException as error:  # raised again in the calling thread
            errors.append(error)

    thread = threading.Thread(target=enter_and_call, name=f"in {path.name}", daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(path: Path) -> None:
    """Move the calling thread into a namespace, for good."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"setns: {os.strerror(number)}", str(path))
    finally:
        os.close(descriptor)
