"""The end of `make test` counts what ran, and fails when anything did."""

import subprocess
import sys
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
