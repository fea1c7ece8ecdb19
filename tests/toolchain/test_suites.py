"""The end of `make test` counts what ran, and fails when anything did."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from toolchain import suites

FAKE = """
import sys
report = next(a.split("=", 1)[1] for a in sys.argv if a.startswith("--junit-xml="))
with open(report, "w") as file:
    file.write('<testsuites><testsuite tests="{tests}" failures="{failures}" errors="0" '
               'skipped="{skipped}"/></testsuites>')
sys.exit({code})
"""


@pytest.mark.parametrize(
    ("tests", "failures", "skipped", "code", "last_line"),
    [
        (5, 0, 0, 0, "5 passed, 0 failed, 0 skipped"),
        (5, 2, 1, 1, "2 passed, 2 failed, 1 skipped"),
        (0, 0, 0, 5, "0 passed, 1 failed, 0 skipped"),
    ],
)
def test_counts(
    tests: int,
    failures: int,
    skipped: int,
    code: int,
    last_line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fake = tmp_path / "pytest.py"
    fake.write_text(FAKE.format(tests=tests, failures=failures, skipped=skipped, code=code))
    real_run = subprocess.run

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess:
        arguments = [part for part in command if part.startswith("--junit-xml=")]
        return real_run([sys.executable, str(fake), *arguments], **options)

    monkeypatch.setattr(suites.subprocess, "run", run)
    assert (suites.run_all(["unit"]) == 0) == (code == 0)
    assert capfd.readouterr().out.splitlines()[-1] == last_line


def test_two_lanes_run_side_by_side_and_hosts_wait_for_what_they_boot(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    order: list[str] = []
    others_begun, image_made, hosts_ran = (threading.Event() for _ in range(3))

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess:
        if "localcloud" in command:
            assert others_begun.wait(20), "nothing ran while the image was made"
            order.append("image")
            image_made.set()
            return subprocess.CompletedProcess(command, 0)
        (name,) = [part.removeprefix("tests/") for part in command if part.startswith("tests/")]
        if name == "facts":
            others_begun.set()
            assert image_made.wait(20)
        order.append(name)
        if name == "operations":
            hosts_ran.set()
        assert (command[0] == "nice") == (name not in ("operations", "e2e"))
        (report,) = [part.split("=")[1] for part in command if part.startswith("--junit-xml=")]
        Path(report).write_text('<testsuites><testsuite tests="3" /></testsuites>')
        options["stdout"].write(f"all of {name}\n")
        return subprocess.CompletedProcess(command, 0)

    def engine() -> None:
        assert hosts_ran.wait(20), "what needs no engine waited for it"
        order.append("engine")

    monkeypatch.setattr(suites.subprocess, "run", run)
    monkeypatch.setattr(suites, "ensure_pulumi", engine)
    monkeypatch.setattr(suites.platform, "system", lambda: "Linux")
    monkeypatch.setattr(suites.os, "geteuid", lambda: 0)
    assert suites.run_all(["facts", "policies", "operations", "e2e"]) == 0
    assert order.index("image") < order.index("operations") < order.index("engine")
    assert order.index("engine") < min(order.index("policies"), order.index("e2e"))
    printed = capfd.readouterr().out
    assert {f"all of {name}" for name in ("facts", "operations", "e2e")} <= set(
        printed.splitlines()
    )
    assert printed.splitlines()[-1] == "13 passed, 0 failed, 0 skipped"
