"""`make test`: lint, types and every suite, one after the other, with their counts at the end."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from toolchain.environment import REPOSITORY
from toolchain.pulumi_cli import ensure_pulumi
from toolchain.steps import console

CHECKS = {
    "format": ["-m", "ruff", "format", "--check", "."],
    "lint": ["-m", "ruff", "check", "."],
    "types": ["-m", "pyright"],
    "workflows": ["-m", "toolchain.actionlint"],
}
# Suite → processes it runs in. Most of the slow ones wait for health checks and boots, not for the
# processors. The end-to-end suite comes last: what it would find late, the others find early.
SUITES = {
    "facts": 1,
    "unit": 2,
    "command_line": 2,
    "workloads": 1,
    "policies": 2,
    "toolchain": 1,
    "operations": 2,
    "hosts": 2,
    "localcloud": 3,
    "e2e": 3,
}
# Suites that are nothing but hosts, databases and namespaces.
ROOT_SUITES = ("e2e",)
# Suites that use the base image, which is built before them.
IMAGE_SUITES = ("operations", "localcloud", "e2e")
# Suites that run the engine: a CLI that has to be built first is no test's time.
ENGINE_SUITES = ("command_line", "policies", "e2e")


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
    results: list[Result] = []
    for name, arguments in CHECKS.items():
        if not selected or name in selected:
            results.append(_check(name, arguments))
    can_run_hosts = platform.system() == "Linux" and os.geteuid() == 0
    if can_run_hosts and (not selected or set(selected) & set(IMAGE_SUITES)):
        results.append(_check("prepare", ["-m", "localcloud", "prepare"]))
    if not selected or set(selected) & set(ENGINE_SUITES):
        ensure_pulumi()
    for name in SUITES:
        if selected and name not in selected:
            continue
        if name in ROOT_SUITES and not can_run_hosts:
            console.print(f"[yellow]suite {name} left out: it needs Linux and root")
            continue
        results.append(_suite(name, [] if can_run_hosts else ["-m", "not root"]))
    _report(results)
    return 1 if any(result.failed for result in results) else 0


def _check(name: str, arguments: list[str]) -> Result:
    """Runs a module of this Python environment; it passes if it exits with 0."""
    console.rule(name)
    started = time.monotonic()
    command = [sys.executable, *arguments]
    code = subprocess.run(command, cwd=REPOSITORY, check=False).returncode
    return Result(name, int(code == 0), int(code != 0), 0, time.monotonic() - started)


def _suite(name: str, arguments: list[str]) -> Result:
    console.rule(name)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", f"tests/{name}", f"--junit-xml={report}"]
        code = subprocess.run(
            [*command, "-q", "--durations=5", *_processes(name), *arguments],
            cwd=REPOSITORY,
            check=False,
        ).returncode
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
