"""The base image: built once, atomically, from a mirror that has it."""

import contextlib
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from localcloud import mounts
from localcloud.errors import LocalCloudError
from localcloud.image import base_image, builder, image_path, mirrors, recipe


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache folder, and a mirror that is not asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(mirrors, "sources", lambda _suite: ["deb http://mirror.invalid x main"])
    return tmp_path / "cache" / "pgkeep" / "images"


def fake_mmdebstrap(monkeypatch: pytest.MonkeyPatch, folder: Path, body: str) -> Path:
    """Put a program of that name on PATH; it counts its runs in a file."""
    folder.mkdir(exist_ok=True)
    program = folder / "mmdebstrap"
    runs = folder / "runs"
    program.write_text(
        f'#!/bin/bash\necho run >> {runs}\nfor a in "$@"; do case $a in *.building) t=$a;; esac; done\n{body}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return runs


def test_two_runs_build_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> None:
    runs = fake_mmdebstrap(monkeypatch, tmp_path / "bin", 'mkdir "$t"; sleep 0.5; touch "$t/done"')
    images: list[Path] = []
    lines: list[str] = []
    threads = [
        threading.Thread(target=lambda: images.append(base_image(lines.append))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert images == [cache / recipe.digest()] * 2
    assert (images[0] / "done").exists()
    assert runs.read_text().count("run") == 1
    assert any("waiting" in line for line in lines)
    assert any("built in" in line for line in lines)
    assert base_image(lines.append) == images[0]
    assert runs.read_text().count("run") == 1


def test_failed_build_leaves_nothing_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    fake_mmdebstrap(monkeypatch, tmp_path / "bin", 'mkdir "$t"; echo "E: no such package"; exit 25')
    with pytest.raises(LocalCloudError, match=r"exit code 25: E: no such package; check the net"):
        base_image(lambda _: None)
    assert [entry.name for entry in cache.iterdir()] == ["build.lock"]


def test_leftover_of_a_killed_build_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    fake_mmdebstrap(monkeypatch, tmp_path / "bin", 'mkdir "$t"')
    (cache / "0123.building" / "usr").mkdir(parents=True)
    base_image(lambda _: None)
    assert {entry.name for entry in cache.iterdir()} == {recipe.digest(), "build.lock"}


@pytest.mark.root
@pytest.mark.parametrize("used", [False, True])
def test_what_a_killed_build_has_mounted_is_unmounted_and_not_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path, used: bool
) -> None:
    """As `kill -9` leaves it: folders of the machine, one inside of the other, also in use."""
    fake_mmdebstrap(monkeypatch, tmp_path / "bin", 'mkdir "$t"')
    machines = tmp_path / "of the machine"
    (machines / "pts").mkdir(parents=True)
    (machines / "device").write_text("stays")
    leftover = cache / "0123.building"
    (leftover / "dev").mkdir(parents=True)
    inner = tmp_path / "pts"
    inner.mkdir()
    (inner / "terminal").write_text("stays")
    point = leftover / "dev"
    subprocess.run(["mount", "--bind", str(machines), str(point)], check=True)
    subprocess.run(["mount", "--bind", str(inner), str(point / "pts")], check=True)
    try:
        with (point / "pts" / "terminal").open() if used else contextlib.nullcontext():
            base_image(lambda _: None)
        assert mounts.below(cache) == []
    finally:
        for mount in reversed(mounts.below(cache)):
            subprocess.run(["umount", "--lazy", str(mount)], check=True)
    assert (machines / "device").read_text() == (inner / "terminal").read_text() == "stays"
    assert {entry.name for entry in cache.iterdir()} == {recipe.digest(), "build.lock"}


@pytest.mark.root
def test_what_stays_mounted_is_not_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    runs = fake_mmdebstrap(monkeypatch, tmp_path / "bin", 'mkdir "$t"')
    monkeypatch.setattr(mounts, "unmount", lambda _: None)
    machines, point = tmp_path / "machine", cache / "0123.building" / "dev"
    machines.mkdir()
    (machines / "device").write_text("stays")
    point.mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(machines), str(point)], check=True)
    try:
        with pytest.raises(LocalCloudError, match=r"dev, which a killed build has left, cannot be"):
            base_image(lambda _: None)
        assert (machines / "device").read_text() == "stays"
        assert not runs.exists()
    finally:
        subprocess.run(["umount", str(point)], check=True)
    base_image(lambda _: None)
    assert {entry.name for entry in cache.iterdir()} == {recipe.digest(), "build.lock"}


def test_another_recipe_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = image_path()
    monkeypatch.setattr(recipe, "PACKAGES", (*recipe.PACKAGES, "hello"))
    assert image_path() != before


def test_the_builders_environment_changes_nothing_in_the_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    """Python's variables would put compiled modules of the hosts elsewhere, or nowhere."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "/elsewhere")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("https_proxy", "http://proxy.invalid")
    fake_mmdebstrap(monkeypatch, tmp_path / "bin", 'mkdir "$t"; env > "$t/environment"')
    image = base_image(lambda _: None)
    names = {line.split("=")[0] for line in (image / "environment").read_text().splitlines()}
    # The last ones are the shell's own.
    assert names - {"APT_CONFIG", "TMPDIR", "PWD", "SHLVL", "_"} == {"PATH", "https_proxy"}


def test_long_build_reports_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path
) -> None:
    monkeypatch.setattr(builder, "_REPORT_EVERY_SECONDS", 0.1)
    fake_mmdebstrap(monkeypatch, tmp_path / "bin", 'mkdir "$t"; sleep 0.5')
    lines: list[str] = []
    base_image(lines.append)
    assert any("still building" in line for line in lines)


def test_mirrors_of_both_formats_are_found(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://commented/debian x main\ndeb [arch=amd64] http://one/debian/ bookworm main\n"
    )
    (tmp_path / "sources.list.d" / "d.sources").write_text(
        "Types: deb\nURIs: https://two/debian-security\nSuites: bookworm-security\n"
    )
    assert list(mirrors.configured_mirrors(tmp_path)) == [
        "http://one/debian",
        "https://two/debian-security",
    ]


class _Mirror(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/debian/dists/trixie/InRelease" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_mirror_of_the_machine_goes_first_and_security_only_where_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Mirror)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        (tmp_path / "sources.list").write_text(f"deb {base}/debian bookworm main\n")
        assert mirrors.sources("trixie", tmp_path) == [
            f"deb {base}/debian trixie main",
            f"deb {base}/debian trixie-updates main",
        ]
        # mmdebstrap chooses where no configured mirror has the suite.
        assert mirrors.sources("sid", tmp_path) == []
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.root
def test_image_has_what_hosts_and_databases_need() -> None:
    image = base_image(print)

    def inside(*command: str) -> str:
        # The image is everybody's: nothing is written into it.
        environment = {"PATH": "/usr/sbin:/usr/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            ["chroot", str(image), *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    assert "PgBouncer 1." in inside("pgbouncer", "--version")
    assert "17." in inside("/usr/lib/postgresql/17/bin/postgres", "--version")
    assert "HAProxy" in inside("haproxy", "-v")
    assert "Python 3.13" in inside("python3", "--version")
    assert inside("python3", "-c", "import boto3; print('boto3')") == "boto3\n"
    assert (image / "usr/lib/postgresql/17/lib/pgaudit.so").exists()
    # Compiled where Python looks for it, so that hosts need not at every start.
    assert list((image / "usr/lib/python3/dist-packages/boto3/__pycache__").glob("*.pyc"))
    assert not (image / "root/.cache").exists()
    # Each host's own: no host keys, no machine id, and no cluster of the package.
    assert not list((image / "etc/ssh").glob("ssh_host_*"))
    assert (image / "etc/machine-id").read_bytes() == b""
    assert not (image / "var/lib/postgresql/17/main").exists()
    assert "enabled" in inside("systemctl", "is-enabled", "apt-daily-upgrade.timer")
    assert "enabled" in inside("systemctl", "is-enabled", "unattended-upgrades.service")
