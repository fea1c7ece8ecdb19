"""Where the local cloud cannot run, `make up` says so before anything is made."""

import os
import platform
from pathlib import Path

import pytest

from toolchain import local
from toolchain.steps import RefusedError


@pytest.mark.parametrize("target", [local.up, local.down])
@pytest.mark.parametrize(
    ("system", "user", "said"),
    [("Darwin", 0, "needs Linux .this is Darwin."), ("Linux", 1000, "needs root")],
)
def test_not_here(
    target: object,
    system: str,
    user: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_HOME", str(tmp_path / "home"))
    with pytest.raises(RefusedError, match=said):
        target()
    assert not (tmp_path / "home").exists()
