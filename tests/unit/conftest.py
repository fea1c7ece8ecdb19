"""Every environment deployed once under mocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components import function_code
from tests.unit.recorder import REPOSITORY, Recorder, deploy, settings

Deployed = Callable[[str], Recorder]


@pytest.fixture(scope="session", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with what `make build` leaves: not the real one, which other suites write to."""
    folder = tmp_path_factory.mktemp("repository") / ".build"
    folder.mkdir()
    names = ["aws-sdk"]
    for architecture in ("x86_64", "arm64"):
        names += [f"functions-{architecture}", f"postgresql-client-17-{architecture}"]
    for name in names:
        (folder / f"{name}.zip").write_text(name)
    patch = pytest.MonkeyPatch()
    patch.setattr(function_code, "REPOSITORY", folder.parent)
    yield folder
    patch.undo()


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """`deployed("prod")` is what the program asked the engine for."""
    home = tmp_path_factory.mktemp("localcloud")
    bundle = (REPOSITORY / "stacks/rds_ca/eu-west-1.pem").read_text()
    (home / "rds-ca-bundle.pem").write_text(bundle)
    patch = pytest.MonkeyPatch()
    patch.setenv("PGKEEP_LOCALCLOUD_HOME", str(home))

    def run(environment: str) -> Recorder:
        return deploy(settings(environment))

    yield run
    patch.undo()


@pytest.fixture(params=["local", "dev", "staging", "prod"])
def environment(request: pytest.FixtureRequest) -> str:
    """Each environment in turn."""
    return str(request.param)
