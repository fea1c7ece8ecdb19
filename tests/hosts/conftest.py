"""Two kinds of tests: of what a host is given (always), and of a running host over SSH.

The second kind needs hosts, for example:

    pytest tests/hosts --hosts=ssh://admin@10.77.1.20,ssh://admin@10.77.2.20 --sudo

Then only they run. Without `--hosts` they are deselected, not run against this machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent
_ON_A_HOST = "host"  # testinfra's fixture


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.is_relative_to(_FOLDER)]
    on_a_host = [item for item in here if _ON_A_HOST in getattr(item, "fixturenames", ())]
    if config.getoption("hosts"):
        dropped = [item for item in here if item not in on_a_host]
    else:
        dropped = on_a_host
        config.stash[_DESELECTED] = len(on_a_host)
    if dropped:
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=dropped)


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
