"""Two kinds of tests: of what a host is given (always), and of a running host over SSH.

The second kind needs hosts, for example:

    pytest tests/hosts --hosts=ssh://admin@10.77.1.20,ssh://admin@10.77.2.20 --sudo

Without `--hosts` those tests are deselected, not run against this machine.
"""

from __future__ import annotations

import pytest

_ON_A_HOST = "host"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("hosts"):
        return
    on_a_host = [item for item in items if _ON_A_HOST in getattr(item, "fixturenames", ())]
    if on_a_host:
        items[:] = [item for item in items if item not in on_a_host]
        config.hook.pytest_deselected(items=on_a_host)
        config.stash[_DESELECTED] = len(on_a_host)


_DESELECTED = pytest.StashKey[int]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    count = config.stash.get(_DESELECTED, 0)
    if count:
        terminalreporter.write_line(
            f"{count} tests of running pooler hosts were not selected: they need "
            "--hosts=ssh://... (the end-to-end suite passes it)."
        )
