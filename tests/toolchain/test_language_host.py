"""The language host loads ahead exactly what the program is going to use."""

import re

from toolchain.environment import REPOSITORY
from toolchain.language_host import PRELOADED


def test_the_preloaded_packages_are_those_of_the_components() -> None:
    used = {
        package
        for file in (REPOSITORY / "components").glob("*.py")
        for package in re.findall(r"\baws\.([a-z0-9_]+)\.[A-Za-z]", file.read_text())
    }
    assert sorted(used) == sorted(PRELOADED)
