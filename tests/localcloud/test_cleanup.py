"""Cleanup finds everything of one home and nothing of others, with no daemon to ask."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from localcloud import cgroups, cleanup, mounts
from localcloud.home import Home
from localcloud.image import base_image
from localcloud.instances.machine import Machine

pytestmark = pytest.mark.root


@pytest.fixture
def home(tmp_path: Path) -> Generator[Home]:
    home = Home(tmp_path / "home")
    home.create()
    yield home
    cleanup.clean(home)


def sleeper(*before: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([*before, "sleep", "300"], cwd=cwd, start_new_session=True)
    time.sleep(0.2)
    return process


def test_nothing_made_nothing_found(home: Home) -> None:
    assert cleanup.leftovers(home) == []
    cleanup.clean(home)
    assert not home.databases.exists()
    assert home.certificates.exists(), "keys outlive the cloud"


def test_processes_are_known_by_folder_root_namespace_and_group(home: Home) -> None:
    namespace = f"{home.prefix}-x"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    root = home.databases / "root"
    for name in ("root", "upper", "work"):
        (home.databases / name).mkdir()
    layers = f"lowerdir={base_image(print)},upperdir={home.databases}/upper"
    layers += f",workdir={home.databases}/work"
    subprocess.run(["mount", "-t", "overlay", "-o", layers, "x", root], check=True)
    groups = cgroups.create(home.prefix, "host")
    outsider = sleeper()
    processes = {
        "folder": sleeper(cwd=home.instances),
        "root": sleeper("chroot", str(root)),
        "namespace": sleeper("ip", "netns", "exec", namespace),
        "group": sleeper(),
    }
    for group in groups:
        (group / "cgroup.procs").write_text(str(processes["group"].pid))
    try:
        assert {p.pid for p in processes.values()} <= cleanup.processes(home)
        assert len(cleanup.leftovers(home)) == 4 + 1 + 1 + len(groups)
        _clean_while_reaping(home, list(processes.values()))
        assert outsider.poll() is None, "a process of somebody else was ended"
        assert cleanup.leftovers(home) == []
    finally:
        for process in (outsider, *processes.values()):
            process.kill()
            process.wait()


def _clean_while_reaping(home: Home, children: list[subprocess.Popen[bytes]]) -> None:
    """Their parent here is this process: it reaps them, as init does after a crash."""
    script = (
        "import sys, pathlib; from localcloud import cleanup; from localcloud.home import Home; "
        "cleanup.clean(Home(pathlib.Path(sys.argv[1])))"
    )
    cleaner = subprocess.Popen([sys.executable, "-c", script, str(home.path)])
    while cleaner.poll() is None:
        for child in children:
            child.poll()
        time.sleep(0.02)
    assert cleaner.returncode == 0


def test_a_shell_with_a_terminal_may_stand_in_the_folder(home: Home) -> None:
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home.path)
        os.execvp("sleep", ["sleep", "300"])
    try:
        time.sleep(0.2)
        assert pid not in cleanup.processes(home)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def test_this_process_is_never_its_own_leftover(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.path)
    assert os.getpid() not in cleanup.processes(home)
    assert os.getppid() not in cleanup.processes(home)


def test_mounts_interfaces_tables_and_namespaces_go(home: Home, tmp_path: Path) -> None:
    target = home.instances / "a folder"
    target.mkdir()
    nested = target / "nested"
    subprocess.run(["mount", "-t", "tmpfs", "x", target], check=True)
    nested.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "x", nested], check=True)
    other = tmp_path / "home2"
    other.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "x", other], check=True)
    name = home.prefix
    subprocess.run(["ip", "netns", "add", f"{name}-a"], check=True)
    subprocess.run(["ip", "link", "add", f"{name}v0", "type", "bridge"], check=True)
    subprocess.run(["nft", "add", "table", "inet", f"{name}_t"], check=True)
    try:
        assert sorted(mounts.below(home.path)) == [target, nested]
        assert len(cleanup.leftovers(home)) == 5
        cleanup.clean(home)
        assert cleanup.leftovers(home) == []
        assert other.is_mount(), "a mount of somebody else was taken"
    finally:
        subprocess.run(["umount", other], check=True)


def test_busy_mount_goes_too(home: Home) -> None:
    target = home.instances / "busy"
    target.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "x", target], check=True)
    with (target / "open").open("w"):
        cleanup.clean(home)
        assert cleanup.leftovers(home) == []


def test_hierarchies_are_read_from_mountinfo(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "30 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "31 25 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
        "32 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "33 25 0:29 / /tmp rw - tmpfs tmpfs rw\n"
    )
    names = [path.name for path in cgroups.hierarchies(mounts)]
    assert names == ["unified", "systemd", "memory"]
    assert [p.name for p in cgroups.process_hierarchies(mounts)] == ["unified", "systemd"]
    mounts.write_text("30 25 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    assert cgroups.process_hierarchies(mounts) == [Path("/sys/fs/cgroup")]


def test_groups_that_end_meanwhile_are_passed_over(home: Home) -> None:
    """A host's own systemd removes groups while it goes down."""
    groups = cgroups.create(home.prefix, "host")
    member = sleeper()
    (groups[0] / "cgroup.procs").write_text(str(member.pid))
    through = threading.Event()

    def come_and_go() -> None:
        units = [groups[0] / f"unit{number}" for number in range(20)]
        while not through.is_set():
            for unit in units:
                unit.mkdir()
            for unit in units:
                unit.rmdir()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(300):
            assert cgroups.processes(home.prefix, "host") == {member.pid}
    finally:
        through.set()
        thread.join()
        member.kill()
        member.wait()
    cgroups.remove(home.prefix)
    assert not groups[0].exists()


def test_end_of_a_machine_is_told_whatever_is_left_of_it(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = tmp_path / "bin/systemd-nspawn"
    supervisor.parent.mkdir()
    supervisor.write_text("#!/bin/sh\nsleep 300 & wait\n")
    supervisor.chmod(0o755)
    monkeypatch.setenv("PATH", str(supervisor.parent), prepend=os.pathsep)
    folder = home.instances / "host"
    folder.mkdir()
    machine = Machine(name="host", prefix=home.prefix, folder=folder, image=tmp_path)
    told = threading.Event()
    machine.start(tmp_path, told.set)
    deadline = time.monotonic() + 10
    while len(running := cgroups.processes(home.prefix, "host")) < 2:
        assert time.monotonic() < deadline
    with monkeypatch.context() as patched:

        def refuse(_prefix: str, _name: str) -> set[int]:
            raise OSError(5, "Input/output error")

        patched.setattr(cgroups, "processes", refuse)
        os.kill(min(running), signal.SIGKILL)
        assert told.wait(10)
    machine.halt()
    assert cgroups.processes(home.prefix, "host") == set()
