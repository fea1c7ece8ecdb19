"""The language host loads ahead what the program is going to use, and starts plugins."""

import re
import sys
from pathlib import Path

import pytest

from toolchain.environment import REPOSITORY
from toolchain.language_host import PRELOADED, plugin_command


def test_the_preloaded_packages_are_those_of_the_components() -> None:
    used = {
        package
        for file in (REPOSITORY / "components").glob("*.py")
        for package in re.findall(r"\baws\.([a-z0-9_]+)\.[A-Za-z]", file.read_text())
    }
    assert sorted(used) == sorted(PRELOADED)


@pytest.mark.parametrize(
    ("kind", "directory", "module"),
    [
        ("analyzer", REPOSITORY / "policies", []),
        ("analyzer", REPOSITORY / "stacks" / ".." / "policies", []),
        # A pack of pulumi-policy needs what `pulumi.policy` sets up.
        ("analyzer", Path("/elsewhere/policies"), ["-m", "pulumi.policy"]),
        ("resource", Path("/elsewhere/provider"), []),
    ],
)
def test_only_this_pack_runs_without_pulumi_policy(
    kind: str, directory: Path, module: list[str]
) -> None:
    place = str(directory)
    rest = ["127.0.0.1:1", place] if module else [place, "127.0.0.1:1"]
    command = [sys.executable, "-u", *module, *rest]
    assert plugin_command(kind, place, ["127.0.0.1:1"]) == command
