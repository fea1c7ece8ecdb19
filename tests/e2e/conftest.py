"""One local stack for the whole suite: deployed by the first test that asks, gone at the end."""

from collections.abc import Iterator

import pytest

from tests.e2e.local_stack import LocalStack


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    local = LocalStack()
    try:
        up = local.toolchain("up")
        assert up.returncode == 0, up.stdout + up.stderr
        local.up_output = up.stdout
        yield local
    finally:
        if local.home.exists():
            local.toolchain("down")
        local.remove()
