"""Bytecode goes to the cache folder only where it may not stand beside the sources."""

import os
import subprocess
import sys
from pathlib import Path

from toolchain.environment import REPOSITORY

SHOW = """
import os, sys
from toolchain.bytecode import keep_bytecode
keep_bytecode()
print(sys.dont_write_bytecode, sys.pycache_prefix, os.environ.get("PYTHONPYCACHEPREFIX"))
print(os.environ.get("PYTHONDONTWRITEBYTECODE"))
"""


def shown(cache: Path, **variables: str) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd=REPOSITORY,
        env={**environment, "XDG_CACHE_HOME": str(cache), **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def test_where_it_is_forbidden_it_is_kept_in_the_cache_folder(tmp_path: Path) -> None:
    folder = str(tmp_path / "pgkeep/bytecode")
    assert shown(tmp_path, PYTHONDONTWRITEBYTECODE="1") == ["False", folder, folder, "None"]


def test_a_folder_of_the_users_choice_is_kept(tmp_path: Path) -> None:
    folder = str(tmp_path / "own")
    found = shown(tmp_path, PYTHONDONTWRITEBYTECODE="1", PYTHONPYCACHEPREFIX=folder)
    assert found == ["False", folder, folder, "None"]


def test_elsewhere_python_does_as_always(tmp_path: Path) -> None:
    assert shown(tmp_path) == ["False", "None", "None", "None"]
