"""`make test`: lint, types and every suite, in two lanes, with their counts at the end."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from toolchain.environment import REPOSITORY
from toolchain.pulumi_cli import ensure_pulumi
from toolchain.steps import console

# What ends within a second or two and fails most often comes first, alone.
CHECKS = {
    "format": ["-m", "ruff", "format", "--check", "."],
    "lint": ["-m", "ruff", "check", "."],
    "workflows": ["-m", "toolchain.actionlint"],
}
TYPES = ["-m", "pyright"]
# Suite → processes it runs in. Those that need neither image nor engine come first: both are made
# meanwhile.
SUITES = {
    "facts": 1,
    "unit": 2,
    "workloads": 1,
    "hosts": 2,
    "toolchain": 1,
    "command_line": 2,
    "policies": 2,
    "operations": 2,
    "localcloud": 3,
    "e2e": 3,
}
# Two lanes run side by side: these suites mostly wait for boots, health checks and servers, the
# others mostly compute. What stands in which lane is to make both end together.
# The engine takes minutes on a machine that never had it: what needs none goes before it.
WAITING_LANE = ("operations", "e2e", "localcloud")
COMPUTING_LANE = ("types", *(name for name in SUITES if name not in WAITING_LANE))
# Hosts that boot keep their pace: what computes beside them gives way.
COMPUTING_NICENESS = 5
# Suites that are nothing but hosts, databases and namespaces.
ROOT_SUITES = ("e2e",)
# Suites that use the base image.
IMAGE_SUITES = ("operations", "localcloud", "e2e")
# Suites that run the engine.
ENGINE_SUITES = ("toolchain", "command_line", "policies", "e2e")


@dataclass
class Result:
    """How one check or suite ended."""

    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def run_all(selected: list[str]) -> int:
    """Runs the checks and suites (all, or the named ones); returns 0 only if everything passed."""
    can_run_hosts = platform.system() == "Linux" and os.geteuid() == 0
    results = [
        _check(name, arguments)
        for name, arguments in CHECKS.items()
        if not selected or name in selected
    ]
    wanted: list[list[str]] = []
    for lane in (COMPUTING_LANE, WAITING_LANE):
        names = [name for name in lane if not selected or name in selected]
        for name in [name for name in names if name in ROOT_SUITES and not can_run_hosts]:
            console.print(f"[yellow]suite {name} left out: it needs Linux and root")
            names.remove(name)
        if names:
            wanted.append(names)
    arguments = [] if can_run_hosts else ["-m", "not root"]
    if len(wanted) == 1:
        results += _image(wanted[0], can_run_hosts=can_run_hosts)
        _engine(wanted[0])
        results += [_run(name, arguments) for name in wanted[0]]
    elif wanted:
        results += _side_by_side(wanted, arguments, can_run_hosts=can_run_hosts)
    _report(results)
    return 1 if any(result.failed for result in results) else 0


def _image(names: list[str], *, can_run_hosts: bool) -> list[Result]:
    """Makes what hosts and databases run from; on a machine that never had it, takes a minute."""
    if not can_run_hosts or not set(names) & set(IMAGE_SUITES):
        return []
    return [_check("prepare", ["-m", "localcloud", "prepare"])]


def _engine(names: list[str]) -> None:
    """Gets the engine; on a machine that never had it, this takes minutes."""
    if set(names) & set(ENGINE_SUITES):
        ensure_pulumi()


def _side_by_side(
    lanes: list[list[str]], arguments: list[str], *, can_run_hosts: bool
) -> list[Result]:
    """Runs each lane in its order; what a suite prints is shown whole when the suite has ended."""
    interrupted = threading.Event()
    showing = threading.Lock()

    def run_lane(names: list[str]) -> list[Result]:
        results: list[Result] = []
        for name in names:
            if name in IMAGE_SUITES:
                image.result()
            if name in ENGINE_SUITES:
                engine.result()
            if interrupted.is_set():
                break
            with showing:
                console.print(f"[dim]{name} begins")
            with tempfile.TemporaryFile("w+") as output:
                results.append(_run(name, arguments, output))
                output.seek(0)
                with showing:
                    console.rule(name)
                    shutil.copyfileobj(output, sys.stdout)
                    sys.stdout.flush()
        return results

    with ThreadPoolExecutor(len(lanes) + 2) as executor:
        every = [name for names in lanes for name in names]
        image = executor.submit(_image, every, can_run_hosts=can_run_hosts)
        engine = executor.submit(_engine, every)
        running = [executor.submit(run_lane, names) for names in lanes]
        try:
            return [result for task in (image, *running) for result in task.result()]
        except KeyboardInterrupt:
            # Ctrl-C reaches the suites too, which clean up; no further one is begun.
            interrupted.set()
            raise


def _run(name: str, arguments: list[str], output: IO[str] | None = None) -> Result:
    """Runs a suite, or the types; shown at once, or written to `output` (beside another lane)."""
    prefix = ["nice", "-n", str(COMPUTING_NICENESS)] if output and name in COMPUTING_LANE else []
    if name == "types":
        return _check(name, TYPES, prefix, output)
    return _suite(name, arguments, prefix, output)


def _check(
    name: str, arguments: list[str], prefix: Sequence[str] = (), output: IO[str] | None = None
) -> Result:
    """Runs a module of this Python environment; it passes if it exits with 0."""
    if output is None:
        console.rule(name)
    started = time.monotonic()
    command = [*prefix, sys.executable, *arguments]
    code = _exit_code(command, output)
    return Result(name, int(code == 0), int(code != 0), 0, time.monotonic() - started)


def _suite(
    name: str, arguments: list[str], prefix: Sequence[str] = (), output: IO[str] | None = None
) -> Result:
    if output is None:
        console.rule(name)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        pytest = [sys.executable, "-m", "pytest", f"tests/{name}", f"--junit-xml={report}"]
        options = ["-q", "--durations=5", *_processes(name), *arguments]
        code = _exit_code([*prefix, *pytest, *options], output)
        seconds = time.monotonic() - started
        if not report.exists():
            return Result(name, 0, 1, 0, seconds)
        suite = ElementTree.parse(report).getroot().find("testsuite")  # noqa: S314  Ours.
        assert suite is not None  # noqa: S101
        total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    # pytest fails too when it collects nothing or is interrupted: then no count says so.
    if code != 0 and not failed:
        failed = 1
    return Result(name, max(total - skipped - failed, 0), failed, skipped, seconds)


def _exit_code(command: list[str], output: IO[str] | None) -> int:
    errors = subprocess.STDOUT if output else None
    return subprocess.run(
        command, cwd=REPOSITORY, check=False, stdout=output, stderr=errors
    ).returncode


def _processes(name: str) -> list[str]:
    """A file's tests stay in one process: they share a cloud, a database or a stack."""
    count = SUITES[name]
    return [f"--numprocesses={count}", "--dist=loadfile"] if count > 1 else []


def _report(results: list[Result]) -> None:
    console.rule("suites")
    for result in results:
        mark = "[red]✗" if result.failed else "[green]✓"
        console.print(
            f"{mark}[/] {result.name:<12} {result.passed:>5} passed {result.failed:>3} failed "
            f"{result.skipped:>3} skipped {result.seconds:>7.1f} s"
        )
    passed, failed = sum(r.passed for r in results), sum(r.failed for r in results)
    skipped = sum(r.skipped for r in results)
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
