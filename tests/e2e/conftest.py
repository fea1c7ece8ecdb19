"""Which files run in one process, and the local stack that they share.

The stack is deployed by the first test that asks, and gone at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.e2e.local_stack import LocalStack, last_words

# The files of one process, in their order, so that all end at about the same time. Each stack costs
# a minute of processor time: files that share one stand together, the one that takes it down last.
TOGETHER = (
    ("test_hosts", "test_stack"),
    ("test_backup_worker", "test_backup_function_limits", "test_rotation"),
    ("test_restores", "test_import"),
)
_PLACES = {
    name: (process, place)
    for process, names in enumerate(TOGETHER)
    for place, name in enumerate(names)
}
_ELSEWHERE = (len(TOGETHER), 0)
# Files whose stack's hosts ask for users as often as the stack `local` does: rotations wait for it.
_ROTATING = ("test_rotation",)


class _Processes(LoadFileScheduling):
    """A file that stands in no list goes to whichever process is free first."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        process, _ = _PLACES.get(Path(file).stem, _ELSEWHERE)
        return f"process {process}" if process < len(TOGETHER) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    return _Processes(config, log)  # pyright: ignore[reportArgumentType]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _PLACES.get(item.path.stem, _ELSEWHERE))


class _Shared:
    """The stack that is up now, if there is one."""

    def __init__(self) -> None:
        self.local: LocalStack | None = None

    def get(self, file: str) -> LocalStack:
        if self.local is not None and self.local.home.exists():
            return self.local
        self.close()
        files = next((names for names in TOGETHER if file in names), (file,))
        seconds = 5 if set(files) & set(_ROTATING) else LocalStack.refresh_interval_seconds
        self.local = LocalStack(refresh_interval_seconds=seconds)
        up = self.local.toolchain("up")
        assert up.returncode == 0, last_words(up)
        self.local.up_output = up.stdout
        return self.local

    def close(self) -> None:
        local, self.local = self.local, None
        if local is None:
            return
        if local.home.exists():
            local.toolchain("down")
        local.remove()


@pytest.fixture(scope="session")
def shared() -> Iterator[_Shared]:
    held = _Shared()
    try:
        yield held
    finally:
        held.close()


@pytest.fixture(scope="module")
def stack(shared: _Shared, request: pytest.FixtureRequest) -> LocalStack:
    return shared.get(request.path.stem)
