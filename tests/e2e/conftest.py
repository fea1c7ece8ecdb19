"""One local stack for the files that share it: deployed by the first test that asks, gone at the end.

The file that takes it down may be followed by another one in the same process, which gets a new one.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.local_stack import LocalStack


class _Shared:
    """The stack that is up now, if there is one."""

    def __init__(self) -> None:
        self.local: LocalStack | None = None

    def get(self) -> LocalStack:
        if self.local is not None and self.local.home.exists():
            return self.local
        self.close()
        self.local = LocalStack()
        up = self.local.toolchain("up")
        assert up.returncode == 0, up.stdout + up.stderr
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
def stack(shared: _Shared) -> LocalStack:
    return shared.get()
