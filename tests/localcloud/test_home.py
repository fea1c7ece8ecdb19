"""Where a local cloud lives, and what is refused about it."""

from pathlib import Path

import pytest

from localcloud.errors import LocalCloudError
from localcloud.home import DEFAULT_PORT, Home


def test_prefix_follows_from_the_path_alone() -> None:
    assert Home(Path("/a")).prefix == Home(Path("/a"), port=1).prefix
    assert Home(Path("/a")).prefix != Home(Path("/b")).prefix
    assert Home(Path("/a")).prefix[:2] == "pk"
    assert len(Home(Path("/a")).prefix) == 6


def test_default_home_is_in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGKEEP_LOCALCLOUD_HOME", raising=False)
    monkeypatch.delenv("PGKEEP_LOCALCLOUD_PORT", raising=False)
    home = Home.from_environment()
    assert home.path == Path(__file__).parents[2] / ".localcloud"
    assert home.port == DEFAULT_PORT


def test_environment_names_home_and_port(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_HOME", str(tmp_path / "cloud"))
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_PORT", "5123")
    home = Home.from_environment()
    assert home.path == tmp_path / "cloud"
    assert home.endpoint_url == "http://127.0.0.1:5123"


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "4_780", "٤٧٨٠"])
def test_impossible_port_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_PORT", port)
    with pytest.raises(LocalCloudError, match=r"PGKEEP_LOCALCLOUD_PORT .* 1 to 65535"):
        Home.from_environment()


def test_path_too_long_for_the_control_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_HOME", "/" + "x" * 100)
    with pytest.raises(LocalCloudError, match=r"too long.*107"):
        Home.from_environment()


def test_folders_with_keys_are_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    home.create()
    assert home.certificates.stat().st_mode & 0o777 == 0o700
    assert home.ssh_key.parent.stat().st_mode & 0o777 == 0o700
    assert all(folder.is_dir() for folder in home.data_folders)
