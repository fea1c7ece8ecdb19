"""Which Pulumi CLI is taken: PATH if new enough, then the cache; never a half-made one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toolchain import pulumi_cli
from toolchain.steps import RefusedError


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty PATH and an empty cache folder."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def write_pulumi(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    binary = folder / "pulumi"
    binary.write_text(f"#!/bin/sh\necho '{version}'\n")
    binary.chmod(0o755)
    return binary


@pytest.mark.parametrize("version", [f"v{pulumi_cli.VERSION}", "v3.999.0", "v4.0.0-alpha.1"])
def test_a_new_enough_cli_on_path_is_used(machine: Path, version: str) -> None:
    binary = write_pulumi(machine / "bin", version)
    assert pulumi_cli.ensure_pulumi() == binary


@pytest.mark.parametrize("version", ["v3.100.0", "v2.999.9", "", "not a version"])
def test_an_old_or_broken_cli_on_path_is_passed_over_for_the_cached_one(
    machine: Path, version: str
) -> None:
    write_pulumi(machine / "bin", version)
    cached = write_pulumi(machine / f"cache/pgkeep/pulumi-{pulumi_cli.VERSION}", "v0")
    assert pulumi_cli.ensure_pulumi() == cached


def test_without_installer_and_go_it_says_what_to_install_and_leaves_nothing(
    machine: Path,
) -> None:
    with pytest.raises(RefusedError, match=r"install the Pulumi CLI .* or Go"):
        pulumi_cli.ensure_pulumi()
    assert [one.name for one in (machine / "cache/pgkeep").iterdir()] == ["pulumi.lock"]


def test_a_failed_build_leaves_nothing_in_the_cache(machine: Path) -> None:
    go = machine / "bin/go"
    go.write_text("#!/bin/sh\necho 'no space left on device' >&2\nexit 1\n")
    go.chmod(0o755)
    with pytest.raises(RefusedError, match="no space left on device"):
        pulumi_cli.ensure_pulumi()
    assert [one.name for one in (machine / "cache/pgkeep").iterdir()] == ["pulumi.lock"]


def test_two_runs_build_once_and_say_so_beside_the_output(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output of `preview --json` is one document, on a machine that has no CLI yet too."""
    monkeypatch.setenv("PATH", f"{machine / 'bin'}:/usr/bin:/bin")
    for name, body in {
        "curl": "exit 7",
        "go": f"""echo built >> {machine}/runs
                  sleep 0.5
                  for word; do [ "$before" = -o ] && echo > "$word"; before=$word; done""",
    }.items():
        (machine / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
        (machine / "bin" / name).chmod(0o755)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(pulumi_cli.ensure_pulumi) for _ in range(2)]
        assert {run.result() for run in runs} == {
            machine / f"cache/pgkeep/pulumi-{pulumi_cli.VERSION}/pulumi"
        }
    assert (machine / "runs").read_text() == "built\n"
    said = capsys.readouterr()
    assert said.out == ""
    assert "it is built instead" in said.err and "another run is getting it" in said.err


def test_the_pinned_module_is_the_version_of_the_sdk() -> None:
    pinned = (pulumi_cli.MODULE / "go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{pulumi_cli.VERSION}\n" in pinned
