"""Files that are not built yet: a preview goes on without them, an update does not."""

from pathlib import Path

import pulumi
import pytest

from components import function_code
from components.function_code import FunctionCode


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FunctionCode:
    """Of a repository in which nothing is built."""
    monkeypatch.setattr(function_code, "REPOSITORY", tmp_path)
    made = FunctionCode.__new__(FunctionCode)
    made.worker_files = {"functions.zip": (".build/functions-arm64.zip", "make it")}
    return made


def test_a_preview_shows_a_marker(code: FunctionCode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    found = code.worker_file("functions.zip")
    assert found.sha256 == "0" * 64
    assert isinstance(found.asset, pulumi.StringAsset)
    assert found.asset.text == "make it"


def test_an_update_says_what_to_build(code: FunctionCode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    with pytest.raises(pulumi.RunError, match=r"functions-arm64\.zip: missing.*Build it: make it"):
        code.worker_file("functions.zip")
